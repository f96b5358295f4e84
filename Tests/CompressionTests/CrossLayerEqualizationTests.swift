import Faces
import GraphReference
import Graphs
import Tensors
import Testing

@testable import Compression

@Suite struct CrossLayerEqualizationTests {
  /// Convolutions one after the other, each with its groups, and an activation after all but the last.
  private func chain(
    _ channels: [Int], groups: [Int], activation: Operation? = .relu, seed: UInt64 = 1
  ) -> Graph {
    var random = SplitMix64(seed: seed)
    var graph = Graph(
      name: "chain", inputs: [Value("x0", shape: [nil, channels[0], 5, 5])],
      outputs: [Value("y\(groups.count - 1)", shape: [nil, channels.last!, 5, 5])])
    for layer in groups.indices {
      let shape = [channels[layer + 1], channels[layer] / groups[layer], 3, 3]
      let perChannel = shape[1...].reduce(1, *)
      // Channels of very different sizes.
      let sizes = (0..<shape[0]).map { _ in random.uniform(0.05...1) / random.uniform(0.05...1) }
      graph.initializers["w\(layer)"] = Tensor(
        shape: shape,
        (0..<shape[0] * perChannel).map { Float(random.normal() * sizes[$0 / perChannel]) })
      graph.initializers["b\(layer)"] = Tensor(
        shape: [shape[0]], (0..<shape[0]).map { _ in Float(random.normal()) })
      graph.nodes.append(
        Node(
          "conv\(layer)", .convolution, inputs: ["x\(layer)", "w\(layer)", "b\(layer)"],
          outputs: ["y\(layer)"],
          attributes: [
            "kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1]),
            "group": .int(groups[layer]),
          ]))
      guard layer < groups.count - 1 else { break }
      if let activation {
        graph.nodes.append(
          Node(
            "f\(layer)", activation, inputs: ["y\(layer)"], outputs: ["x\(layer + 1)"],
            attributes: activation == .leakyRelu ? ["alpha": .float(0.1)] : [:]))
      } else {
        graph.nodes[graph.nodes.count - 1].outputs = ["x\(layer + 1)"]
      }
    }
    return graph
  }

  /// The largest magnitude of what an output channel, or an input channel, is multiplied with.
  private func ranges(_ graph: Graph, _ layer: Int) -> (outputs: [Double], inputs: [Double]) {
    let weights = graph.initializers["w\(layer)"]!
    let groups = graph.nodes.first { $0.name == "conv\(layer)" }!.int("group", default: 1)
    let shape = weights.shape
    var outputs = [Double](repeating: 0, count: shape[0])
    var inputs = [Double](repeating: 0, count: shape[1] * groups)
    for (i, value) in weights.floats.enumerated() {
      let (o, c) = (i / 9 / shape[1], i / 9 % shape[1])
      let input = o / (shape[0] / groups) * shape[1] + c
      outputs[o] = max(outputs[o], Double(value.magnitude))
      inputs[input] = max(inputs[input], Double(value.magnitude))
    }
    return (outputs, inputs)
  }

  @Test(arguments: [
    ([3, 6, 4], [1, 1]), ([3, 6, 6, 4], [1, 6, 1]), ([4, 8, 6], [2, 2]),
    ([2, 6, 12, 3], [1, 3, 1]), ([3, 5, 7, 6, 2], [1, 1, 1, 1]),
  ])
  func `the function stays and ranges meet`(channels: [Int], groups: [Int]) throws {
    for activation in [Operation.relu, .leakyRelu, nil] {
      let graph = chain(channels, groups: groups, activation: activation)
      let equal = CrossLayerEqualization().rewrite(graph)
      #expect(equal.nodes == graph.nodes && equal != graph)
      var random = SplitMix64(seed: 9)
      let shape = [2, channels[0], 5, 5]
      let x = Tensor(
        shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.normal()) })
      let before = try ReferenceInterpreter(graph).run(["x0": x], output: nil).floats
      let after = try ReferenceInterpreter(equal).run(["x0": x], output: nil).floats
      let size = before.map { abs($0) }.max()!
      for (a, b) in zip(before, after) { #expect(abs(a - b) < 3e-6 * size) }
      for layer in 0..<groups.count - 1 {
        let found = zip(ranges(equal, layer).outputs, ranges(equal, layer + 1).inputs)
        for (r1, r2) in found { #expect(abs(r1 / r2 - 1) < 1e-3, "\(layer): \(r1) \(r2)") }
      }
    }
  }

