import Execution
import Faces
import Files
import GraphReference
import Graphs
import Tensors
import Testing

@testable import Compression

@Suite struct WeightStorageTests {
  private func tensor(_ shape: [Int], seed: UInt64) -> Tensor {
    var random = SplitMix64(seed: seed)
    return Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.normal() * 0.1) })
  }

  /// What the operators that are written make of one tensor, by the plain loops and by folding.
  private func unpacked(_ weights: CodedWeights) throws -> (plain: Tensor, folded: Tensor) {
    let shape = weights.shape
    var graph = Graph(
      name: "one", inputs: [Value("x", shape: [nil, shape[1], 3, 3])],
      outputs: [Value("w", shape: shape)],
      nodes: [
        Node(
          "conv", .convolution, inputs: ["x", "w"], outputs: ["y"],
          attributes: ["kernel_shape": .ints(Array(shape[2...]))])
      ],
      initializers: ["w": weights.decoded], opset: 17)
    graph = try WeightPacking(coded: ["w": weights]).rewrite(graph)
    #expect(try ONNXFile.graph(ONNXFile.bytes(of: graph), path: "a").opset == 18)
    // OpenVINO may shift by dividing: what falls off must be zero already.
    let masked = graph.nodes.filter { $0.operation == .bitwiseAnd }.flatMap(\.outputs)
    for node in graph.nodes
    where node.operation == .bitShift && node.string("direction", default: "") == "RIGHT" {
      #expect(masked.contains(node.inputs[0]), "\(node.name)")
    }
    let x = Tensor(
      shape: [1, shape[1], 3, 3], [Float](repeating: 1, count: shape[1] * 9))
    let plain = try ReferenceInterpreter(graph).run(["x": x], output: "w")
    // Something else reads the weights too, so that all of it is folded.
    graph.nodes.append(Node("copy", .reshape, inputs: ["w", "s"], outputs: ["v"]))
    graph.initializers["s"] = Tensor(shape: [shape.count], shape.map { Int64($0) })
    graph.outputs = [Value("v", shape: shape)]
    let folded = try #require(try graph.foldingConstants().initializers["v"])
    return (plain, folded)
  }

  private func check(_ weights: CodedWeights) throws {
    let (plain, folded) = try unpacked(weights)
    // A dropped weight may come back as a negative zero.
    #expect(folded.shape == weights.shape && folded.floats == weights.decoded.floats)
    for (a, b) in zip(plain.floats, folded.floats) { #expect(abs(a - b) <= 1e-6 * abs(b)) }
  }

  @Test(arguments: [2, 3, 4, 5, 8, 11, 16, 32, 64, 200, 256])
  func `clusters come back from the file as they went in`(clusters: Int) throws {
    let weights = tensor([6, 5, 3, 3], seed: UInt64(clusters))
    for codebook in ClusteringSettings.Codebook.allCases {
      for (group, scales) in [(nil, false), (2, false), (nil, true), (3, true), (4, false)] {
        let settings = ClusteringSettings(
          clusters: clusters, groupSize: group, hasChannelScales: scales, codebook: codebook)
        let coded = Clustering(settings).code(weights)
        #expect(coded.codes.allSatisfy { Int($0) < clusters })
        try check(coded)
        if codebook == .float32 && group == nil && !scales {
          let best = OptimalKMeans(weights.floats, k: clusters).cost
          let error = zip(weights.floats, coded.decoded.floats).reduce(0) {
            $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
          }
          #expect(error <= best * (1 + 1e-5) + 1e-12)
        }
      }
    }
  }

  @Test(arguments: 2...8)
  func `even grids come back from the file as they went in`(bits: Int) throws {
    let weights = tensor([6, 5, 3, 3], seed: UInt64(bits))
    for isAffine in [false, true] {
      let coded = UniformQuantization(bits: bits, isAffine: isAffine).code(weights)
      #expect(coded.codes.allSatisfy { Int($0) < 1 << bits })
      try check(coded)
      // No worse than rounding to a grid over the whole range.
      let side = Float(max(1, 1 << (bits - 1) - 1))
      var (error, naive) = (0.0, 0.0)
      for channel in 0..<6 {
        let members = Array(weights.floats[channel * 45..<(channel + 1) * 45])
        let scale = members.reduce(0) { max($0, abs($1)) } / side
        for (x, y) in zip(members, coded.decoded.floats[channel * 45..<(channel + 1) * 45]) {
          let rounded = (x / scale).rounded(.toNearestOrEven) * scale
          error += Double(x - y) * Double(x - y)
          naive += Double(x - rounded) * Double(x - rounded)
        }
      }
      if !isAffine { #expect(error <= naive * 1.000_01) }
    }
  }

  @Test(arguments: MagnitudePruning.Scope.allCases)
  func `dropped weights are zero and the rest comes back`(scope: MagnitudePruning.Scope) throws {
    let tensors = [tensor([6, 5, 3, 3], seed: 1), tensor([4, 6, 1, 1], seed: 2)]
    let kept = MagnitudePruning(sparsity: 0.75, scope: scope).kept(tensors)
    let all = kept.flatMap(\.self)
    switch scope {
    case .global, .adaptive: #expect(all.count { $0 } == all.count - Int(Double(all.count) * 0.75))
    case .layer: #expect(kept.map { $0.count { $0 } } == [68, 6])
    case .twoOfFour: #expect(kept[1].count { $0 } == 12)
    }
    let values = tensors[0].floats
    let smallest = values.indices.filter { kept[0][$0] }.map { abs(values[$0]) }.min()!
    if scope != .twoOfFour {
      #expect(values.indices.allSatisfy { kept[0][$0] || abs(values[$0]) <= smallest })
    }
    let stored = values.indices.filter { kept[0][$0] }.map { values[$0] }
    try check(
      CodedWeights(
        shape: [6, 5, 3, 3], bits: 8, codes: [],
        meaning: .halves(Tensor(halves: stored, shape: [stored.count])), kept: kept[0]))
    try check(Clustering(ClusteringSettings(clusters: 5)).code(tensors[0], kept: kept[0]))
    let clustered = Clustering(ClusteringSettings(clusters: 5)).code(tensors[0], kept: kept[0])
    #expect(zip(clustered.decoded.floats, kept[0]).allSatisfy { $1 || $0 == 0 })
  }

  /// The scores of LAMP as its paper writes them, for all weights, and the largest of those.
  @Test(arguments: [0.3, 0.75, 0.9, 0.97], 1...4 as ClosedRange<UInt64>)
  func `shares of layers are those of the paper, whatever a layer's scale`(
    sparsity: Double, seed: UInt64
  ) {
    let tensors = [
      tensor([6, 5, 3, 3], seed: seed), tensor([4, 6], seed: seed + 10),
      tensor([8, 9], seed: seed + 20),
    ]
    let scores = tensors.map { tensor -> [Double] in
      let squares = tensor.floats.map { Double($0.magnitude) * Double($0.magnitude) }
      return squares.map { own in own / squares.filter { $0 >= own }.reduce(0, +) }
    }
    let all = scores.flatMap(\.self).sorted(by: >)
    let wanted = all.count - Int(Double(all.count) * sparsity)
    let found = MagnitudePruning(sparsity: sparsity, scope: .adaptive).kept(tensors)
    #expect(found.reduce(0) { $0 + $1.count { $0 } } == wanted)
    for (kept, own) in zip(found, scores) {
      #expect(zip(kept, own).allSatisfy { $0 == ($1 >= all[wanted - 1] * (1 - 1e-9)) })
      #expect(kept.contains(true))
    }
    let scaled = tensors.enumerated().map { i, tensor in
      Tensor(shape: tensor.shape, tensor.floats.map { $0 * [1, 1024, 0.0625][i] })
    }
    #expect(MagnitudePruning(sparsity: sparsity, scope: .adaptive).kept(scaled) == found)
    // As they are, the smallest layer loses everything but one.
    let global = MagnitudePruning(sparsity: 0.9, scope: .global).kept(scaled)
    #expect(global[2].count { $0 } == 1)
  }

  @Test func `equal weights and zeros are told apart by their place`() {
    let tensors = [
      Tensor(shape: [4], [1, 1, 1, 1] as [Float]), Tensor(shape: [3], [0, 0, 0] as [Float]),
      Tensor(shape: [4], [2, 2, 2, 2] as [Float]),
    ]
    // Shares are 1, 1/2, 1/3 and 1/4 in both: five of eleven are the first of each, the next, and one more.
    let kept = MagnitudePruning(sparsity: 0.55, scope: .adaptive).kept(tensors)
    #expect(kept[0] == [true, true, true, false])
    #expect(kept[1] == [true, false, false])
    #expect(kept[2] == [true, true, false, false])
  }

  @Test func `a file with one weight left of a tensor is read again`() throws {
    let (graph, _) = try compress(SmallNetwork.graph(seed: 3), scheme: Scheme("prune:0.99"))
    #expect(graph.initializers.contains { $0.key.hasSuffix(".values") && $0.value.count == 1 })
    let bytes = try ONNXFile.bytes(of: graph)
    let images = SmallNetwork.images(4, seed: 1)
    let session = try InferenceSession(
      ONNXFile.graph(bytes, path: "a"), batch: 4, inputShape: SmallNetwork.imageShape)
    try session.run(images)
    let plain = try #require(try SmallNetwork.run(graph, images)["logits"]).floats
    for (a, b) in zip(plain, try session.output()) { #expect(abs(a - b) < 1e-4 * (1 + abs(a))) }
  }

  @Test(arguments: ["kmeans:4", "kmeans:8", "uniform:3", "prune:0.5", "prune:0.5+kmeans:4"])
  func `the file is what was measured, and its bytes add up`(text: String) throws {
    let float = SmallNetwork.graph(seed: 3)
    let (graph, report) = try compress(float, scheme: Scheme(text))
    let bytes = try ONNXFile.bytes(of: graph)
    #expect(report.bytes == bytes.count)
    #expect(
      report.accounting.entries.reduce(report.accounting.overhead) { $0 + $1.bytes } == bytes.count)
    #expect(report.accounting.bytes(of: .other) == 0)
    #expect(report.calibration == nil)
    let images = SmallNetwork.images(4, seed: 1)
    let plain = try #require(try SmallNetwork.run(graph, images)["logits"]).floats
    let session = try InferenceSession(
      ONNXFile.graph(bytes, path: "a"), batch: 4, inputShape: SmallNetwork.imageShape)
    try session.run(images)
    for (a, b) in zip(plain, try session.output()) { #expect(abs(a - b) < 1e-4 * (1 + abs(a))) }
    let error = #expect(throws: CompressionError.self) {
      try compress(graph, scheme: Scheme("kmeans:4"))
    }
    #expect(error?.problem == "is compressed already")
  }

  @Test func `whole clusters run as int8`() throws {
    let faces = try SmallFaces()
    var weights = WeightSettings()
    weights.codebook = .int8
    var int8 = Int8Settings()
    int8.calibration.count = 24
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    for text in ["kmeans:16+int8", "uniform:4+int8"] {
      let (graph, report) = try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme(text), images: images, weights: weights,
        int8: int8)
      #expect(report.activations.count > 0)
      let pixels = SmallNetwork.images(4, seed: 1)
      let session = try InferenceSession(graph, batch: 4, inputShape: SmallNetwork.imageShape)
      try session.run(pixels)
      #expect(session.planDescription.contains("uint8 4x6x4x4 -> uint8 4x6x4x4"))
      let plain = try #require(try SmallNetwork.run(graph, pixels)["logits"]).floats
      let spread = (plain.max() ?? 0) - (plain.min() ?? 0)
      for (a, b) in zip(plain, try session.output()) { #expect(abs(a - b) < 0.05 * spread) }
    }
    weights.codebook = .float16
    #expect(throws: CompressionError.self) {
      try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme("kmeans:16+int8"), images: images,
        weights: weights, int8: int8)
    }
  }

  @Test(arguments: [WeightSettings.Moments.mean, .variance])
  func `moments are put back`(moments: WeightSettings.Moments) throws {
    var settings = WeightSettings()
    settings.restores = moments
    var work = try CompressionWork(SmallNetwork.graph(seed: 3), weights: settings)
    try UniformStep("2").apply(to: &work)
    let probe = ReferenceProbe(batches: [SmallNetwork.images(32, seed: 9)])
    let layers = BiasCorrection.layers(of: work.graph)
    let names = layers.map { work.graph.nodes[$0].outputs[0] }
    let channels = layers.map {
      work.graph.initializers[work.graph.nodes[$0].inputs[1]]?.shape[0] ?? 0
    }
    let wanted = try ChannelMoments.measure(names, channels: channels, in: work.float, probe)
    let before = try ChannelMoments.measure(names, channels: channels, in: work.graph, probe)
    try work.restoreMoments(with: probe)
    let after = try ChannelMoments.measure(names, channels: channels, in: work.graph, probe)
    func distance(_ a: [ChannelMoments], _ part: (ChannelMoments) -> [Double]) -> Double {
      zip(a, wanted).reduce(0) { sum, pair in
        sum + zip(part(pair.0), part(pair.1)).reduce(0) { $0 + abs($1.0 - $1.1) }
      }
    }
    #expect(distance(after, \.means) < 1e-4)
    #expect(distance(before, \.means) > 0.1)
    if moments == .variance {
      #expect(distance(after, \.variances) < 0.3 * distance(before, \.variances))
    }
    // What was measured is what is packed.
    for (name, weights) in work.coded { #expect(work.graph.initializers[name] == weights.decoded) }
  }

  @Test(arguments: [
    ("kmeans", "kmeans has '' clusters, expected a number from 2 to 256"),
    ("kmeans:1", "kmeans has '1' clusters, expected a number from 2 to 256"),
    ("uniform:9", "uniform has '9' bits, expected a number from 2 to 8"),
    ("prune:1", "prune drops '1', expected a share from 0 to below 1"),
    ("int8:3", "int8 has no parameter"), ("kmeans:4+kmeans:4", "has the same step twice"),
    ("kmeans:4+uniform:4", "stores weights in two ways; choose one"),
  ])
  func `schemes say what they expect`(text: String, problem: String) {
    let error = #expect(throws: CompressionError.self) { try Scheme(text) }
    #expect(error?.description == "scheme '\(text)': \(problem)")
  }
}
