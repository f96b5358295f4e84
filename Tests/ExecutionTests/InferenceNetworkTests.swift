import Execution
import Foundation
import GraphReference
import Graphs
import Tensors
import Testing

/// One entry of `Golden/resnet.json` of the graph tests, computed by torchvision.
struct NetworkGolden: Decodable, Sendable, CustomTestStringConvertible {
  var network: String
  var input: [Int]
  var logits: [Double]

  var testDescription: String { network }

  var graph: Graph {
    let graph =
      switch network {
      case "resnet18": ResNet.resnet18(classes: 2, seed: nil)
      case "resnet34": ResNet.resnet34(classes: 2, seed: nil)
      default: ResNet.resnet50(classes: 2, seed: nil)
      }
    return graph.withFormulaWeights()
  }

  static func all() throws -> [NetworkGolden] {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../GraphsTests/Golden/resnet.json")
    return try JSONDecoder().decode([NetworkGolden].self, from: Data(contentsOf: url))
  }
}

@Suite struct InferenceNetworkTests {
  @Test(arguments: try NetworkGolden.all())
  func `gives PyTorch's logits`(golden: NetworkGolden) throws {
    let input = FormulaWeights.images(golden.input)
    let found = try #require(try compiled(golden.graph, input)["logits"])
    for (logit, expected) in zip(found, golden.logits) {
      #expect(abs(Double(logit) - expected) < 1e-4)
    }
    #expect(found.count == golden.logits.count)
  }

  @Test(
    .enabled(if: Precision.bfloat16.runs(), "bfloat16 needs AVX-512"),
    arguments: try NetworkGolden.all())
  func `stays close in bfloat16`(golden: NetworkGolden) throws {
    let input = FormulaWeights.images(golden.input)
    let found = try compiled(golden.graph, input, precision: .bfloat16)["logits"]
    #expect(difference(found, golden.logits.map { Float($0) }) < 0.05)
  }

  @Test func `any tensor may be declared as an output`() throws {
    let network = ResNet.resnet18(classes: 2, seed: 5)
    let graph = try network.giving(
      network.nodes.map { $0.outputs[0] }, inputs: ["input": [1, 3, 32, 32]])
    let input = FormulaWeights.images([1, 3, 32, 32])
    let (found, expected) = (try compiled(graph, input), try reference(graph, input))
    for output in graph.outputs {
      #expect(difference(found[output.name], expected[output.name]) < 1e-4, "\(output.name)")
    }
  }

  @Test(arguments: Precision.allCases.filter { $0.runs() })
  func `runs repeat bit for bit whatever ran before`(precision: Precision) throws {
    let graph = ResNet.resnet18(classes: 3, seed: 1)
    var random = SplitMix64(seed: 2)
    let batches = (0..<3).map { _ in Tensor.random([4, 3, 40, 48], using: &random).floats }
    let session = try InferenceSession(
      graph, batch: 4, inputShape: [3, 40, 48], precision: precision)
    func logits(_ batch: [Float]) throws -> [Float] {
      try session.run(batch)
      return try session.output()
    }
    let first = try batches.map(logits)
    for i in [2, 0, 1, 1, 2] { #expect(try logits(batches[i]) == first[i]) }
    let fresh = try InferenceSession(
      graph, batch: 4, inputShape: [3, 40, 48], precision: precision)
    try fresh.run(batches[1])
    #expect(try fresh.output("logits") == first[1])
    #expect(first[0] != first[1])
  }

  @Test func `an image's logits do not depend on its neighbours`() throws {
    let graph = ResNet.resnet18(classes: 2, seed: 4)
    var random = SplitMix64(seed: 9)
    let images = Tensor.random([3, 3, 33, 47], using: &random)
    let together = try #require(try compiled(graph, images)["logits"])
    let count = 3 * 33 * 47
    for i in 0..<3 {
      let image = Tensor(
        shape: [1, 3, 33, 47], Array(images.floats[i * count..<(i + 1) * count]))
      let alone = try compiled(graph, image)["logits"]
      #expect(difference(alone, Array(together[2 * i..<2 * i + 2])) < 1e-5)
    }
  }

  @Test func `a graph that cannot run is named`() throws {
    var graph = ResNet.resnet18(classes: 2, seed: 0)
    graph.inputs.append(Value("second", shape: [1]))
    let error = #expect(throws: ExecutionError.self) {
      try InferenceSession(graph, batch: 1, inputShape: [3, 32, 32])
    }
    #expect(error?.description == "graph 'resnet18': has 2 inputs, expected 1")
  }

  @Test func `a graph too large for the machine is refused`() throws {
    let graph = ResNet.resnet18(classes: 2, seed: nil)
    #expect(throws: ExecutionError.self) {
      try InferenceSession(graph, batch: 1 << 20, inputShape: [3, 1024, 1024])
    }
  }
}

@Suite struct MemoryPlanTests {
  @Test(arguments: 0..<50 as Range<UInt64>)
  func `arrays in use at the same time never overlap`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let items = (0..<40).map { _ in
      let first = random.below(30)
      return MemoryPlan.Item(
        byteCount: random.below(5000), lifetime: first...first + random.below(8))
    }
    let plan = MemoryPlan(items)
    for (i, a) in items.enumerated() {
      #expect(plan.offsets[i] % 64 == 0 && plan.offsets[i] + a.byteCount <= plan.byteCount)
      for (j, b) in items.enumerated()
      where j < i && a.lifetime.overlaps(b.lifetime) && a.byteCount > 0 && b.byteCount > 0 {
        let (x, y) = (plan.offsets[i], plan.offsets[j])
        #expect(x + a.byteCount <= y || y + b.byteCount <= x)
      }
    }
    let busiest = (0..<40).map { step in
      items.filter { $0.lifetime.contains(step) }.reduce(0) { $0 + $1.byteCount }
    }
    #expect(plan.byteCount <= 2 * (busiest.max() ?? 0))
  }

  @Test func `memory is used again`() {
    let chain = (0..<10).map { MemoryPlan.Item(byteCount: 640, lifetime: $0...$0 + 1) }
    #expect(MemoryPlan(chain).byteCount == 1280)
  }
}
