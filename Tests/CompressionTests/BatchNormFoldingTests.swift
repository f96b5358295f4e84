import GraphReference
import Graphs
import Tensors
import Testing

@testable import Compression

@Suite struct BatchNormFoldingTests {
  private func largestDifference(_ a: Tensor?, _ b: Tensor?) throws -> Float {
    let (a, b) = (try #require(a).floats, try #require(b).floats)
    #expect(a.count == b.count)
    return zip(a, b).map { abs($0 - $1) }.max() ?? 0
  }

  @Test(arguments: 0..<4 as Range<UInt64>)
  func `a folded graph computes the same`(seed: UInt64) throws {
    let graph = SmallNetwork.graph(seed: seed)
    let folded = try BatchNormFolding().rewrite(graph)
    #expect(!folded.nodes.contains { $0.operation == .batchNormalization })
    #expect(folded.initializers.keys.allSatisfy { !$0.contains("running") })
    let images = SmallNetwork.images(3, seed: seed)
    let (before, after) = (
      try SmallNetwork.run(graph, images), try SmallNetwork.run(folded, images)
    )
    for tensor in ["bn1_out", "add_out", "logits"] {
      #expect(try largestDifference(before[tensor], after[tensor]) < 2e-6)
    }
  }

  @Test func `a convolution that others read is left alone`() throws {
    var graph = SmallNetwork.graph(seed: 1)
    graph.outputs.append(Value("conv1_out", shape: [nil, 4, 8, 8]))
    let folded = try BatchNormFolding().rewrite(graph)
    #expect(folded.nodes.filter { $0.operation == .batchNormalization }.map(\.name) == ["bn1"])
  }

  @Test func `weights that two convolutions share are folded apart`() throws {
    var graph = SmallNetwork.graph(seed: 2)
    let b = try #require(graph.nodes.firstIndex { $0.name == "b" })
    // Both read 6 channels here: a second use of b's weights, before another normalisation.
    graph.nodes[b].inputs[1] = "b.weight"
    var twin = graph.nodes[b]
    twin.name = "twin"
    twin.outputs = ["twin_out"]
    graph.nodes.insert(twin, at: b + 1)
    graph.nodes.append(Node("twin_relu", .relu, inputs: ["twin_out"], outputs: ["twin_end"]))
    graph.outputs.append(Value("twin_end", shape: [nil, 6, 4, 4]))
    let folded = try BatchNormFolding().rewrite(graph)
    let images = SmallNetwork.images(2, seed: 3)
    let (before, after) = (
      try SmallNetwork.run(graph, images), try SmallNetwork.run(folded, images)
    )
    #expect(folded.initializers["b.weight"] == graph.initializers["b.weight"])
    #expect(try largestDifference(before["twin_end"], after["twin_end"]) < 2e-6)
    #expect(try largestDifference(before["logits"], after["logits"]) < 2e-6)
  }

  @Test func `an existing bias is kept in the sum`() throws {
    var graph = SmallNetwork.graph(seed: 3)
    graph.initializers["conv1.bias"] = Tensor(shape: [4], [0.5, -1, 2, 0] as [Float])
    graph.nodes[0].inputs.append("conv1.bias")
    let folded = try BatchNormFolding().rewrite(graph)
    let images = SmallNetwork.images(2, seed: 4)
    let before = try SmallNetwork.run(graph, images)["logits"]
    #expect(try largestDifference(before, SmallNetwork.run(folded, images)["logits"]) < 2e-6)
  }

  @Test func `wrong statistics are named`() throws {
    var graph = SmallNetwork.graph(seed: 4)
    graph.initializers["bn1.running_var"] = Tensor(shape: [3], [1, 1, 1] as [Float])
    let error = #expect(throws: CompressionError.self) { try BatchNormFolding().rewrite(graph) }
    #expect(
      error?.description == "tensor 'bn1.running_var': is not a float32 constant of 4 elements")
  }
}
