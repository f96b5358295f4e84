public import Graphs
import Tensors

/// Merges every batch normalisation into the convolution before it.
///
/// With scale γ, shift β, mean μ and variance σ² of a channel, its weights become
/// `W γ / √(σ² + ε)` and its bias `(b - μ) γ / √(σ² + ε) + β`, computed in `Double`. The
/// convolution then writes the tensor that the normalisation wrote. A normalisation is left alone
/// where it does not follow a convolution, where others read the convolution's result, or where it
/// is in training mode.
///
/// Source: B. Jacob and others, *Quantization and Training of Neural Networks for Efficient
/// Integer-Arithmetic-Only Inference*, CVPR 2018, section 3.2.
public struct BatchNormFolding: GraphPass {
  /// The pass; it has no settings.
  public init() {}

  /// Returns the folded graph.
  ///
  /// - Throws: ``CompressionError`` when the parameters of a normalisation are not constants of one
  ///   element per output channel.
  public func rewrite(_ graph: Graph) throws(CompressionError) -> Graph {
    let index = GraphIndex(graph)
    var result = graph
    var folded: Set<Int> = []
    for (position, node) in graph.nodes.enumerated() where node.operation == .batchNormalization {
      guard node.int("training_mode", default: 0) == 0,
        let source = node.inputs.first, let before = index.writer[source],
        graph.nodes[before].operation == .convolution, graph.nodes[before].inputs.count >= 2,
        index.onlyReader(of: source) == position,
        graph.initializers[graph.nodes[before].inputs[1]] != nil
      else { continue }
      try fold(node, into: before, of: &result, shared: index)
      folded.insert(position)
    }
    result.nodes = result.nodes.indices.filter { !folded.contains($0) }.map { result.nodes[$0] }
    result.removeUnreadInitializers()
    return result
  }

  private func fold(
    _ norm: Node, into position: Int, of graph: inout Graph, shared index: GraphIndex
  ) throws(CompressionError) {
    var convolution = graph.nodes[position]
    let weightName = convolution.inputs[1]
    guard let weight = graph.initializers[weightName], weight.elementType == .float32,
      let channels = weight.shape.first, channels > 0
    else {
      throw CompressionError("node '\(convolution.name)'", "its weights are not float32 constants")
    }
    guard norm.inputs.count == 5, norm.outputs.count == 1 else {
      throw CompressionError("node '\(norm.name)'", "a batch normalisation has 5 inputs, 1 output")
    }
    func channelValues(_ name: String) throws(CompressionError) -> [Double] {
      guard let tensor = graph.initializers[name], tensor.elementType == .float32,
        tensor.count == channels
      else {
        throw CompressionError(
          "tensor '\(name)'", "is not a float32 constant of \(channels) elements")
      }
      return tensor.floats.map(Double.init)
    }
    let gamma = try channelValues(norm.inputs[1])
    let beta = try channelValues(norm.inputs[2])
    let mean = try channelValues(norm.inputs[3])
    let variance = try channelValues(norm.inputs[4])
    let hasBias = convolution.inputs.count > 2 && !convolution.inputs[2].isEmpty
    let bias =
      hasBias
      ? try channelValues(convolution.inputs[2]) : [Double](repeating: 0, count: channels)
    let epsilon = Double(norm.float("epsilon", default: 1e-5))

    let factor = (0..<channels).map { gamma[$0] / (variance[$0] + epsilon).squareRoot() }
    let perChannel = weight.count / channels
    var values = weight.floats
    for i in values.indices { values[i] = Float(Double(values[i]) * factor[i / perChannel]) }
    let shifts = (0..<channels).map { Float((bias[$0] - mean[$0]) * factor[$0] + beta[$0]) }

    // Weights that several nodes read stay as they are for the others.
    let isShared = (index.readers[weightName]?.count ?? 0) > 1
    let newWeight = isShared ? graph.freeName("\(weightName).folded") : weightName
    let stem = weightName.hasSuffix(".weight") ? String(weightName.dropLast(7)) : weightName
    let newBias = graph.freeName(hasBias ? "\(convolution.inputs[2]).folded" : "\(stem).bias")
    graph.initializers[newWeight] = Tensor(shape: weight.shape, values)
    graph.initializers[newBias] = Tensor(shape: [channels], shifts)
    convolution.inputs = [convolution.inputs[0], newWeight, newBias]
    convolution.outputs = norm.outputs
    graph.nodes[position] = convolution
  }
}
