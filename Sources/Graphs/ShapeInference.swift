import Tensors

/// What one node makes of the shapes it is given.
struct ShapeInference {
  var node: Node
  var values: [String: Value]
  var constants: [String: Tensor]

  /// Longer axes are refused, so that sums over axes cannot overflow.
  static let largestExtent = 1 << 40
  /// Larger tensors are refused, so that their sizes in bits cannot overflow.
  static let largestCount = 1 << 48

  typealias Result = (type: ElementType, shape: [Int?])

  /// The type and shape of the node's result.
  func result() throws(GraphError) -> Result {
    let result = try infer()
    var count = 1
    for extent in result.shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent ?? 1)
      guard !overflow, product <= Self.largestCount, (extent ?? 0) <= Self.largestExtent else {
        throw fail("its result would have the shape \(describe(result.shape)), which is too large")
      }
      count = product
    }
    return result
  }

  private func infer() throws(GraphError) -> Result {
    switch node.operation {
    case .convolution: try convolution()
    case .batchNormalization: try batchNormalization()
    case .relu: try number(0)
    case .identity: try any(0)
    // Real numbers flow through a network; whole ones are added where weights are unpacked.
    case .add: try any(0).type == .int32 ? elementwise() : broadcast(number(0), number(1))
    case .maxPool, .averagePool: try pool()
    case .globalAveragePool: try globalPool()
    case .flatten: try flatten()
    case .gemm: try gemm()
    case .softmax: try softmax()
    case .quantizeLinear: try quantize()
    case .dequantizeLinear: try dequantize()
    case .multiply, .bitwiseAnd, .bitwiseOr, .bitShift: try elementwise()
    case .cast: try cast()
    case .reshape: try reshape()
    case .slice: try slice()
    case .gather: try gather()
    case .gatherElements: try gatherElements()
    case .cumulativeSum: try any(0)
    case .leakyRelu, .sigmoid, .hardSigmoid, .hardSwish: try number(0)
    case .clip: try clip()
    case .logSoftmax: try softmax()
    case .concatenate: try concatenate()
    case .transpose: try transpose()
    case .pad: try pad()
    case .pRelu: try slopes()
    case .resize: try resize()
    case .layerNormalization: try layerNormalization()
    case .gelu: try gelu()
    case .matMul: try matMul()
    }
  }

  private func convolution() throws(GraphError) -> Result {
    let x = try number(0, rank: 4, "[batch, channels, height, width]")
    let weights = try number(1, rank: 4, "[outputs, channels per group, height, width]")
    let (outputs, perGroup) = (weights.shape[0], weights.shape[1])
    let group = node.int("group", default: 1)
    guard group >= 1, group <= Self.largestExtent else {
      throw fail("group is \(group), expected at least 1")
    }
    if let channels = x.shape[1], let perGroup {
      let (expected, overflow) = perGroup.multipliedReportingOverflow(by: group)
      guard !overflow, expected == channels else {
        throw fail(
          "input '\(node.inputs[0])' has \(channels) channels, but the weights "
            + "'\(node.inputs[1])' expect \(perGroup) in each of \(group) groups")
      }
    }
    if let outputs, outputs % group != 0 {
      throw fail("\(outputs) output channels cannot be split into \(group) groups")
    }
    try parameter(2, count: outputs, "outputs")
    let kernel = weights.shape[2...].compactMap(\.self)
    let window = try Window(node, kernel: kernel.count == 2 ? kernel : nil)
    return (x.type, [x.shape[0], outputs] + (try spatial(x.shape, window)))
  }

  private func pool() throws(GraphError) -> Result {
    let x = try number(0, rank: 4, "[batch, channels, height, width]")
    let window = try Window(node)
    for axis in 0..<2
    where window.padsBegin[axis] >= window.kernel[axis] * window.dilations[axis]
      || window.padsEnd[axis] >= window.kernel[axis] * window.dilations[axis]
    {
      throw fail("pads \(window.padsBegin + window.padsEnd) are not smaller than the kernel")
    }
    guard node.int("storage_order", default: 0) == 0 else {
      throw fail("storage_order 1 is not supported")
    }
    return (x.type, [x.shape[0], x.shape[1]] + (try spatial(x.shape, window)))
  }

  private func globalPool() throws(GraphError) -> Result {
    let x = try number(0, rank: 4, "[batch, channels, height, width]")
    return (x.type, [x.shape[0], x.shape[1], 1, 1])
  }

  private func batchNormalization() throws(GraphError) -> Result {
    let x = try number(0)
    guard x.shape.count >= 2 else { throw rankError(0, x.shape, "at least 2 axes") }
    guard node.int("training_mode", default: 0) == 0 else {
      throw fail("training_mode is 1; export the model in evaluation mode")
    }
    for index in 1...4 { try parameter(index, count: x.shape[1], "channels") }
    return x
  }

  private func flatten() throws(GraphError) -> Result {
    let x = try any(0)
    let rank = x.shape.count
    let axis = node.int("axis", default: 1)
    guard -rank...rank ~= axis else {
      throw fail("axis is \(axis), expected -\(rank) to \(rank)")
    }
    let split = axis < 0 ? axis + rank : axis
    return (x.type, [try product(x.shape[..<split]), try product(x.shape[split...])])
  }

  private func gemm() throws(GraphError) -> Result {
    let a = try number(0, rank: 2, "a matrix")
    let b = try number(1, rank: 2, "a matrix")
    let aShape = node.int("transA", default: 0) == 0 ? a.shape : a.shape.reversed()
    let bShape = node.int("transB", default: 0) == 0 ? b.shape : b.shape.reversed()
    guard agree([aShape[1]], [bShape[0]]) else {
      throw fail(
        "'\(node.inputs[0])' has rows of \(describe([aShape[1]])), but '\(node.inputs[1])' "
          + "takes rows of \(describe([bShape[0]]))")
    }
    let result: Result = (a.type, [aShape[0], bShape[1]])
    if try optional(2) != nil {
      let bias = try number(2)
      let both = try broadcast(result, bias)
      guard agree(both.shape, result.shape), bias.shape.count <= 2 else {
        throw fail(
          "'\(node.inputs[2])' has the shape \(describe(bias.shape)), which does not stretch to "
            + describe(result.shape))
      }
    }
    return result
  }

  private func softmax() throws(GraphError) -> Result {
    let x = try number(0)
    _ = try axis(of: x.shape, default: -1)
    return x
  }

  private func quantize() throws(GraphError) -> Result {
    let x = try number(0)
    try scales(for: x.shape)
    return (try optional(2)?.elementType ?? .uint8, x.shape)
  }

  private func dequantize() throws(GraphError) -> Result {
    let x = try any(0)
    let allowed: [ElementType] = [
      .int8, .uint8, .int16, .uint16, .int32, .int4, .uint4, .int2, .uint2,
    ]
    guard allowed.contains(x.type) else {
      throw fail("input '\(node.inputs[0])' is \(x.type), expected a quantized type")
    }
    try scales(for: x.shape)
    if let zero = try optional(2), zero.elementType != x.type {
      throw fail(
        "zero point '\(node.inputs[2])' is \(zero.elementType), but the input is \(x.type)")
    }
    return (.float32, x.shape)
  }

  /// One scale for the whole tensor, or one for every index of `axis`; zero points alike.
  private func scales(for shape: [Int?]) throws(GraphError) {
    let scale = try number(1)
    guard node.int("block_size", default: 0) == 0 else {
      throw fail("scales for blocks are not supported")
    }
    let one = scale.shape.isEmpty || scale.shape == [1]
    if !one {
      guard scale.shape.count == 1 else { throw rankError(1, scale.shape, "one axis or none") }
      let axis = try axis(of: shape, default: 1)
      try parameter(1, count: shape[axis], "extent of axis \(axis)")
    }
    if let zero = try optional(2), !agree(zero.shape, scale.shape) {
      throw fail(
        "scale and zero point have the shapes \(describe(scale.shape)) and "
          + "\(describe(zero.shape)), expected equal ones")
    }
  }
}