  /// Of one pair the formula of the paper gives the answer at once.
  @Test func `a pair is scaled by the root of its ranges' ratio`() throws {
    let graph = chain([3, 6, 4], groups: [1, 1])
    let equal = CrossLayerEqualization().rewrite(graph)
    let (r1, r2) = (ranges(graph, 0).outputs, ranges(graph, 1).inputs)
    let scales = zip(r1, r2).map { ($0 / $1).squareRoot() }
    let first = graph.initializers["w0"]!.floats
    let second = graph.initializers["w1"]!.floats
    for (i, value) in equal.initializers["w0"]!.floats.enumerated() {
      #expect(abs(Double(value) - Double(first[i]) / scales[i / 27]) < 1e-5)
    }
    for (i, value) in equal.initializers["w1"]!.floats.enumerated() {
      let wanted = Double(second[i]) * scales[i / 9 % 6]
      #expect(abs(Double(value) - wanted) <= 1e-6 * abs(wanted))
    }
    for (i, value) in equal.initializers["b0"]!.floats.enumerated() {
      let wanted = Double(graph.initializers["b0"]!.floats[i]) / scales[i]
      #expect(abs(Double(value) - wanted) <= 1e-6 * abs(wanted))
    }
    #expect(equal.initializers["b1"] == graph.initializers["b1"])
  }

  @Test func `what is bounded, shared or read elsewhere is left alone`() {
    #expect(CrossLayerEqualization.pairs(of: chain([3, 6, 4], groups: [1, 1])).count == 1)
    let clipped = chain([3, 6, 4], groups: [1, 1], activation: .clip)
    #expect(CrossLayerEqualization().rewrite(clipped) == clipped)
    for tensor in ["y0", "x1"] {
      var seen = chain([3, 6, 4], groups: [1, 1])
      seen.outputs.append(Value(tensor, shape: [nil, 6, 5, 5]))
      #expect(CrossLayerEqualization().rewrite(seen) == seen)
      var read = chain([3, 6, 4], groups: [1, 1])
      read.nodes.append(Node("other", .sigmoid, inputs: [tensor], outputs: ["z"]))
      #expect(CrossLayerEqualization().rewrite(read) == read)
    }
    var shared = chain([4, 4, 4], groups: [1, 1])
    shared.nodes[2].inputs[1] = "w0"
    #expect(CrossLayerEqualization().rewrite(shared) == shared)
  }

  @Test func `a channel of zeros stays`() throws {
    var graph = chain([3, 6, 4], groups: [1, 1])
    var values = graph.initializers["w0"]!.floats
    for i in 0..<27 { values[i] = 0 }
    graph.initializers["w0"] = Tensor(shape: [6, 3, 3, 3], values)
    let equal = CrossLayerEqualization().rewrite(graph)
    #expect(equal.initializers["b0"]!.floats[0] == graph.initializers["b0"]!.floats[0])
    #expect(equal.initializers["w0"]!.floats.allSatisfy { $0.isFinite })
  }

  @Test func `a residual network is equalized inside of its blocks`() throws {
    let folded = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 3))
    let pairs = CrossLayerEqualization.pairs(of: folded)
    #expect(pairs.map { folded.nodes[$0.first].name } == ["a"])
    #expect(pairs.map { folded.nodes[$0.second].name } == ["b"])
    let resnet = try BatchNormFolding().rewrite(ResNet.resnet18(classes: 2))
    #expect(CrossLayerEqualization.pairs(of: resnet).count == 8)
    let bottleneck = try BatchNormFolding().rewrite(ResNet.resnet50(classes: 2))
    #expect(CrossLayerEqualization.pairs(of: bottleneck).count == 32)
  }

  @Test func `compressing with it leaves the reference equalized`() throws {
    var settings = WeightSettings()
    settings.equalizes = true
    let float = SmallNetwork.graph(seed: 3)
    let work = try CompressionWork(float, weights: settings)
    #expect(try work.float == CrossLayerEqualization().rewrite(BatchNormFolding().rewrite(float)))
    let (graph, report) = try compress(float, scheme: Scheme("uniform:8"), weights: settings)
    #expect(report.weights?.equalizes == true)
    let images = SmallNetwork.images(4, seed: 1)
    let before = try #require(try SmallNetwork.run(float, images)["logits"]).floats
    let after = try #require(try SmallNetwork.run(graph, images)["logits"]).floats
    for (a, b) in zip(before, after) { #expect(abs(a - b) < 0.05) }
  }

  @Test func `int8 alone is equalized, but not with batch norms kept apart`() throws {
    let faces = try SmallFaces()
    var settings = Int8Settings()
    settings.calibration.count = 24
    settings.equalizes = true
    func quantize(_ settings: Int8Settings) throws -> Graph {
      try quantizeInt8(
        SmallNetwork.graph(seed: 3), on: faces.dataset, preprocessing: Preprocessing(size: 8),
        settings: settings
      ).graph
    }
    var plain = settings
    plain.equalizes = false
    #expect(try quantize(settings).initializers != quantize(plain).initializers)
    settings.keepsBatchNorms = true
    #expect(throws: CompressionError.self) { try quantize(settings) }
  }
}
