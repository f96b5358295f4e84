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
