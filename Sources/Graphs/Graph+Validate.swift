extension Graph {
  /// Checks that the graph hangs together: names, order, numbers of inputs, kinds of attributes.
  ///
  /// Every tensor has one origin (an input, a constant or a node), every node reads what comes
  /// before it, nodes have different names, and outputs exist. Shapes are another matter: see
  /// ``inferShapes(inputs:)``.
  ///
  /// - Throws: ``GraphError`` naming the first node or tensor that is wrong.
  public func validate() throws(GraphError) {
    var defined = Set(initializers.keys)
    for input in inputs {
      guard !input.name.isEmpty else { throw GraphError("an input", "has no name") }
      guard defined.insert(input.name).inserted else {
        throw GraphError("input '\(input.name)'", "is defined twice")
      }
    }
    var names: Set<String> = []
    for node in nodes {
      guard names.insert(node.name).inserted else {
        throw GraphError(node, "is not the only node of this name")
      }
      try Signature(node.operation).check(node)
      for input in node.inputs where input != "" && !defined.contains(input) {
        throw GraphError(node, "reads '\(input)', which nothing before it defines")
      }
      for output in node.outputs where !defined.insert(output).inserted {
        throw GraphError(node, "writes '\(output)', which is already defined")
      }
    }
    var outputNames: Set<String> = []
    for output in outputs {
      guard defined.contains(output.name) else {
        throw GraphError("output '\(output.name)'", "is not computed by any node")
      }
      guard outputNames.insert(output.name).inserted else {
        throw GraphError("output '\(output.name)'", "is listed twice")
      }
    }
    guard !outputs.isEmpty else { throw GraphError("graph '\(name)'", "has no outputs") }
  }

  /// The same graph with every node after those it reads; nodes already in order keep their places.
  ///
  /// - Throws: ``GraphError`` when nodes wait for each other in a circle, or for what nobody gives.
  public func sorted() throws(GraphError) -> Graph {
    var origins: [String: Int] = [:]
    for (index, node) in nodes.enumerated() {
      for output in node.outputs where origins.updateValue(index, forKey: output) != nil {
        throw GraphError(node, "writes '\(output)', which is already defined")
      }
    }
    // A ready node with the lowest place goes first, so that an ordered list stays as it is.
    var waiting = nodes.map { Set($0.inputs.compactMap { origins[$0] }).count }
    var readers = [[Int]](repeating: [], count: nodes.count)
    for (index, node) in nodes.enumerated() {
      for origin in Set(node.inputs.compactMap({ origins[$0] })) { readers[origin].append(index) }
    }
    var order: [Int] = []
    var done = [Bool](repeating: false, count: nodes.count)
    for index in nodes.indices {
      var ready = waiting[index] == 0 && !done[index] ? [index] : []
      while let next = ready.popLast() {
        done[next] = true
        order.append(next)
        for reader in readers[next].sorted(by: >) {
          waiting[reader] -= 1
          // Later nodes are reached by the outer loop; earlier ones were passed over, waiting.
          if waiting[reader] == 0 && reader < index { ready.append(reader) }
        }
      }
    }
    if let stuck = nodes.indices.first(where: { !done[$0] }) {
      throw GraphError(nodes[stuck], "waits for its own result: the graph has a circle")
    }
    var result = self
    result.nodes = order.map { nodes[$0] }
    return result
  }
}