extension ShapeInference {
  func fail(_ problem: String) -> GraphError { GraphError(node, problem) }

  /// Input `index`, or `nil` where it is left out.
  func optional(_ index: Int) throws(GraphError) -> Value? {
    guard node.inputs.indices.contains(index), node.inputs[index] != "" else { return nil }
    return values[node.inputs[index]]
  }

  func any(_ index: Int) throws(GraphError) -> Result {
    guard let value = try optional(index) else { throw fail("input \(index) is missing") }
    return (value.elementType, value.shape)
  }

  /// Input `index`, which must hold `float32`; half-precision numbers were widened on reading.
  func number(_ index: Int) throws(GraphError) -> Result {
    let result = try any(index)
    guard result.type == .float32 else {
      throw fail("input '\(node.inputs[index])' is \(result.type), expected float32")
    }
    return result
  }

  func number(
    _ index: Int, rank: Int, _ meaning: String
  ) throws(GraphError) -> Result {
    let result = try number(index)
    guard result.shape.count == rank else { throw rankError(index, result.shape, meaning) }
    return result
  }

  func rankError(_ index: Int, _ shape: [Int?], _ expected: String) -> GraphError {
    fail("input '\(node.inputs[index])' has the shape \(describe(shape)), expected \(expected)")
  }

