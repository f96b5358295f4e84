import Execution
import GraphReference
import Graphs
import Tensors
import Testing

@Suite struct InferenceOperatorTests {
  /// Property: convolutions of any shape agree with the plain loops.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func `a convolution agrees with the plain loops`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let groups = random.below(3) == 0 ? 1 + random.below(4) : 1
    let inputs = groups * (1 + random.below(20))
    let outputs = groups * (1 + random.below(24))
    let kernel = [1 + random.below(4), 1 + random.below(4)]
    let image = [5 + random.below(12), 5 + random.below(12)]
    var builder = GraphBuilder(input: [1 + random.below(3), inputs] + image)
    let attributes: [String: Attribute] = [
      "strides": .ints([1 + random.below(3), 1 + random.below(3)]),
      "dilations": random.below(3) == 0 ? .ints([2, 1]) : .ints([1, 1]),
      "pads": .ints((0..<4).map { random.below(1 + kernel[$0 % 2]) }),
    ]
    var x = builder.convolution(
      "input", from: inputs, to: outputs, kernel: kernel, groups: groups, attributes,
      using: &random)
    if random.below(2) == 0 { x = builder.normalization(x, outputs, using: &random) }
    if random.below(2) == 0 { x = builder.add(.relu, [x]) }
    if random.below(3) == 0 { x = builder.normalization(x, outputs, using: &random) }
    let graph = try builder.finished([x])
    try agree(graph, using: &random)
  }

  /// Property: poolings of any shape agree with the plain loops.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func `a pooling agrees with the plain loops`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let kernel = [2 + random.below(3), 2 + random.below(3)]
    var builder = GraphBuilder(
      input: [1 + random.below(3), 1 + random.below(40), 6 + random.below(9), 6 + random.below(9)])
    var attributes: [String: Attribute] = [
      "kernel_shape": .ints(kernel),
      "strides": .ints([1 + random.below(3), 1 + random.below(3)]),
      "pads": .ints((0..<4).map { random.below(kernel[$0 % 2]) }),
      "ceil_mode": .int(random.below(2)),
    ]
    let operation: Operation = random.below(2) == 0 ? .maxPool : .averagePool
    if operation == .averagePool, random.below(2) == 0 {
      attributes["count_include_pad"] = .int(1)
      attributes["ceil_mode"] = .int(0)
    }
    let x = builder.add(operation, ["input"], attributes)
    try agree(builder.finished([x]), using: &random)
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func `a head agrees with the plain loops`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let (channels, classes) = (1 + random.below(70), 1 + random.below(12))
    let image = [1 + random.below(6), 1 + random.below(6)]
    var builder = GraphBuilder(input: [1 + random.below(5), channels] + image)
    let pools = random.below(2) == 0
    var x = pools ? builder.add(.globalAveragePool, ["input"]) : "input"
    x = builder.add(.flatten, [x])
    let features = pools ? channels : channels * image[0] * image[1]
    let transposed = random.below(2)
    let shape = transposed == 1 ? [classes, features] : [features, classes]
    let weights = builder.constant(.random(shape, scale: 0.1, using: &random))
    let bias = builder.constant(.random(random.below(2) == 0 ? [classes] : [1], using: &random))
    x = builder.add(
      .gemm, [x, weights, bias],
      ["transB": .int(transposed), "alpha": .float(0.5), "beta": .float(2)])
    let logits = x
    if random.below(2) == 0 { x = builder.add(.softmax, [x], ["axis": .int(1)]) }
    try agree(builder.finished(x == logits ? [x] : [x, logits]), using: &random)
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func `a sum agrees with the plain loops`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let shape = [2, 1 + random.below(20), 1 + random.below(5), 1 + random.below(5)]
    var builder = GraphBuilder(input: shape)
    let other: String
    switch random.below(5) {
    case 0: other = builder.constant(.random([shape[1], 1, 1], using: &random))
    case 1: other = builder.constant(.random([1], using: &random))
    case 2: other = builder.constant(.random(Array(shape[1...]), using: &random))
    case 3: other = builder.add(.relu, ["input"])
    default: other = "input"
    }
    var x = random.below(2) == 0 ? ["input", other] : [other, "input"]
    x = [builder.add(.add, x)]
    if random.below(2) == 0 { x = [builder.add(.relu, x)] }
    if random.below(2) == 0 { x = [builder.normalization(x[0], shape[1], using: &random)] }
    try agree(builder.finished(x), using: &random)
  }

  @Test func `an input that is an output too is given back`() throws {
    var builder = GraphBuilder(input: [2, 3, 4, 5])
    let x = builder.add(.identity, ["input"])
    let y = builder.add(.relu, [x])
    var random = SplitMix64(seed: 3)
    try agree(builder.finished([x, y, "input"]), using: &random)
  }

  /// Functions of each element, alone and behind a convolution.
  @Test(arguments: 0..<12 as Range<UInt64>)
  func `functions of each element`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let channels = 1 + random.below(20)
    let shape = [2, channels, 5, 4]
    var builder = GraphBuilder(input: shape)
    var x = "input"
    if seed % 2 == 0 {
      x = builder.convolution(
        x, from: channels, to: channels, kernel: [3, 3], groups: channels,
        ["pads": .ints([1, 0, 0, 1])], using: &random)
    }
    switch seed / 2 {
    case 0:
      let (low, high) = (Tensor(scalar: Float(0)), Tensor(scalar: Float(0.5)))
      x = builder.add(.clip, [x, builder.constant(low), builder.constant(high)])
    case 1: x = builder.add(.leakyRelu, [x], ["alpha": .float(0.1)])
    case 2: x = builder.add(.hardSwish, [x])
    case 3: x = builder.add(.hardSigmoid, [x], ["alpha": .float(0.3)])
    case 4: x = builder.add(.multiply, [x, builder.add(.sigmoid, [x])])
    default:
      let gate = builder.add(.sigmoid, [builder.add(.globalAveragePool, [x])])
      x = builder.add(.multiply, random.below(2) == 0 ? [x, gate] : [gate, x])
      x = builder.add(.multiply, [x, builder.constant(Tensor(scalar: Float(3)))])
    }
    try agree(builder.finished([x]), using: &random)
  }

  /// A ShuffleNet's unit: halves of the channels, put together and dealt out in turn.
  @Test(arguments: [false, true])
  func `channels are sliced, joined and shuffled`(isDeclared: Bool) throws {
    var random = SplitMix64(seed: 9)
    var builder = GraphBuilder(input: [2, 12, 3, 5])
    func numbers(_ values: [Int]) -> String {
      builder.constant(Tensor(shape: [values.count], values.map { Int64($0) }))
    }
    let parts = [(0, 4), (4, 12)].map { from, to in
      builder.add(.slice, ["input", numbers([from]), numbers([to]), numbers([1])])
    }
    let relu = builder.add(.relu, [parts[1]])
    let whole = builder.add(.concatenate, [relu, parts[0]], ["axis": .int(1)])
    let split = builder.add(.reshape, [whole, numbers([0, 3, 4, 3, 5])])
    let turned = builder.add(.transpose, [split], ["perm": .ints([0, 2, 1, 3, 4])])
    let joined = builder.add(.reshape, [turned, numbers([0, 12, 3, 5])])
    // As an output, the tensor in the middle keeps the three steps apart.
    let names = isDeclared ? [joined, turned, whole] : [joined]
    try agree(builder.finished(names), using: &random)
  }

  /// Padding of whatever lies anywhere, then a convolution that reads it.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func `a padding agrees with the plain loops`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let channels = 1 + random.below(20)
    var builder = GraphBuilder(input: [2, channels, 5, 4])
    var pads = (0..<8).map { _ in Int64(random.below(3)) }
    if seed % 2 == 0 { (pads[0], pads[1], pads[4], pads[5]) = (0, 0, 0, 0) }
    var inputs = [
      seed % 4 < 2 ? "input" : builder.add(.relu, ["input"]),
      builder.constant(Tensor(shape: [8], pads)),
    ]
    if random.below(2) == 0 { inputs.append(builder.constant(Tensor(scalar: Float(-1.5)))) }
    var x = builder.add(.pad, inputs)
    let padded = x
    let wide = channels + Int(pads[1] + pads[5])
    x = builder.convolution(x, from: wide, to: 3, kernel: [2, 2], using: &random)
    try agree(builder.finished([x, padded]), using: &random)
  }

  @Test(arguments: 0..<6 as Range<UInt64>)
  func `slopes of channels agree with the plain loops`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let channels = 1 + random.below(20)
    var builder = GraphBuilder(input: [2, channels, 3, 5])
    let shape = [[channels, 1, 1], [1, channels, 1, 1], [1]][Int(seed % 3)]
    var x = builder.convolution(
      "input", from: channels, to: channels, kernel: [1, 1], using: &random)
    x = builder.add(.pRelu, [x, builder.constant(.random(shape, using: &random))])
    try agree(builder.finished([x]), using: &random)
  }

  @Test(
    arguments: ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"],
    ["nearest", "floor", "linear"])
  func `resizing agrees with the plain loops`(place: String, mode: String) throws {
    var random = SplitMix64(seed: 4)
    for scales in [[1, 1, 2, 3], [1, 1, 0.5, 1.75], [1, 1, 0.2, 0.34]] as [[Float]] {
      var builder = GraphBuilder(input: [2, 5, 6, 7])
      let relu = builder.add(.relu, ["input"])
      let x = builder.add(
        .resize, [relu, "", builder.constant(Tensor(shape: [4], scales))],
        [
          "mode": .string(mode == "linear" ? "linear" : "nearest"),
          "coordinate_transformation_mode": .string(place),
          "nearest_mode": .string(mode == "floor" ? "floor" : "round_prefer_floor"),
        ])
      try agree(builder.finished([x]), using: &random)
    }
  }

  /// Attention of two heads with everything around it, on rows that come from an image.
  @Test(arguments: 0..<4 as Range<UInt64>)
  func `a transformer's block agrees with the plain loops`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var builder = GraphBuilder(input: [2, 8, 3, 4])
    func numbers(_ values: [Int]) -> String {
      builder.constant(Tensor(shape: [values.count], values.map { Int64($0) }))
    }
    func vector(_ count: Int) -> String { builder.constant(.random([count], using: &random)) }
    var x = builder.convolution("input", from: 8, to: 8, kernel: [1, 1], using: &random)
    x = builder.add(.reshape, [x, numbers([0, 8, 12])])
    x = builder.add(.transpose, [x], ["perm": .ints([0, 2, 1])])
    let normal = builder.add(
      .layerNormalization, [x, vector(8), vector(8)], ["axis": .int(-1), "epsilon": .float(1e-6)])
    func heads(_ order: [Int]) -> String {
      let rows = builder.add(.reshape, [normal, numbers([-1, 8])])
      let weights = builder.constant(.random([8, 8], scale: 0.4, using: &random))
      let product = builder.add(.gemm, [rows, weights, vector(8)], ["transB": .int(1)])
      let split = builder.add(.reshape, [product, numbers([-1, 12, 2, 4])])
      return builder.add(.transpose, [split], ["perm": .ints(order)])
    }
    let (q, k, v) = (heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3]))
    let scaled = builder.add(.multiply, [q, builder.constant(Tensor(scalar: Float(0.5)))])
    let scores = builder.add(.matMul, [scaled, k])
    let shares = builder.add(.softmax, [scores], ["axis": .int(-1)])
    let mixed = builder.add(
      .transpose, [builder.add(.matMul, [shares, v])], ["perm": .ints([0, 2, 1, 3])])
    let joined = builder.add(.reshape, [mixed, numbers([-1, 12, 8])])
    let sum = builder.add(.add, [joined, x])
    let kind = seed % 2 == 0 ? "none" : "tanh"
    let gelu = builder.add(.gelu, [sum], ["approximate": .string(kind)])
    try agree(builder.finished([gelu, scores]), using: &random)
  }

  /// A ConvNeXt's block: images, rows with the channels last, and back.
  @Test func `rows with channels last agree with the plain loops`() throws {
    var random = SplitMix64(seed: 2)
    var builder = GraphBuilder(input: [2, 6, 5, 4])
    func numbers(_ values: [Int]) -> String {
      builder.constant(Tensor(shape: [values.count], values.map { Int64($0) }))
    }
    let image = builder.convolution("input", from: 6, to: 6, kernel: [1, 1], using: &random)
    var x = builder.add(.transpose, [image], ["perm": .ints([0, 2, 3, 1])])
    x = builder.add(
      .layerNormalization,
      [x, builder.constant(.random([6], using: &random))])
    x = builder.add(.reshape, [x, numbers([-1, 6])])
    x = builder.add(.gemm, [x, builder.constant(.random([6, 9], using: &random))])
    x = builder.add(.gelu, [x])
    x = builder.add(.gemm, [x, builder.constant(.random([9, 6], using: &random))])
    x = builder.add(.reshape, [x, numbers([-1, 5, 4, 6])])
    x = builder.add(.transpose, [x], ["perm": .ints([0, 3, 1, 2])])
    x = builder.add(.multiply, [x, builder.constant(.random([6, 1, 1], using: &random))])
    x = builder.add(.add, [x, image])
    try agree(builder.finished([x]), using: &random)
  }

  private func agree(_ graph: Graph, using random: inout SplitMix64) throws {
    let shape = graph.inputs[0].shape.compactMap(\.self)
    let input = Tensor.random(shape, using: &random)
    let (found, expected) = (try compiled(graph, input), try reference(graph, input))
    for output in graph.outputs {
      #expect(difference(found[output.name], expected[output.name]) < 1e-5, "\(output.name)")
    }
    // What oneDNN has no kernels for is not tested.
    guard Precision.bfloat16.runs() else { return }
    let coarse = try compiled(graph, input, precision: .bfloat16)
    for output in graph.outputs {
      // bfloat16 keeps 8 bits; the results of several roundings stay within a few of 2^-8.
      #expect(difference(coarse[output.name], expected[output.name]) < 0.03, "\(output.name)")
    }
  }
}
