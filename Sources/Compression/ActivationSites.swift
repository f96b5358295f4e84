public import Graphs
import Tensors

/// Which activations of a graph are quantized, and which of them share one range.
///
/// A tensor is quantized where an operator with an integer form reads it: the input, what
/// convolutions, products, additions and poolings write. A ReLU or another
/// function of each element belongs to the operator before it, so only its result is quantized; a zero point at the lowest integer then does the ReLU's work.
/// Max pooling and flattening move integers without changing them, so their results keep the range
/// of what they read. What only the caller or a softmax reads stays real: logits keep their full
/// resolution.
public struct ActivationSites: Hashable, Sendable {
  /// The tensors whose ranges have to be estimated, in the order of the graph.
  public private(set) var observed: [String] = []

  /// For every tensor to quantize, the observed tensor whose range it has.
  public private(set) var ranges: [String: String] = [:]

  /// Finds the places in `graph`.
  ///
  /// - Parameters:
  ///   - graph: Any graph; quantizers already in it are left alone.
  ///   - keepsBatchNorms: Treats batch normalisations as operators of their own, as PyTorch's eager
  ///     mode does when `fuse_model()` was not called: their results are quantized before the ReLU,
  ///     which keeps that range, as does average pooling.
  public init(of graph: Graph, keepsBatchNorms: Bool) {
    let index = GraphIndex(graph)
    var integerForms: Set<Operation> = [
      .convolution, .gemm, .add, .maxPool, .averagePool, .globalAveragePool, .flatten,
      .concatenate, .slice, .reshape, .transpose, .pad,
    ]
    let functions: Set<Operation> = [
      .relu, .clip, .leakyRelu, .sigmoid, .hardSigmoid, .hardSwish, .gelu, .pRelu,
    ]
    if keepsBatchNorms { integerForms.formUnion([.batchNormalization, .relu]) }

    func isRead(_ tensor: String) -> Bool {
      (index.readers[tensor] ?? []).contains { integerForms.contains(graph.nodes[$0].operation) }
    }
    func isReadByFunctionAlone(_ tensor: String) -> Bool {
      index.onlyReader(of: tensor).map { functions.contains(graph.nodes[$0].operation) } ?? false
    }
    func add(_ tensor: String, rangeOf source: String? = nil) {
      let known = source.flatMap { ranges[$0] }
      if known == nil { observed.append(tensor) }
      ranges[tensor] = known ?? tensor
    }

    for input in graph.inputs where input.elementType == .float32 && isRead(input.name) {
      add(input.name)
    }
    for node in graph.nodes {
      guard let tensor = node.outputs.first, isRead(tensor) else { continue }
      switch node.operation {
      case .convolution, .gemm, .add, .multiply, .concatenate, .resize, .layerNormalization,
        .matMul:
        if !isReadByFunctionAlone(tensor) { add(tensor) }
      case .batchNormalization:
        if keepsBatchNorms || !isReadByFunctionAlone(tensor) { add(tensor) }
      case .relu:
        add(tensor, rangeOf: keepsBatchNorms ? node.inputs.first : nil)
      case .clip, .leakyRelu, .sigmoid, .hardSigmoid, .hardSwish, .gelu, .pRelu:
        if !isReadByFunctionAlone(tensor) { add(tensor) }
      case .maxPool, .flatten, .slice, .reshape, .transpose, .pad:
        add(tensor, rangeOf: node.inputs.first)
      case .averagePool, .globalAveragePool:
        add(tensor, rangeOf: keepsBatchNorms ? node.inputs.first : nil)
      default: break
      }
    }
  }
}