  /// Checks that optional input `index` is one number for each of `count` things.
  func parameter(_ index: Int, count: Int?, _ what: String) throws(GraphError) {
    guard let value = try optional(index) else { return }
    guard value.elementType == .float32, agree(value.shape, [count]) else {
      throw fail(
        "input '\(value.name)' is \(value.elementType) \(describe(value.shape)), expected float32 "
          + "\(describe([count])), one for each of the \(what)")
    }
  }

  func axis(of shape: [Int?], default standard: Int) throws(GraphError) -> Int {
    let axis = node.int("axis", default: standard)
    guard (-shape.count..<shape.count).contains(axis) else {
      throw fail("axis is \(axis), but the input has \(shape.count) axes")
    }
    return axis < 0 ? axis + shape.count : axis
  }

  private func spatial(_ shape: [Int?], _ window: Window) throws(GraphError) -> [Int?] {
    var result: [Int?] = []
    for axis in 0..<2 {
      guard let extent = shape[axis + 2] else {
        result.append(nil)
        continue
      }
      guard let count = window.outputExtent(extent, axis: axis), count >= 1 else {
        throw fail(
          "input '\(node.inputs[0])' of shape \(describe(shape)) is smaller than the kernel "
            + "\(window.kernel) with pads \(window.padsBegin + window.padsEnd)")
      }
      result.append(count)
    }
    return result
  }

  func product(_ extents: some Collection<Int?>) throws(GraphError) -> Int? {
    var result = 1
    for extent in extents {
      guard let extent else { return nil }
      let (product, overflow) = result.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw fail("the product of \(describe(Array(extents))) is too large") }
      result = product
    }
    return result
  }

  /// Stretches extents of 1, and axes that one side lacks, as NumPy does.
  func broadcast(_ a: Result, _ b: Result) throws(GraphError) -> Result {
    let rank = max(a.shape.count, b.shape.count)
    func padded(_ shape: [Int?]) -> [Int?] {
      Array(repeating: 1, count: rank - shape.count) + shape
    }
    var shape: [Int?] = []
    for (x, y) in zip(padded(a.shape), padded(b.shape)) {
      switch (x, y) {
      case (1, _): shape.append(y)
      case (_, 1): shape.append(x)
      case (nil, _): shape.append(y)
      case (_, nil): shape.append(x)
      case (let x, let y) where x == y: shape.append(x)
      default:
        throw fail(
          "the shapes \(describe(a.shape)) and \(describe(b.shape)) do not stretch to each other")
      }
    }
    return (a.type, shape)
  }
}
