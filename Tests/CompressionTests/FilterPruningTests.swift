import Execution
import Faces
import Foundation
import GraphReference
import Graphs
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct FilterPruningTests {
  /// The graph with the removed channels' filters and biases zero instead.
  private func zeroed(_ graph: Graph, _ kept: [(set: ChannelSet, channels: [Int])]) -> Graph {
    var result = graph
    for (set, channels) in kept {
      for position in set.producers {
        for name in graph.nodes[position].inputs.dropFirst() where !name.isEmpty {
          guard let tensor = result.initializers[name] else { continue }
          let size = tensor.count / set.count
          let values = tensor.floats.enumerated().map { channels.contains($0 / size) ? $1 : 0 }
          result.initializers[name] = Tensor(shape: tensor.shape, values)
        }
      }
    }
    return result
  }

  private func check(_ graph: Graph, channels: (ChannelSet) -> [Int]) throws -> Graph {
    let sets = try ChannelSet.sets(of: graph)
    let kept = sets.map { (set: $0, channels: channels($0)) }
    let small = ChannelRemoval(kept: kept).rewrite(graph)
    try small.validate()
    let input = graph.inputs[0]
    let shape = [2] + input.shape.dropFirst().map { $0 ?? 8 }
    var random = SplitMix64(seed: 5)
    let x = Tensor(
      shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.normal()) })
    let whole = zeroed(graph, kept)
    let wanted = try ReferenceInterpreter(whole).run([input.name: x], output: nil).floats
    let found = try ReferenceInterpreter(small).run([input.name: x], output: nil).floats
    #expect(found.count == wanted.count)
    let size = wanted.map { abs($0) }.max() ?? 0
    #expect(size > 0)
    for (a, b) in zip(found, wanted) { #expect(abs(a - b) <= 1e-6 * size, "\(a) \(b)") }
    return small
  }

  private func products(_ graph: Graph, image: [Int]) throws -> Int {
    let shapes = try graph.inferShapes(inputs: [graph.inputs[0].name: [1] + image])
    return BiasCorrection.layers(of: graph).reduce(0) { sum, position in
      let node = graph.nodes[position]
      let weights = graph.initializers[node.inputs[1]]!.shape
      let area = shapes[node.outputs[0]]!.shape.dropFirst(2).reduce(1, *)
      return sum + weights.reduce(1, *) * area
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `removing channels is as good as making them zero`(seed: UInt64) throws {
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: seed))
    let sets = try ChannelSet.sets(of: graph)
    // The stem alone, inside of the block, and what the addition joins.
    #expect(
      sets.map { $0.producers.map { graph.nodes[$0].name } } == [
        ["conv1"], ["downsample.0", "b"], ["a"],
      ])
    var random = SplitMix64(seed: seed)
    let small = try check(graph) { set in
      let chosen = (0..<set.count).filter { _ in Bool.random(using: &random) }
      return chosen.isEmpty ? [0] : chosen
    }
    let image = SmallNetwork.imageShape
    #expect(try products(small, image: image) < products(graph, image: image))
  }

  /// Depthwise convolutions hand channels on; a flattened image has several inputs for a channel.
  @Test func `depthwise layers and flattened images lose channels too`() throws {
    var random = SplitMix64(seed: 2)
    func draw(_ shape: [Int]) -> Tensor {
      Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.normal()) })
    }
    func layer(_ name: String, _ x: String, _ groups: Int) -> Node {
      Node(
        name, .convolution, inputs: [x, "\(name).w", "\(name).b"], outputs: ["\(name).y"],
        attributes: [
          "kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1]), "group": .int(groups),
        ])
    }
    var graph = Graph(
      name: "depthwise", inputs: [Value("x", shape: [nil, 3, 4, 4])],
      outputs: [Value("logits", shape: [nil, 2])],
      nodes: [
        layer("first", "x", 1), Node("r", .relu, inputs: ["first.y"], outputs: ["r.y"]),
        layer("depth", "r.y", 6), Node("s", .hardSwish, inputs: ["depth.y"], outputs: ["s.y"]),
        layer("point", "s.y", 1), Node("f", .flatten, inputs: ["point.y"], outputs: ["f.y"]),
        Node(
          "fc", .gemm, inputs: ["f.y", "fc.w", "fc.b"], outputs: ["logits"],
          attributes: ["transB": .int(1)]),
      ],
      initializers: [
        "first.w": draw([6, 3, 3, 3]), "first.b": draw([6]), "depth.w": draw([6, 1, 3, 3]),
        "depth.b": draw([6]), "point.w": draw([5, 6, 3, 3]), "point.b": draw([5]),
        "fc.w": draw([2, 80]), "fc.b": draw([2]),
      ])
    #expect(try ChannelSet.sets(of: graph).map(\.count) == [6, 5])
    let small = try check(graph) { Array(stride(from: 1, to: $0.count, by: 2)) }
    #expect(small.initializers["depth.w"]?.shape == [3, 1, 3, 3])
    #expect(small.nodes[2].int("group", default: 1) == 3)
    #expect(small.initializers["fc.w"]?.shape == [2, 32])
    // A function that makes something of zero keeps its channels, and so do grouped convolutions.
    graph.nodes[3].operation = .sigmoid
    #expect(try ChannelSet.sets(of: graph).map(\.count) == [5])
    graph.nodes[3].operation = .relu
    graph.nodes[2].attributes["group"] = .int(3)
    graph.initializers["depth.w"] = draw([6, 2, 3, 3])
    #expect(try ChannelSet.sets(of: graph).map(\.count) == [5])
  }

  @Test func `a ResNet-18 has one set for each stage and one inside of each block`() throws {
    let graph = try BatchNormFolding().rewrite(ResNet.resnet18(classes: 2))
    let sets = try ChannelSet.sets(of: graph)
    #expect(sets.count == 12)
    #expect(sets.map(\.count).sorted() == [64, 128, 256, 512].flatMap { [$0, $0, $0] })
    // Stem and two blocks; a shortcut and two blocks in later stages.
    #expect(sets.map(\.producers.count).sorted() == [1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3])
  }

  @Test func `the lowest scores go, by set or over all`() {
    let scores: [[Double]] = [[5, 1, 3, 3], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 9]]
    #expect(
      FilterPruning(share: 0.5, isGlobal: false).kept(scores) == [[0, 2], [4, 5, 6, 7]])
    #expect(
      FilterPruning(share: 0.5, isGlobal: true).kept(scores) == [[0, 1, 2, 3], [6, 7]])
    // An eighth of a set stays whatever its scores are.
    #expect(FilterPruning(share: 0.9, isGlobal: true).kept(scores) == [[0], [7]])
    #expect(FilterPruning(share: 0, isGlobal: true).kept(scores).map(\.count) == [4, 8])
  }

  @Test func `norms are those of the filters that write a channel`() throws {
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 1))
    let sets = try ChannelSet.sets(of: graph)
    let norms = FilterPruning.norms(of: sets, in: graph)
    for (set, found) in zip(sets, norms) {
      var wanted = [Double](repeating: 0, count: set.count)
      for position in set.producers {
        let w = graph.initializers[graph.nodes[position].inputs[1]]!.floats.map { abs(Double($0)) }
        let size = w.count / set.count
        let mean = w.reduce(0, +) / Double(set.count)
        for c in 0..<set.count { wanted[c] += w[c * size..<(c + 1) * size].reduce(0, +) / mean }
      }
      for (a, b) in zip(found, wanted) { #expect(abs(a - b) < 1e-9) }
    }
  }

  /// The score of a channel is the square of the loss's slope when its filters are scaled.
  @Test func `Taylor scores are the slope towards zero`() throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 3))
    let rows = Array(faces.dataset.rows(in: .train).prefix(16))
    let sets = try ChannelSet.sets(of: graph)
    let scores = try FilterPruning.taylor(of: sets, in: graph, on: images, rows: rows)
    func loss(_ graph: Graph) throws -> Double {
      CrossEntropy().losses(
        try Evaluator(images.preprocessing).run(graph, on: faces.dataset, rows: rows).output
      ).reduce(0, +) / 16
    }
    for (number, set) in sets.enumerated() {
      for channel in [0, set.count - 1] {
        func scaled(_ factor: Float) throws -> Double {
          var other = graph
          for position in set.producers {
            for name in graph.nodes[position].inputs.dropFirst() where !name.isEmpty {
              var values = other.initializers[name]!.floats
              let size = values.count / set.count
              for i in channel * size..<(channel + 1) * size { values[i] *= factor }
              other.initializers[name] = Tensor(shape: other.initializers[name]!.shape, values)
            }
          }
          return try loss(other)
        }
        let slope = try (scaled(1.01) - scaled(0.99)) / 0.02
        #expect(abs(scores[number][channel] - slope * slope) < 0.03 * slope * slope + 1e-8)
      }
    }
  }

  @Test(arguments: [
    "filters:0.5", "filters:0.5+kmeans:4", "filters:0.25+uniform:8+int8", "filters:0.3+prune:0.5",
  ])
  func `smaller layers are stored by any scheme`(text: String) throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    let float = SmallNetwork.graph(seed: 3)
    for score in WeightSettings.FilterScore.allCases {
      var weights = WeightSettings()
      weights.filterScore = score
      if text == "filters:0.5" { weights.restores = .variance }
      var int8 = Int8Settings()
      int8.calibration.count = 24
      let (graph, report) = try compress(
        float, scheme: Scheme(text), images: images, weights: weights, int8: int8)
      let bytes = try ONNXFile.bytes(of: graph)
      #expect(report.bytes == bytes.count)
      #expect(
        report.accounting.entries.reduce(report.accounting.overhead) { $0 + $1.bytes }
          == bytes.count)
      let pixels = SmallNetwork.images(4, seed: 1)
      let plain = try #require(try SmallNetwork.run(graph, pixels)["logits"]).floats
      let session = try InferenceSession(
        ONNXFile.graph(bytes, path: "a"), batch: 4, inputShape: SmallNetwork.imageShape)
      try session.run(pixels)
      let spread = (plain.max() ?? 0) - (plain.min() ?? 0)
      for (a, b) in zip(plain, try session.output()) { #expect(abs(a - b) < 0.05 * spread + 1e-4) }
    }
  }

  @Test func `moments of what stays are those of the float model`() throws {
    var settings = WeightSettings()
    settings.restores = .variance
    settings.pruningScope = .layer
    var work = try CompressionWork(SmallNetwork.graph(seed: 3), weights: settings)
    try FilterStep("0.5").apply(to: &work)
    let probe = ReferenceProbe(batches: [SmallNetwork.images(32, seed: 9)])
    try work.restoreMoments(with: probe)
    let wanted = try ChannelMoments.measure(
      ["conv1_out"].map { _ in "bn1_out" }, channels: [4], in: work.teacher, probe)[0]
    let found = try ChannelMoments.measure(["bn1_out"], channels: [2], in: work.graph, probe)[0]
    let kept = try #require(work.keptOutputs["bn1_out"])
    for (i, channel) in kept.enumerated() {
      #expect(abs(found.means[i] - wanted.means[channel]) < 1e-4)
      #expect(abs(found.variances[i] / wanted.variances[channel] - 1) < 1e-3)
    }
  }

  @Test func `a smaller network is tuned to the float model's answers`() throws {
    let faces = try SmallFaces(rows: 160)
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    var settings = TuningSettings(epochs: 8)
    settings.batch = 20
    settings.rate = 0.01
    let float = SmallNetwork.graph(seed: 3)
    let (_, report) = try compress(
      float, scheme: Scheme("filters:0.4+kmeans:8"), images: images, tuning: settings)
    let losses = try #require(report.tuning).losses
    #expect(losses.last! < 0.7 * losses[0], "\(losses)")
  }

  @Test func `what makes no sense is refused`() throws {
    let float = SmallNetwork.graph(seed: 3)
    for text in ["filters", "filters:1", "filters:-0.1", "filters:x"] {
      #expect(throws: CompressionError.self) { try Scheme(text) }
    }
    var weights = WeightSettings()
    weights.filterScore = .taylor
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("filters:0.5"), weights: weights)
    }
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("kmeans:4"), weights: weights)
    }
    weights = WeightSettings()
    weights.pruningScope = .twoOfFour
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("filters:0.5"), weights: weights)
    }
  }
}
