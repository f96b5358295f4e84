import Graphs
import Tensors

extension CompressionWork {
  /// Puts mean, or mean and variance, of every channel that a layer writes back to where the float
  /// model has them.
  ///
  /// Layer by layer in the order of the graph, earlier layers being restored already. With the
  /// variance this is what re-estimating the statistics of batch norms does, in a model whose batch
  /// norms are folded: scale and bias of a channel take their place. The last layer's variance stays
  /// as it is, and so do those of sparse weights, which have no scales.
  ///
  /// Source: M. Nagel and others, *Data-Free Quantization through Weight Equalization and Bias
  /// Correction*, ICCV 2019, section 4.2; X. Sun and others, *Hybrid 8-bit Floating Point (HFP8)
  /// Training and Inference*, NeurIPS 2019, section 4.3 (re-tuning batch norm statistics).
  mutating func restoreMoments(with probe: some TensorProbe) throws {
    var reference = teacher
    let layers = BiasCorrection.layers(of: graph)
    for layer in layers {
      BiasCorrection.ensureBias(of: layer, in: &graph)
      BiasCorrection.ensureBias(of: layer, in: &reference)
    }
    let names = layers.map { graph.nodes[$0].outputs[0] }
    let channels = layers.map { graph.initializers[graph.nodes[$0].inputs[1]]?.shape.first ?? 0 }
    let all = layers.map {
      reference.initializers[reference.nodes[$0].inputs[1]]?.shape.first ?? 0
    }
    let wanted = try zip(
      ChannelMoments.measure(names, channels: all, in: reference, probe), names
    ).map { $0.of(keptOutputs[$1]) }
    for (i, layer) in layers.enumerated() {
      let node = graph.nodes[layer]
      guard let bias = graph.initializers[node.inputs[2]]?.floats else { continue }
      let found = try ChannelMoments.measure(
        [names[i]], channels: [channels[i]], in: graph, probe)[0]
      var factors = [Float](repeating: 1, count: channels[i])
      let stored = coded[node.inputs[1]]
      if weights.restores == .variance, i < layers.count - 1, stored?.kept == nil {
        factors = (0..<channels[i]).map { channel in
          let ratio = wanted[i].variances[channel] / max(found.variances[channel], 1e-12)
          return Float(min(max(ratio.squareRoot(), 0.5), 2))
        }
        scale(node.inputs[1], by: factors)
      }
      let shifted = bias.indices.map { channel in
        let factor = Double(factors[channel])
        let without = found.means[channel] - Double(bias[channel])
        return Float(wanted[i].means[channel] - factor * without)
      }
      graph.initializers[node.inputs[2]] = Tensor(shape: [shifted.count], shifted)
    }
  }
}

extension CompressionWork {
  /// Multiplies the output channels of weights with factors, however they are stored.
  private mutating func scale(_ name: String, by factors: [Float]) {
    if var stored = coded[name] {
      stored.scale(by: factors)
      store(stored, as: name)
    } else if let tensor = graph.initializers[name] {
      var values = tensor.floats
      let perChannel = max(1, values.count / max(1, factors.count))
      for i in values.indices { values[i] *= factors[i / perChannel] }
      graph.initializers[name] = Tensor(shape: tensor.shape, values)
    }
  }
}

/// Mean and variance of every channel of a tensor over images and positions.
struct ChannelMoments {
  var means: [Double]
  var variances: [Double]

  /// Those of some channels; `nil` is all.
  func of(_ channels: [Int]?) -> ChannelMoments {
    guard let channels else { return self }
    return ChannelMoments(
      means: channels.map { means[$0] }, variances: channels.map { variances[$0] })
  }

  /// The moments of `tensors`, whose second axis has as many channels as said.
  static func measure(
    _ tensors: [String], channels: [Int], in graph: Graph, _ probe: some TensorProbe
  ) throws -> [ChannelMoments] {
    var sums = channels.map { [SIMD2<Double>](repeating: .zero, count: $0) }
    var counts = channels.map { _ in 0 }
    try probe.run(graph, showing: tensors) { tensor, values, images in
      let area = values.count / max(1, images * channels[tensor])
      for row in 0..<images * channels[tensor] {
        var sum = SIMD2<Double>.zero
        for value in values[row * area..<(row + 1) * area] {
          let x = Double(value)
          sum += SIMD2(x, x * x)
        }
        sums[tensor][row % channels[tensor]] += sum
      }
      counts[tensor] += images * area
    }
    return zip(sums, counts).map { sums, count in
      let means = sums.map { $0[0] / Double(max(1, count)) }
      return ChannelMoments(
        means: means,
        variances: sums.indices.map {
          max(0, sums[$0][1] / Double(max(1, count)) - means[$0] * means[$0])
        })
    }
  }
}
