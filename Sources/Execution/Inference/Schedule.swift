import Graphs

extension Graph {
  /// The nodes the outputs need, in an order in which a sum comes right after its longest operand.
  ///
  /// The kernel of that operand can then add the others while its result is in registers.
  func scheduled() -> [Node] {
    var producer: [String: Int] = [:]
    var depth: [Int] = []
    for (i, node) in nodes.enumerated() {
      depth.append(1 + (node.inputs.compactMap { producer[$0] }.map { depth[$0] }.max() ?? 0))
      for output in node.outputs { producer[output] = i }
    }
    var result: [Node] = []
    var visited = Array(repeating: false, count: nodes.count)
    // Pairs of a node and whether its operands are done; a stack, as graphs can be deep.
    var stack = outputs.reversed().compactMap { producer[$0.name] }.map { ($0, false) }
    while let (node, ready) = stack.popLast() {
      if ready {
        result.append(nodes[node])
      } else if !visited[node] {
        visited[node] = true
        stack.append((node, true))
        let operands = nodes[node].inputs.compactMap { producer[$0] }
        // The deepest is pushed first and so visited last.
        stack += operands.enumerated()
          .sorted { (depth[$0.element], $0.offset) > (depth[$1.element], $1.offset) }
          .map { ($0.element, false) }
      }
    }
    return result
  }
}
