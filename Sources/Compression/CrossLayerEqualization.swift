public import Graphs
import Tensors

/// Makes the weights of neighbouring layers use their ranges alike, without changing what the network
/// computes.
///
/// Where one layer's channels reach another directly or through a ReLU, channel `i` may be divided by
/// any `s > 0` on one side and multiplied on the other, since `relu(x / s) s = relu(x)`. With `r1` the
/// largest magnitude of the channel's weights in the first layer and `r2` in the second,
/// `s = √(r1 / r2)` makes both `√(r1 r2)`. Chains of layers are gone through in turn until no `s`
/// differs from 1 by more than ``tolerance``. A channel without weights on one side stays as it is.
///
/// Layers are convolutions, grouped ones too, and products with transposed weights. A pair is left
/// alone where others read what lies between, where the activation is not `f(a x) = a f(x)`, as
/// `Clip` is not, and where weights or biases are shared or not `float32` constants. In a ResNet these
/// are the layers inside of a block: what an addition joins is read twice.
///
/// Source: M. Nagel and others, *Data-Free Quantization through Weight Equalization and Bias
/// Correction*, ICCV 2019, section 4.1, equations 8 to 11.
public struct CrossLayerEqualization: GraphPass {
  /// When a factor counts as 1.
  public var tolerance = 1e-4
  /// The largest number of rounds over all pairs.
  public var rounds = 200

  /// The pass with its defaults.
  public init() {}

  /// Two layers with nothing between them but an activation.
  struct Pair: Hashable {
    /// The position of the first.
    var first: Int
    /// The position of the second.
    var second: Int
  }

  /// Returns the equalized graph; batch norms should be folded before.
  public func rewrite(_ graph: Graph) -> Graph {
    let pairs = Self.pairs(of: graph)
    var layers: [Int: EqualizedLayer] = [:]
    for position in pairs.flatMap({ [$0.first, $0.second] }) where layers[position] == nil {
      layers[position] = EqualizedLayer(graph.nodes[position], in: graph)
    }
    for _ in 0..<rounds {
      var farthest = 0.0
      for pair in pairs {
        guard let first = layers[pair.first], let second = layers[pair.second] else { continue }
        let factors = first.outputs.indices.map { channel -> Double in
          let (r1, r2) = (first.range(ofOutput: channel), second.range(ofInput: channel))
          let factor = r1 > 0 && r2 > 0 ? (r1 / r2).squareRoot() : 1
          return factor.isFinite && factor > 0 ? factor : 1
        }
        layers[pair.first]?.outputs = zip(first.outputs, factors).map { $0 / $1 }
        layers[pair.second]?.inputs = zip(second.inputs, factors).map { $0 * $1 }
        farthest = factors.reduce(farthest) { max($0, abs($1 - 1)) }
      }
      if farthest <= tolerance { break }
    }
    var result = graph
    for (position, layer) in layers { layer.write(to: graph.nodes[position], of: &result) }
    return result
  }

  /// The pairs of `graph`, in its order.
  static func pairs(of graph: Graph) -> [Pair] {
    let index = GraphIndex(graph)
    func isLayer(_ position: Int) -> Bool {
      EqualizedLayer(graph.nodes[position], in: graph) != nil
        && graph.nodes[position].inputs.dropFirst().allSatisfy {
          $0.isEmpty || index.readers[$0]?.count == 1 && !index.outputs.contains($0)
        }
    }
    return graph.nodes.indices.compactMap { first in
      guard isLayer(first), var next = index.onlyReader(of: graph.nodes[first].outputs[0]) else {
        return nil
      }
      let between = graph.nodes[next]
      if between.operation == .relu || between.operation == .leakyRelu,
        let after = index.onlyReader(of: between.outputs[0])
      {
        next = after
      }
      let channels = EqualizedLayer(graph.nodes[first], in: graph)?.outputs.count
      guard isLayer(next), graph.nodes[next].operation == graph.nodes[first].operation,
        EqualizedLayer(graph.nodes[next], in: graph)?.inputs.count == channels
      else { return nil }
      return Pair(first: first, second: next)
    }
  }
}

/// The weights of a layer, and what its output and input channels are multiplied with.
struct EqualizedLayer {
  /// The factor of every output channel.
  var outputs: [Double]
  /// The factor of every input channel.
  var inputs: [Double]
  /// The largest magnitudes over the kernel, `[outputs, inputs of a group]`.
  private let magnitudes: [Double]
  private let groups: Int
  private let area: Int

  /// The layer, if its weights and bias can be scaled channel by channel.
  init?(_ node: Node, in graph: Graph) {
    guard node.inputs.count >= 2, let weights = graph.initializers[node.inputs[1]],
      weights.elementType == .float32, weights.shape.count >= 2, weights.count > 0
    else { return nil }
    switch node.operation {
    case .convolution: groups = node.int("group", default: 1)
    case .gemm:
      guard node.int("transB", default: 0) == 1, node.int("transA", default: 0) == 0 else {
        return nil
      }
      groups = 1
    default: return nil
    }
    let shape = weights.shape
    guard groups > 0, shape[0] % groups == 0 else { return nil }
    if node.inputs.count > 2, !node.inputs[2].isEmpty {
      guard let bias = graph.initializers[node.inputs[2]], bias.elementType == .float32,
        bias.count == shape[0]
      else { return nil }
    }
    area = shape[2...].reduce(1, *)
    outputs = [Double](repeating: 1, count: shape[0])
    inputs = [Double](repeating: 1, count: shape[1] * groups)
    let (values, area) = (weights.floats, area)
    magnitudes = (0..<values.count / area).map { i in
      values[i * area..<(i + 1) * area].reduce(0) { max($0, Double($1.magnitude)) }
    }
  }

  private var inputsPerGroup: Int { inputs.count / groups }
  private var outputsPerGroup: Int { outputs.count / groups }

  /// The first input channel that an output channel reads.
  private func firstInput(of output: Int) -> Int { output / outputsPerGroup * inputsPerGroup }

  /// The largest magnitude of an output channel's weights as they are scaled now.
  func range(ofOutput output: Int) -> Double {
    let first = firstInput(of: output)
    return (0..<inputsPerGroup).reduce(0) {
      max($0, magnitudes[output * inputsPerGroup + $1] * inputs[first + $1])
    } * outputs[output]
  }

  /// The largest magnitude of the weights that read an input channel.
  func range(ofInput input: Int) -> Double {
    let (group, column) = (input / inputsPerGroup, input % inputsPerGroup)
    return (group * outputsPerGroup..<(group + 1) * outputsPerGroup).reduce(0) {
      max($0, magnitudes[$1 * inputsPerGroup + column] * outputs[$1])
    } * inputs[input]
  }

  /// Scales the weights and bias of `node` in `graph`.
  func write(to node: Node, of graph: inout Graph) {
    guard let weights = graph.initializers[node.inputs[1]] else { return }
    var values = weights.floats
    for i in values.indices {
      let (output, column) = (i / area / inputsPerGroup, i / area % inputsPerGroup)
      let factor = outputs[output] * inputs[firstInput(of: output) + column]
      values[i] = Float(Double(values[i]) * factor)
    }
    graph.initializers[node.inputs[1]] = Tensor(shape: weights.shape, values)
    guard node.inputs.count > 2, let bias = graph.initializers[node.inputs[2]] else { return }
    graph.initializers[node.inputs[2]] = Tensor(
      shape: bias.shape, zip(bias.floats, outputs).map { Float(Double($0) * $1) })
  }
}
