import Tensors

/// Brings the nodes of a file into the one form that the rest of Equant knows.
///
/// Exporters say the same in many ways, which differ between operator sets too. What is said about
/// shapes is worked out as far as it can be without knowing the batch; what remains is rewritten
/// into few operators: `Dropout` disappears, `Split` becomes slices, a mean over height and width
/// is a `GlobalAveragePool`, `Squeeze` and the usual `Reshape` of an image are a `Flatten`, a
/// `MatMul` with a constant is a `Gemm`.
struct ONNXImporter {
  /// A node as it stands in a file.
  struct RawNode {
    var name: String
    var type: String
    var inputs: [String]
    var outputs: [String]
    var attributes: [String: Attribute]
  }

  /// The operators that become others, or nothing, on reading.
  static let rewritten: Set<String> = [
    "Dropout", "ReduceMean", "Squeeze", "Unsqueeze", "Shape", "ConstantOfShape", "Split", "MatMul",
    "Sub", "Div", "Erf", "Expand", "Equal", "Where", "Sqrt", "Mod",
  ]

  var graph: Graph
  let opset: Int
  let outputs: Set<String>
  /// How many nodes read each tensor.
  let readers: [String: Int]
  var values: [String: Value] = [:]
  /// Whole numbers about shapes; `nil` where one depends on the batch.
  var numbers: [String: [Int?]] = [:]
  /// What is read in place of a tensor whose node is left out.
  var origins: [String: String] = [:]
  /// Constants that are repeated for every image, by the name of the result.
  var stretched: [String: Tensor] = [:]
  /// The `Gemm` that makes each product of rows, and the `Reshape` that gives them their axes back.
  var products: [String: RowProduct] = [:]
  /// Images padded by nodes that only one convolution reads: the image, height and width's pads.
  var padded: [String: (source: String, pads: [Int])] = [:]

  /// An importer of nodes into `graph`, which has its inputs and constants already.
  init(_ graph: Graph, opset: Int, outputs: Set<String>, readers: [String: Int] = [:]) {
    self.graph = graph
    self.opset = opset
    self.outputs = outputs
    self.readers = readers
    for input in graph.inputs { values[input.name] = input }
    for (name, tensor) in graph.initializers {
      values[name] = Value(name, tensor.elementType, shape: tensor.shape)
    }
  }

  mutating func append(_ given: RawNode) throws(GraphError) {
    var node = given
    guard !node.outputs.isEmpty else { throw fail(node, "has no outputs") }
    node.inputs = node.inputs.map { origins[$0] ?? $0 }
    if computeNumbers(node) || computeScalar(node) || computeTable(node) { return }
    unpad(&node)
    switch node.type {
    case "Dropout": forward(node)
    case "Cast" where isCopy(node): forward(node)
    case "Pad": try appendPad(node)
    case "Resize": try appendResize(node)
    case "Expand": try appendExpand(node)
    case "Concat": try appendConcatenation(node)
    case "Gather" where isActivation(node.inputs.first): try appendGather(node)
    case "Add" where addsBias(node): addBias(node)
    case "Gelu" where movesToRows(node), "Relu" where movesToRows(node): moveToRows(node)
    case "Erf": throw fail(node, "outside of a Gelu is not supported")
    case "Reshape": try appendReshape(node)
    case "Squeeze", "Unsqueeze": try appendAxes(node)
    case "ReduceMean": try appendMean(node)
    case "Split": try appendSplit(node)
    case "Slice": try appendSlices(node)
    case "MatMul": try appendProduct(node)
    case "Sub", "Div": try appendInverse(node)
    case "PRelu" where isOneSlope(node): appendSlope(node)
    case "ConstantOfShape": try appendFilled(node)
    default:
      guard let operation = Operation(rawValue: node.type) else {
        throw fail(node, "of a tensor that is not a shape is not supported")
      }
      append(operation, node)
      if operation == .gelu { graph.opset = max(graph.opset, 20) }
    }
  }

  func fail(_ node: RawNode, _ problem: String) -> GraphError {
    GraphError("node '\(node.name)' (\(node.type))", problem)
  }

  /// Lets what follows read the node's first input instead of its result.
  mutating func forward(_ node: RawNode) {
    guard let input = node.inputs.first, let output = node.outputs.first else { return }
    if outputs.contains(output) {
      append(.identity, node, inputs: [input], outputs: [output], attributes: [:])
    } else {
      origins[output] = input
    }
  }

  mutating func append(
    _ operation: Operation, _ node: RawNode, inputs: [String]? = nil, outputs: [String]? = nil,
    attributes: [String: Attribute]? = nil
  ) {
    let made = Node(
      node.name, operation, inputs: inputs ?? node.inputs, outputs: outputs ?? node.outputs,
      attributes: attributes ?? node.attributes)
    graph.nodes.append(made)
    guard (try? Signature(operation).check(made)) != nil,
      let result = try? ShapeInference(node: made, values: values, constants: graph.initializers)
        .result()
    else { return }  // What is wrong is said when the whole graph is checked.
    values[made.outputs[0]] = Value(made.outputs[0], result.type, shape: result.shape)
  }

  /// Adds a constant and gives its name.
  mutating func constant(_ name: String, _ tensor: Tensor) -> String {
    if graph.initializers[name] == tensor { return name }
    let free = graph.initializers[name] == nil && values[name] == nil ? name : "\(name).constant"
    graph.initializers[free] = tensor
    values[free] = Value(free, tensor.elementType, shape: tensor.shape)
    return free
  }

  func shape(_ node: RawNode, _ index: Int = 0) throws(GraphError) -> [Int?] {
    guard node.inputs.indices.contains(index), let value = values[node.inputs[index]] else {
      throw fail(node, "reads a tensor whose shape is not known")
    }
    return value.shape
  }

  /// The whole numbers of attribute `key` or, in newer operator sets, of input `index`.
  func list(_ node: RawNode, _ key: String, input index: Int) throws(GraphError) -> [Int]? {
    if case .ints(let values)? = node.attributes[key] { return values }
    guard node.inputs.indices.contains(index), node.inputs[index] != "" else { return nil }
    guard let known = wholes(node.inputs[index]) else {
      throw fail(node, "its \(key) '\(node.inputs[index])' are not constants")
    }
    return try known.map { value throws(GraphError) in
      guard let value else { throw fail(node, "its \(key) depend on the batch") }
      return value
    }
  }

  /// Whether a cast leaves a tensor's type as it is; all reals are `float32` here.
  private func isCopy(_ node: RawNode) -> Bool {
    guard let input = node.inputs.first.flatMap({ values[$0] }),
      graph.initializers[input.name] == nil, case .int(let code)? = node.attributes["to"],
      let code = Int32(exactly: code)
    else { return false }
    return ElementType(onnx: code)?.widened == input.elementType
  }
}
