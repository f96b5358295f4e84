public import Graphs
import Tensors

/// Writes a graph as a standard ONNX int8 model: QuantizeLinear and DequantizeLinear around every
/// operator that has an integer form.
///
/// Weights are stored as int8 with one scale per output channel and no zero point, biases as
/// `float32` multiples of the step of the sums that they are added to, activations are 8-bit
/// unsigned with one scale and zero point per tensor. A runtime
/// that knows the pattern computes with integers; one that does not gets the same numbers from the
/// operators as they are written.
public struct Int8Quantization: GraphPass {
  /// Where activations are quantized.
  public var sites: ActivationSites
  /// The scale and zero point of every observed tensor of ``sites``.
  public var activations: [String: QuantizationParameters]
  /// Which integers weights use.
  public var weightGrid: ChannelQuantization.Grid
  /// Weights that something else writes as whole numbers with scales; they are left alone.
  var codedWeights: Set<String> = []
  /// The scales of those of them that are known: one, or one for each output channel.
  var codedScales: [String: [Float]] = [:]
  /// Weights whose integers are known; the others are rounded to the nearest.
  var knownWeights: [String: ChannelQuantization] = [:]

  /// The pass for what was found by calibration.
  public init(
    sites: ActivationSites, activations: [String: QuantizationParameters],
    weightGrid: ChannelQuantization.Grid = .reduced
  ) {
    self.sites = sites
    self.activations = activations
    self.weightGrid = weightGrid
  }

  /// Returns the quantized graph; names of inputs, outputs and operators stay.
  ///
  /// - Throws: ``CompressionError`` when a range is missing or weights are not constants.
  public func rewrite(_ graph: Graph) throws(CompressionError) -> Graph {
    var result = graph
    result.nodes = []
    // The tensor that readers of a quantized tensor get instead.
    var replacements: [String: String] = [:]
    var written: Set<String> = []

    var readers: [String: Int] = [:]
    for name in graph.nodes.flatMap(\.inputs) { readers[name, default: 0] += 1 }

    for input in graph.inputs {
      try quantize(input.name, in: &result, &replacements)
    }
    for node in graph.nodes {
      var node = node
      let readsIntegers = Self.readsIntegers(node.operation, sites: sites)
      if node.operation == .convolution || node.operation == .gemm {
        try quantizeWeights(of: &node, in: &result, &written)
        roundBias(of: &node, in: &result, readers: readers)
      }
      if readsIntegers { node.inputs = node.inputs.map { replacements[$0] ?? $0 } }
      result.nodes.append(node)
      for output in node.outputs { try quantize(output, in: &result, &replacements) }
    }
    result.removeUnreadInitializers()
    return result
  }

  /// The graph with activations quantized and weights as they are: what a step of training computes.
  func simulated(_ graph: Graph) throws(CompressionError) -> Graph {
    var activationsOnly = self
    activationsOnly.codedWeights = Set(
      BiasCorrection.layers(of: graph).map { graph.nodes[$0].inputs[1] })
    return try activationsOnly.rewrite(graph)
  }

  /// Whether an operator takes the quantized form of what it reads.
  private static func readsIntegers(_ operation: Operation, sites: ActivationSites) -> Bool {
    switch operation {
    case .quantizeLinear, .dequantizeLinear, .softmax, .logSoftmax, .identity, .layerNormalization,
      .matMul:
      false
    default: true
    }
  }

