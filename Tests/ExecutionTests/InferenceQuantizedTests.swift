import GraphReference
import Graphs
import Tensors
import Testing

@testable import Execution

@Suite struct InferenceQuantizedTests {
  /// Where pairs stand: as Equant writes them, as ONNX Runtime does, and anywhere.
  enum Placement: String, CaseIterable, Sendable { case fused, everywhere, anywhere, unfolded }

  /// Property: whatever is quantized where, results are those of ONNX's definitions.
  @Test(arguments: Placement.allCases, 0..<12 as Range<UInt64>)
  func `agrees with the plain loops to one step`(placement: Placement, seed: UInt64) throws {
    let (graph, input, scale) = try quantized(placement, seed: seed)
    let expected = try reference(graph, input)
    let found = try compiled(graph, input)
    for output in graph.outputs {
      let differences = zip(found[output.name] ?? [], expected[output.name] ?? []).map {
        abs($0 - $1)
      }
      #expect(differences.count == expected[output.name]?.count && !differences.isEmpty)
      // Sums in another order can fall on the other side of a tie, and that goes on from there.
      let step = output.elementType == .float32 ? scale : 1
      let exact = differences.count { $0 < 1e-3 * step }
      #expect((differences.max() ?? .infinity) < 1.001 * step, "\(output.name)")
      #expect(10 * exact >= 9 * differences.count, "\(output.name)")
    }
  }

  /// Property: the form for processors without VNNI means the same, wherever it runs.
  @Test(arguments: Placement.allCases, 0..<6 as Range<UInt64>)
  func `weights in two halves make the same sums`(placement: Placement, seed: UInt64) throws {
    let (graph, input, scale) = try quantized(placement, seed: seed, declaring: false)
    let expected = try reference(graph, input)
    let found = try compiled(graph, input, pairsSaturate: true)
    for output in graph.outputs {
      let differences = zip(found[output.name] ?? [], expected[output.name] ?? []).map {
        abs($0 - $1)
      }
      #expect((differences.max() ?? .infinity) < 1.001 * scale, "\(output.name)")
      #expect(10 * differences.count { $0 < 1e-3 * scale } >= 9 * differences.count)
    }
  }

  @Test(.enabled(if: !Precision.bfloat16.runs(), "only for processors without AVX-512"))
  func `bfloat16 is refused in one line where there are no kernels for it`() throws {
    let graph = ResNet.resnet18(classes: 2)
    for run in [
      { _ = try InferenceSession(graph, batch: 1, inputShape: [3, 32, 32], precision: .bfloat16) },
      { _ = try TrainingSession(graph, batch: 1, inputShape: [3, 32, 32], precision: .bfloat16) },
    ] {
      let error = #expect(throws: ExecutionError.self) { try run() }
      #expect(error?.description.contains("take f32") == true)
    }
  }

  /// The worst case: all ones times all weights at their largest.
  @Test(
    arguments: [(1, 64), (64, 64), (1, 3), (4, 32)], [ElementType.uint8, .int8])
  func `sums of the largest products do not saturate`(
    convolution: (groups: Int, channels: Int), type: ElementType
  ) throws {
    let (groups, channels) = convolution
    var builder = GraphBuilder(input: [2, channels, 9, 9])
    let scale = builder.constant(Tensor(scalar: Float(1)))
    let isSigned = type == .int8
    let zero = builder.constant(
      isSigned ? Tensor(scalar: Int8(0)) : Tensor(scalar: UInt8(0)))
    let whole = builder.add(.quantizeLinear, ["input", scale, zero])
    let real = builder.add(.dequantizeLinear, [whole, scale, zero])
    let inputs = channels / groups
    var random = SplitMix64(seed: 4)
    let weights = (0..<channels * inputs * 9).map { _ in
      Int8(random.below(4) == 0 ? random.below(256) - 128 : 127)
    }
    let weightZero = builder.constant(Tensor(scalar: Int8(0)))
    let kernel = builder.add(
      .dequantizeLinear,
      [
        builder.constant(Tensor(shape: [channels, inputs, 3, 3], weights)), scale, weightZero,
      ])
    let result = builder.add(
      .convolution, [real, kernel], ["pads": .ints([1, 1, 1, 1]), "group": .int(groups)])
    let graph = try builder.finished([result])
    let values = (0..<2 * channels * 81).map { _ in
      Float(isSigned ? random.below(256) - 128 : random.below(4) == 0 ? random.below(256) : 255)
    }
    let input = Tensor(shape: [2, channels, 9, 9], values)
    let found = try #require(try compiled(graph, input)[result])
    let expected = try #require(try reference(graph, input)[result])
    #expect(difference(found, expected) < 1e-6)
  }

  @Test func `the usual placement runs in whole numbers from end to end`() throws {
    let (graph, input, _) = try quantized(.everywhere, seed: 3, declaring: false)
    let session = try InferenceSession(
      graph, batch: input.shape[0], inputShape: Array(input.shape[1...]), precision: .float32,
      pairsSaturate: false)
    let lines = session.planDescription.split(separator: "\n")
    // Input, stem, pool, three blocks of two, a shortcut, mean, head.
    #expect(lines.count == 12)
    for line in lines.dropFirst() {
      let types = line.split(separator: ",").last ?? ""
      #expect(types.contains("int8") && !types.contains("float32"), "\(line)")
    }
  }

