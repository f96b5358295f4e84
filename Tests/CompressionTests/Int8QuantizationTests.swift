import GraphReference
import Graphs
import Tensors
import Testing

@testable import Compression

@Suite struct Int8QuantizationTests {
  private func quantized(
    seed: UInt64, keepsBatchNorms: Bool = false, observer: ObserverKind = .minMax
  ) throws -> (float: Graph, pass: Int8Quantization, images: [Float]) {
    let graph = SmallNetwork.graph(seed: seed)
    let float = keepsBatchNorms ? graph : try BatchNormFolding().rewrite(graph)
    let sites = ActivationSites(of: float, keepsBatchNorms: keepsBatchNorms)
    let images = SmallNetwork.images(4, seed: seed)
    let activations = try Calibration(observer: observer, grid: 0...255)
      .parameters(of: float, at: sites, with: ReferenceProbe(batches: [images]))
    return (float, Int8Quantization(sites: sites, activations: activations), images)
  }

  @Test func `activations are quantized where integers are read`() throws {
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 0))
    let sites = ActivationSites(of: graph, keepsBatchNorms: false)
    #expect(
      sites.observed == [
        "input", "relu_out", "downsample.1_out", "a_relu_out", "b_bn_out", "add_relu_out",
        "gap_out",
      ])
    #expect(sites.ranges["maxpool_out"] == "relu_out")
    #expect(sites.ranges["flatten_out"] == "gap_out")
    #expect(sites.ranges["logits"] == nil)
  }

  /// A runtime may round what is added to a sum, or not: with one scale both come to the same.
  @Test func `terms and sum have one scale, which covers the range of each`() throws {
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 0))
    let sites = ActivationSites(of: graph, keepsBatchNorms: false)
    #expect(sites.sums == [["downsample.1_out", "b_bn_out", "add_relu_out"]])
    #expect(ActivationSites(of: SmallNetwork.graph(seed: 0), keepsBatchNorms: true).sums == [])
    let own = [
      "downsample.1_out": QuantizationParameters(scale: 0.5, zeroPoint: 100),
      "b_bn_out": QuantizationParameters(scale: 2, zeroPoint: 31),
      "add_relu_out": QuantizationParameters(scale: 1, zeroPoint: 0),
      "gap_out": QuantizationParameters(scale: 3, zeroPoint: 7),
    ]
    let shared = sites.sharingScales(own)
    for (tensor, before) in own where tensor != "gap_out" {
      let after = try #require(shared[tensor])
      #expect(after.scale == 2)
      // The same range but for the rounding of the zero point.
      #expect(abs(after.dequantize(0) - before.dequantize(0)) <= after.scale / 2, "\(tensor)")
      #expect(after.dequantize(255) >= before.dequantize(255) - after.scale / 2, "\(tensor)")
    }
    #expect(shared["gap_out"] == own["gap_out"])
  }

  /// Property: whether the terms of a sum are rounded first makes no difference but at exact ties.
  @Test(arguments: 0..<20 as Range<UInt64>)
  func `a sum is the same whether its terms are rounded before or not`(seed: UInt64) throws {
    let (float, pass, images) = try quantized(seed: seed)
    let graph = try pass.rewrite(float)
    var unrounded = graph
    let sum = try #require(graph.nodes.firstIndex { $0.operation == .add })
    let term = "b_bn_out"
    #expect(graph.nodes[sum].inputs.contains("\(term)_dequantized"))
    unrounded.nodes[sum].inputs = graph.nodes[sum].inputs.map {
      $0 == "\(term)_dequantized" ? term : $0
    }
    let name = "add_relu_out_quantized"
    let values = try SmallNetwork.run(graph, images)
    let before = try #require(values[name])
    let after = try #require(SmallNetwork.run(unrounded, images)[name])
    // Both clip to the term's range, which the plain loops of the second graph do not.
    let codes = try #require(values["\(term)_quantized"]).values(as: UInt8.self)
    let pairs = zip(zip(before.bytes, after.bytes), codes).filter { 1...254 ~= $1 }.map(\.0)
    #expect(pairs.count > 100)
    #expect(pairs.allSatisfy { $0 == $1 })
  }

  /// As PyTorch's eager mode does without `fuse_model()`.
  @Test func `kept batch norms get ranges of their own, and ReLUs share them`() throws {
    let sites = ActivationSites(of: SmallNetwork.graph(seed: 0), keepsBatchNorms: true)
    #expect(
      sites.observed == [
        "input", "conv1_out", "bn1_out", "downsample.0_out", "downsample.1_out", "a_out",
        "a_bn_out", "b_out", "b_bn_out", "add_relu_out",
      ])
    #expect(sites.ranges["relu_out"] == "bn1_out")
    #expect(sites.ranges["maxpool_out"] == "bn1_out")
    #expect(sites.ranges["flatten_out"] == "add_relu_out")
  }

  @Test(arguments: ObserverKind.allCases)
  func `the quantized network stays near the float one`(observer: ObserverKind) throws {
    let (float, pass, images) = try quantized(seed: 5, observer: observer)
    let before = try #require(SmallNetwork.run(float, images)["logits"]).floats
    let after = try #require(SmallNetwork.run(pass.rewrite(float), images)["logits"]).floats
    let error = zip(before, after).map { abs($0 - $1) }.max() ?? .infinity
    let spread = (before.max() ?? 0) - (before.min() ?? 0)
    #expect(error > 0)
    #expect(error < 0.1 * spread)
  }

  @Test func `every activation is within half a step of what was quantized`() throws {
    let (float, pass, images) = try quantized(seed: 6)
    let values = try SmallNetwork.run(pass.rewrite(float), images)
    for (tensor, source) in pass.sites.ranges {
      let parameters = try #require(pass.activations[source])
      let real = try #require(values[tensor]).floats
      let rounded = try #require(values["\(tensor)_dequantized"]).floats
      let lowest = parameters.dequantize(0)
      let highest = parameters.dequantize(255)
      for (x, y) in zip(real, rounded) {
        let inside = min(max(x, lowest), highest)
        #expect(abs(inside - y) <= parameters.scale * 0.5001)
      }
    }
  }

  /// ONNX Runtime rounds biases to the steps of the sums; whole ones mean the same everywhere.
  @Test func `biases are whole numbers of products`() throws {
    let (float, pass, _) = try quantized(seed: 8)
    let graph = try pass.rewrite(float)
    var moved = false
    for layer in BiasCorrection.layers(of: float) {
      let (node, before) = (graph.nodes.first { $0.name == float.nodes[layer].name }, layer)
      let quantized = try #require(node)
      let source = try #require(pass.sites.ranges[float.nodes[before].inputs[0]])
      let step = try #require(pass.activations[source]).scale
      let scales = try #require(graph.initializers["\(quantized.inputs[1])_scale"]).floats
      let bias = try #require(graph.initializers[quantized.inputs[2]]).floats
      let old = try #require(float.initializers[float.nodes[before].inputs[2]]).floats
      for (i, value) in bias.enumerated() {
        let whole = value / (step * scales[i])
        #expect(abs(whole - whole.rounded()) <= 1e-6 * max(1, abs(whole)))
        #expect(abs(value - old[i]) <= 0.501 * step * scales[i])
        moved = moved || value != old[i]
      }
    }
    #expect(moved)
  }

  @Test func `after a ReLU zero is the lowest integer`() throws {
    let (_, pass, _) = try quantized(seed: 7)
    for tensor in ["relu_out", "a_relu_out", "add_relu_out", "gap_out"] {
      #expect(pass.activations[tensor]?.zeroPoint == 0)
    }
    #expect(pass.activations["input"]?.zeroPoint != 0)
  }

  @Test func `weights are stored as integers only`() throws {
    for keepsBatchNorms in [false, true] {
      let (float, pass, _) = try quantized(seed: 8, keepsBatchNorms: keepsBatchNorms)
      let graph = try pass.rewrite(float)
      for name in ["conv1.weight", "downsample.0.weight", "a.weight", "b.weight", "fc.weight"] {
        #expect(graph.initializers[name] == nil)
        #expect(graph.initializers["\(name)_quantized"]?.elementType == .int8)
      }
      let norms = graph.nodes.filter { $0.operation == .batchNormalization }.count
      #expect(norms == (keepsBatchNorms ? 4 : 0))
      _ = try graph.validate()
    }
  }

  @Test(arguments: 0..<5 as Range<UInt64>, [ChannelQuantization.Grid.narrow, .reduced])
  func `weights are within half a step, and the largest is exact`(
    seed: UInt64, grid: ChannelQuantization.Grid
  ) {
    let most = grid == .narrow ? 127 : 64
    var random = SplitMix64(seed: seed)
    let values = (0..<5 * 27).map { _ in Float(random.normal()) }
    let weights = Tensor(shape: [5, 3, 3, 3], values)
    let found = ChannelQuantization.symmetric(weights, grid: grid)
    for channel in 0..<5 {
      let members = channel * 27..<(channel + 1) * 27
      let scale = found.scales[channel]
      for i in members {
        #expect(abs(values[i] - Float(found.integers[i]) * scale) <= scale * 0.5001)
      }
      #expect(found.integers[members].map { abs(Int($0)) }.max() == most)
    }
  }

  @Test func `bias correction brings the means back`() throws {
    let (float, pass, images) = try quantized(seed: 9)
    let probe = ReferenceProbe(batches: [images])
    let corrected = try BiasCorrection().correct(float, for: pass, with: probe)
    func means(_ graph: Graph, _ tensor: String) throws -> [Double] {
      let found = try #require(SmallNetwork.run(graph, images)[tensor])
      let (channels, area) = (found.shape[1], found.shape[2...].reduce(1, *))
      var sums = [Double](repeating: 0, count: channels)
      for (i, x) in found.floats.enumerated() { sums[i / area % channels] += Double(x) }
      return sums.map { $0 / Double(found.shape[0] * area) }
    }
    let files = (plain: try pass.rewrite(float), repaired: try pass.rewrite(corrected))
    // What is left is the rounding of the bias itself: half of a product's step.
    var beyond = (plain: 0.0, repaired: 0.0)
    for tensor in ["bn1_out", "a_bn_out", "b_bn_out", "logits"] {
      let layer = try #require(float.nodes.first { $0.outputs == [tensor] })
      let source = try #require(pass.sites.ranges[layer.inputs[0]])
      let scale = Double(try #require(pass.activations[source]).scale)
      let scales = try #require(files.repaired.initializers["\(layer.inputs[1])_scale"]).floats
      let wanted = try means(float, tensor)
      let (plain, repaired) = (try means(files.plain, tensor), try means(files.repaired, tensor))
      for channel in wanted.indices {
        let half = scale * Double(scales[channel]) / 2
        beyond.plain += max(0, abs(plain[channel] - wanted[channel]) - half)
        beyond.repaired += max(0, abs(repaired[channel] - wanted[channel]) - half)
      }
    }
    #expect(beyond.plain > 1e-4)
    #expect(beyond.repaired < 1e-5)
  }

  @Test func `calibration names a tensor that is not finite`() throws {
    var graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 10))
    let weights = try #require(graph.initializers["a.weight"])
    var values = weights.floats
    values[0] = .infinity
    graph.initializers["a.weight"] = Tensor(shape: weights.shape, values)
    let sites = ActivationSites(of: graph, keepsBatchNorms: false)
    let probe = ReferenceProbe(batches: [SmallNetwork.images(2, seed: 1)])
    let error = #expect(throws: CompressionError.self) {
      try Calibration(observer: .minMax, grid: 0...255).parameters(
        of: graph, at: sites, with: probe)
    }
    #expect(error?.description == "tensor 'a_relu_out': holds values that are not finite numbers")
  }
}
