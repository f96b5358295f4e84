import Graphs
import OneDNN
import Tensors
import Testing

@testable import Execution

/// What runs between two quantizers without a convolution.
@Suite struct InferenceWholesTests {
  private static let functions: [(Operation, [String: Attribute])] = [
    (.relu, [:]), (.leakyRelu, ["alpha": .float(0.2)]), (.sigmoid, [:]), (.hardSigmoid, [:]),
    (.hardSwish, [:]), (.gelu, [:]), (.gelu, ["approximate": .string("tanh")]),
  ]

  /// Every byte there is goes through the table.
  @Test(arguments: 0..<7, [false, true])
  func `a function between quantizers is a table`(index: Int, isSigned: Bool) throws {
    let (operation, attributes) = Self.functions[index]
    var builder = GraphBuilder(input: [1, 4, 8, 16])
    let x = builder.add(.identity, ["input"])
    let y = builder.add(operation, [x], attributes)
    let input = Tensor(shape: [1, 4, 8, 16], (0..<512).map { 0.02 * (Float($0) - 255.5) })
    var quantizer = try Quantizer(try builder.finished([y]), calibration: input)
    quantizer.quantize(x, isSigned: isSigned)
    let result = quantizer.quantize(y, isSigned: isSigned).whole
    let plan = try compare(quantizer.graph, result, input)
    #expect(plan.contains("table") && !plan.contains("as reals"), "\(plan)")
  }

  /// Property: a squeeze-and-excitation block between quantizers, wherever they stand in it.
  @Test(arguments: 0..<24 as Range<UInt64>)
  func `gates and excitations run in whole numbers`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let shape = [1 + random.below(3), 3 + random.below(30), 5, 7]
    var builder = GraphBuilder(input: shape)
    let x = builder.add(.identity, ["input"])
    let gate = builder.add(random.below(2) == 0 ? .sigmoid : .hardSigmoid, [x])
    let y = builder.add(.multiply, random.below(2) == 0 ? [x, gate] : [gate, x])
    let mean = builder.add(.globalAveragePool, [y])
    let excitation = builder.add(.sigmoid, [mean])
    let z = builder.add(
      .multiply, random.below(2) == 0 ? [y, excitation] : [excitation, y])
    let input = Tensor.random(shape, scale: 3, using: &random)
    var quantizer = try Quantizer(try builder.finished([z]), calibration: input)
    for name in [x, y, mean] { quantizer.quantize(name, isSigned: random.below(2) == 0) }
    if random.below(2) == 0 { quantizer.quantize(gate, isSigned: random.below(2) == 0) }
    if random.below(2) == 0 { quantizer.quantize(excitation, isSigned: random.below(2) == 0) }
    let result = quantizer.quantize(z, isSigned: random.below(2) == 0).whole
    let plan = try compare(quantizer.graph, result, input)
    #expect(plan.contains("table") && plan.contains("channel scaling"), "\(plan)")
    // At most the few numbers of the means are made reals.
    #expect(plan.split(separator: "\n").count { $0.contains("as reals") } <= 1, "\(plan)")
  }

  /// A number too large for any whole number, and one that is none.
  @Test func `what cannot be scaled is clipped`() throws {
    let affine = Affine(scale: 1e-30, zeroPoint: 3, elementType: .uint8)
    #expect(affine.whole(.infinity) == 255 && affine.whole(-.infinity) == 0)
    #expect(affine.whole(1e30) == 255 && affine.whole(.nan) == 3)
    #expect(Affine(scale: 2, zeroPoint: 0, elementType: .int8).whole(5) == 2)
  }

  /// Compares `output` with the plain loops: equal but for ties, by one step.
  ///
  /// - Returns: The plan.
  private func compare(_ graph: Graph, _ output: String, _ input: Tensor) throws -> String {
    let graph = try graph.giving([output])
    let expected = try #require(try reference(graph, input)[output])
    let found = try #require(try compiled(graph, input)[output])
    let differences = zip(found, expected).map { abs($0 - $1) }
    #expect(differences.count == expected.count && (differences.max() ?? 2) <= 1)
    #expect(200 * differences.count { $0 > 0 } <= differences.count)
    let session = try InferenceSession(
      graph, batch: input.shape[0], inputShape: Array(input.shape[1...]))
    return session.planDescription
  }
}