  /// Appends the pair of nodes that rounds `tensor`, if it is one to quantize.
  private func quantize(
    _ tensor: String, in graph: inout Graph, _ replacements: inout [String: String]
  ) throws(CompressionError) {
    guard let source = sites.ranges[tensor] else { return }
    guard let parameters = activations[source] else {
      throw CompressionError("tensor '\(source)'", "has no calibrated range")
    }
    let scale = "\(source)_scale"
    let zeroPoint = "\(source)_zero_point"
    graph.initializers[scale] = Tensor(scalar: parameters.scale)
    graph.initializers[zeroPoint] = Tensor(scalar: UInt8(clamping: parameters.zeroPoint))
    graph.nodes += [
      Node(
        "\(tensor)_QuantizeLinear", .quantizeLinear, inputs: [tensor, scale, zeroPoint],
        outputs: ["\(tensor)_quantized"]),
      Node(
        "\(tensor)_DequantizeLinear", .dequantizeLinear,
        inputs: ["\(tensor)_quantized", scale, zeroPoint], outputs: ["\(tensor)_dequantized"]),
    ]
    replacements[tensor] = "\(tensor)_dequantized"
  }

  /// Replaces the constant weights of `node` by integers and the node that scales them.
  private func quantizeWeights(
    of node: inout Node, in graph: inout Graph, _ written: inout Set<String>
  ) throws(CompressionError) {
    let place = "node '\(node.name)'"
    guard node.inputs.count >= 2 else { throw CompressionError(place, "has no weights") }
    let name = node.inputs[1]
    if written.contains(name) || codedWeights.contains(name) { return }
    guard let weight = graph.initializers[name], weight.elementType == .float32,
      weight.shape.count >= 2
    else {
      throw CompressionError(
        place, "its weights '\(name)' are not a float32 constant of two or more axes")
    }
    if node.operation == .gemm && node.int("transB", default: 0) == 0 {
      throw CompressionError(place, "its weights are stored inputs first; expected transB = 1")
    }
    let quantized = knownWeights[name] ?? .symmetric(weight, grid: weightGrid)
    graph.initializers[name] = nil
    graph.initializers["\(name)_quantized"] = Tensor(shape: quantized.shape, quantized.integers)
    graph.initializers["\(name)_scale"] = Tensor(
      shape: [quantized.scales.count], quantized.scales)
    graph.nodes.append(
      Node(
        "\(name)_DequantizeLinear", .dequantizeLinear,
        inputs: ["\(name)_quantized", "\(name)_scale"], outputs: [name],
        attributes: ["axis": .int(0)]))
    written.insert(name)
  }

  /// Makes the bias of `node` whole, under a name of its own where others read it too.
  private func roundBias(of node: inout Node, in graph: inout Graph, readers: [String: Int]) {
    guard node.inputs.count > 2, let bias = graph.initializers[node.inputs[2]],
      let rounded = rounded(bias, of: node, in: graph)
    else { return }
    if readers[node.inputs[2], default: 0] > 1 { node.inputs[2] = "\(node.outputs[0])_bias" }
    graph.initializers[node.inputs[2]] = rounded
  }

  /// A bias as whole numbers of one product, `input scale x weight scale`.
  ///
  /// ONNX Runtime adds biases as whole numbers and rounds those that are not; others do not. Whole
  /// ones are the same for all, and half a product is far less than a step of any result.
  ///
  /// - Parameters:
  ///   - bias: One number for each output channel.
  ///   - node: The layer as it stands in the float graph.
  ///   - graph: The quantized graph, which has the scales of the layer's weights, but for coded ones.
  /// - Returns: `nil` for a layer that does not multiply whole numbers.
  func rounded(_ bias: Tensor, of node: Node, in graph: Graph) -> Tensor? {
    guard bias.elementType == .float32, node.float("beta", default: 1) == 1,
      let source = sites.ranges[node.inputs[0]], let scale = activations[source]?.scale,
      let scales = graph.initializers["\(node.inputs[1])_scale"]?.floats
        ?? codedScales[node.inputs[1]],
      scales.count == 1 || scales.count == bias.count
    else { return nil }
    let rounded = bias.floats.enumerated().map { i, value in
      let step = scale * scales[scales.count == 1 ? 0 : i]
      let whole = (value / step).rounded(.toNearestOrEven)
      // Beyond 24 bits a Float is coarser than the step anyway.
      return whole.magnitude < 16_777_216 ? whole * step : value
    }
    return Tensor(shape: bias.shape, rounded)
  }
}
