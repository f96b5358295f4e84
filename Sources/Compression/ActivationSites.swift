public import Graphs
import Tensors

/// Which activations of a graph are quantized, and which of them share one range.
///
/// A tensor is quantized where an operator with an integer form reads it: the input, what
/// convolutions, products, additions and poolings write. A ReLU or another
/// function of each element belongs to the operator before it, so only its result is quantized; a zero
/// point at the lowest integer then does the ReLU's work.
/// Max pooling and flattening move integers without changing them, so their results keep the range
/// of what they read. What only the caller or a softmax reads stays real: logits keep their full
/// resolution.
public struct ActivationSites: Hashable, Sendable {
  /// The tensors whose ranges have to be estimated, in the order of the graph.
  public private(set) var observed: [String] = []

  /// For every tensor to quantize, the observed tensor whose range it has.
  public private(set) var ranges: [String: String] = [:]

  /// Observed tensors that are added to each other, and their sums: each group has one scale.
  ///
  /// OpenVINO does not round what a convolution writes where the next operator adds something to it.
  /// With one scale for both terms and the sum that makes no difference: a whole number of steps can
  /// be added before rounding or after.
  public private(set) var sums: [Set<String>] = []

  /// What is done to each element belongs to the operator before it.
  private static let functions: Set<Operation> = [
    .relu, .clip, .leakyRelu, .sigmoid, .hardSigmoid, .hardSwish, .gelu, .pRelu,
  ]

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
    let functions = Self.functions
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
    if !keepsBatchNorms { findSums(in: graph, index) }
  }

  private mutating func findSums(in graph: Graph, _ index: GraphIndex) {
    for node in graph.nodes where node.operation == .add {
      var sum = node.outputs[0]
      // The function behind a sum belongs to it.
      while ranges[sum] == nil, let reader = index.onlyReader(of: sum),
        Self.functions.contains(graph.nodes[reader].operation)
      {
        sum = graph.nodes[reader].outputs[0]
      }
      let tensors = (node.inputs + [sum]).map { ranges[$0] }
      var group = Set(tensors.compactMap(\.self))
      guard !tensors.contains(nil), group.count > 1 else { continue }
      for other in sums where !other.isDisjoint(with: group) { group.formUnion(other) }
      sums.removeAll { !$0.isDisjoint(with: group) }
      sums.append(group)
    }
  }

  /// The parameters with one scale, the largest, for the tensors of each sum.
  ///
  /// The integers that a range needs become fewer, its zero point moves along.
  func sharingScales(
    _ parameters: [String: QuantizationParameters]
  ) -> [String: QuantizationParameters] {
    var result = parameters
    for group in sums {
      guard let largest = group.compactMap({ parameters[$0]?.scale }).max() else { continue }
      for tensor in group {
        guard let own = parameters[tensor] else { continue }
        let zeroPoint = Float(own.zeroPoint) * (own.scale / largest)
        result[tensor] = QuantizationParameters(
          scale: largest, zeroPoint: Int(zeroPoint.rounded(.toNearestOrEven)))
      }
    }
    return result
  }
}