  /// Twenty convolutions deep, one rounding that falls to the other side reaches everything.
  @Test func `a quantized ResNet-18 decides as the plain loops do`() throws {
    var network = ResNet.resnet18(classes: 2).withFormulaWeights()
    network.inputs = [Value("input", shape: [4, 3, 32, 32])]
    let input = FormulaWeights.images([4, 3, 32, 32])
    var quantizer = try Quantizer(network, calibration: input)
    var random = SplitMix64(seed: 1)
    quantizer.quantize("input")
    for node in network.nodes {
      switch node.operation {
      case .convolution, .gemm: quantizer.quantizeWeights(of: node.outputs[0], using: &random)
      case .relu, .globalAveragePool: quantizer.quantize(node.outputs[0])
      case .batchNormalization where node.name.contains("downsample"):
        quantizer.quantize(node.outputs[0], isSigned: true)
      default: continue
      }
    }
    let wholes = quantizer.graph.nodes.filter { $0.operation == .quantizeLinear }
    let graph = try quantizer.graph.giving(wholes.map { $0.outputs[0] } + ["logits"])
    let (found, expected) = (try compiled(graph, input), try reference(graph, input))
    // All stages are equal up to the first where a number falls to the other side of a tie: one
    // in a thousand at most, by one step.
    for node in wholes {
      let pairs = zip(found[node.outputs[0]] ?? [], expected[node.outputs[0]] ?? [])
      let steps = pairs.map { abs($0 - $1) }.filter { $0 > 0 }
      if steps.isEmpty { continue }
      #expect(steps.count * 1000 < expected[node.outputs[0]]?.count ?? 0, "\(node.name)")
      #expect(steps.allSatisfy { $0 == 1 }, "\(node.name)")
      break
    }
    let (logits, right) = (try #require(found["logits"]), try #require(expected["logits"]))
    for i in 0..<4 {
      #expect((logits[2 * i] < logits[2 * i + 1]) == (right[2 * i] < right[2 * i + 1]))
    }
    // What such a number starts is small beside what quantizing does to the logits.
    let real = try #require(try reference(network, input)["logits"])
    #expect(3 * difference(logits, right) < difference(real, right))
  }

  @Test(
    .enabled(if: Precision.bfloat16.runs(), "bfloat16 needs AVX-512"),
    arguments: 0..<6 as Range<UInt64>)
  func `bfloat16 parts do not disturb quantized ones`(seed: UInt64) throws {
    let (graph, input, _) = try quantized(.fused, seed: seed, declaring: false)
    let found = try compiled(graph, input, precision: .bfloat16)
    let expected = try reference(graph, input)
    #expect(difference(found[graph.outputs[0].name], expected[graph.outputs[0].name]) < 0.03)
  }

  func quantized(
    _ placement: Placement, seed: UInt64, declaring: Bool = true
  ) throws -> (graph: Graph, input: Tensor, step: Float) {
    let network = try SmallNetwork(seed: seed, normalizes: placement == .unfolded)
    var random = SplitMix64(seed: seed, stream: 1)
    var quantizer = try Quantizer(network.graph, calibration: network.input)
    var wholes: [String] = []
    let isSparse = placement == .anywhere
    func often() -> Bool { !isSparse || random.below(3) > 0 }
    for product in network.products where often() {
      quantizer.quantizeWeights(of: product, using: &random)
    }
    if often() { quantizer.quantize("input", isSigned: random.below(2) == 0) }
    for activation in network.activations where often() {
      wholes.append(quantizer.quantize(activation).whole)
    }
    switch placement {
    case .fused: quantizer.quantize(network.terms[2], isSigned: true)
    case .everywhere, .unfolded:
      if network.activations.contains(network.beforePool) {
        quantizer.quantize(network.pooled, like: network.beforePool)
      }
      for term in network.terms { quantizer.quantize(term, isSigned: random.below(2) == 0) }
      for product in network.products where !network.terms.contains(product) {
        if placement == .unfolded, product != network.logits { quantizer.quantize(product) }
      }
      quantizer.quantize(network.mean)
      quantizer.quantize(network.flat, like: network.mean)
    case .anywhere:
      for term in network.terms + [network.pooled, network.mean, network.flat] where often() {
        quantizer.quantize(term, isSigned: random.below(2) == 0)
      }
    }
    let (whole, logits) = quantizer.quantize(network.logits)
    var outputs = [logits]
    if declaring {
      outputs.append(whole)
      for name in wholes where random.below(3) == 0 { outputs.append(name) }
    }
    let step = quantizer.graph.initializers["\(network.logits).scale"]?.floats[0] ?? 0
    return (try quantizer.graph.giving(outputs), network.input, step)
  }
}
