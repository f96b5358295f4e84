import Graphs
import Tensors

/// Shifts biases so that quantization leaves the mean of every output channel where it was.
///
/// Layer by layer in the order of the graph, the mean over images and positions of what a
/// convolution or product writes is compared between the float graph and the quantized one, whose
/// earlier layers are corrected already, and the difference is added to the bias. The bias is then
/// rounded as in every int8 file, so that a mean is off by up to half a product's step,
/// `input scale x weight scale / 2`.
///
/// Source: M. Nagel and others, *Data-Free Quantization through Weight Equalization and Bias
/// Correction*, ICCV 2019, section 4.2 and appendix D (the empirical form).
struct BiasCorrection {
  /// Corrects the biases of a float graph.
  ///
  /// - Parameters:
  ///   - graph: The float graph, folded if it is to be.
  ///   - quantization: How it will be quantized.
  ///   - probe: The images.
  /// - Returns: The float graph; quantizing it again gives the corrected model.
  /// - Throws: Whatever running the graphs throws.
  func correct(
    _ graph: Graph, for quantization: Int8Quantization, with probe: some TensorProbe
  ) throws -> Graph {
    let layers = Self.layers(of: graph)
    var corrected = graph
    for layer in layers { Self.ensureBias(of: layer, in: &corrected) }
    let names = layers.map { graph.nodes[$0].outputs[0] }
    let channels = layers.map { graph.initializers[graph.nodes[$0].inputs[1]]?.shape.first ?? 0 }
    let wanted = try means(of: names, channels, in: corrected, probe)
    // Biases can be changed where they are: weights are quantized once.
    var quantized = try quantization.rewrite(corrected)
    for (i, layer) in layers.enumerated() {
      let found = try means(of: [names[i]], [channels[i]], in: quantized, probe)[0]
      let bias = corrected.nodes[layer].inputs[2]
      guard let old = quantized.initializers[bias] else { continue }
      let shifted = zip(old.floats, zip(wanted[i], found)).map {
        Float(Double($0) + $1.0 - $1.1)
      }
      let new = Tensor(shape: old.shape, shifted)
      corrected.initializers[bias] = new
      // Later layers see what the file will hold.
      quantized.initializers[bias] =
        quantization.rounded(new, of: corrected.nodes[layer], in: quantized) ?? new
    }
    return corrected
  }

  /// The nodes with constant weights, by position.
  static func layers(of graph: Graph) -> [Int] {
    graph.nodes.indices.filter {
      let node = graph.nodes[$0]
      return (node.operation == .convolution || node.operation == .gemm)
        && node.inputs.count >= 2 && graph.initializers[node.inputs[1]] != nil
    }
  }

  /// The mean of every channel of `tensors` over all images and positions, in `Double`.
  private func means(
    of tensors: [String], _ channels: [Int], in graph: Graph, _ probe: some TensorProbe
  ) throws -> [[Double]] {
    var sums = channels.map { [Double](repeating: 0, count: $0) }
    var counts = channels.map { _ in 0 }
    try probe.run(graph, showing: tensors) { tensor, values, images in
      let area = values.count / max(1, images * channels[tensor])
      for row in 0..<images * channels[tensor] {
        var sum = 0.0
        for value in values[row * area..<(row + 1) * area] { sum += Double(value) }
        sums[tensor][row % channels[tensor]] += sum
      }
      counts[tensor] += images * area
    }
    return zip(sums, counts).map { sums, count in sums.map { $0 / Double(max(1, count)) } }
  }

  /// Gives the layer a bias of its own, of zeros where it had none.
  static func ensureBias(of layer: Int, in graph: inout Graph) {
    let weight = graph.nodes[layer].inputs[1]
    let count = graph.initializers[weight]?.shape.first ?? 0
    let old = graph.nodes[layer].inputs.dropFirst(2).first { !$0.isEmpty }
    let name = graph.freeName("\(weight).correctedBias")
    let zeros = Tensor(shape: [count], [Float](repeating: 0, count: count))
    graph.initializers[name] = old.flatMap { graph.initializers[$0] } ?? zeros
    graph.nodes[layer].inputs = Array(graph.nodes[layer].inputs.prefix(2)) + [name]
    graph.removeUnreadInitializers()
  }
}
