import Tensors

/// Operators that are others with another constant.
extension ONNXImporter {
  mutating func appendMean(_ node: RawNode) throws(GraphError) {
    let rank = try shape(node).count
    let axes = try list(node, "axes", input: 1)?.map { $0 < 0 ? $0 &+ rank : $0 }.sorted()
    let isChannelsLast = axes == [1, 2]
    guard rank == 4, isChannelsLast || axes == [2, 3] else {
      throw fail(
        node, "averages axes \(axes ?? []) of \(rank); only height and width are supported")
    }
    let result = node.outputs[0]
    func step(_ part: String) -> RawNode {
      var own = node
      own.name += "_\(part)"
      return own
    }
    var images = node.inputs[0]
    if isChannelsLast {
      let planes = "\(result).planes"
      append(
        .transpose, step("planes"), inputs: [images], outputs: [planes],
        attributes: ["perm": .ints([0, 3, 1, 2])])
      images = planes
    }
    let keepsAxes = node.attributes["keepdims"] != .int(0)
    if keepsAxes && !isChannelsLast {
      return append(.globalAveragePool, node, inputs: [images], attributes: [:])
    }
    let mean = "\(result).mean"
    append(.globalAveragePool, node, inputs: [images], outputs: [mean], attributes: [:])
    if keepsAxes {
      append(
        .transpose, step("last"), inputs: [mean], attributes: ["perm": .ints([0, 2, 3, 1])])
    } else {
      append(.flatten, step("flat"), inputs: [mean], attributes: ["axis": .int(1)])
    }
  }

  /// Subtracting and dividing by a constant are adding and multiplying by another one.
  mutating func appendInverse(_ node: RawNode) throws(GraphError) {
    guard node.inputs.count == 2, let tensor = graph.initializers[node.inputs[1]],
      tensor.elementType == .float32
    else {
      throw fail(node, "by what is not a float32 constant is not supported")
    }
    let isDivision = node.type == "Div"
    let inverse = tensor.floats.map { isDivision ? 1 / $0 : -$0 }
    let name = constant("\(node.outputs[0]).operand", Tensor(shape: tensor.shape, inverse))
    append(isDivision ? .multiply : .add, node, inputs: [node.inputs[0], name])
  }

  func isOneSlope(_ node: RawNode) -> Bool {
    guard node.inputs.count == 2, let slope = graph.initializers[node.inputs[1]],
      slope.elementType == .float32, let first = slope.floats.first
    else { return false }
    return slope.floats.allSatisfy { $0 == first }
  }

  mutating func appendSlope(_ node: RawNode) {
    let slope = graph.initializers[node.inputs[1]]?.floats.first ?? 0
    append(.leakyRelu, node, inputs: [node.inputs[0]], attributes: ["alpha": .float(slope)])
  }

  mutating func appendFilled(_ node: RawNode) throws(GraphError) {
    guard let name = node.inputs.first, let wanted = wholes(name) else {
      throw fail(node, "its shape is not known before the model runs")
    }
    let shape = wanted.compactMap(\.self)
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow, product <= 1 << 20 else {
        throw fail(node, "makes a constant of shape \(describe(wanted)), which is too large")
      }
      count = product
    }
    guard shape.count == wanted.count else { throw fail(node, "its shape depends on the batch") }
    var value = Tensor(scalar: Float(0))
    if case .tensor(let given)? = node.attributes["value"], given.count == 1,
      given.elementType.bits >= 8
    {
      value = given
    }
    graph.initializers[node.outputs[0]] = Tensor(
      shape: shape, elementType: value.elementType,
      bytes: (0..<count).flatMap { _ in value.bytes })
    values[node.outputs[0]] = Value(node.outputs[0], value.elementType, shape: shape)
  }
}
