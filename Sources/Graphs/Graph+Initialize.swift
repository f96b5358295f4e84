import Tensors

extension Graph {
  /// Draws all weights anew as torchvision does for its residual networks.
  ///
  /// Convolutions: normal with variance 2 / (outputs x kernel area). Batch normalisations: scale 1,
  /// shift 0, mean 0, variance 1. Fully connected layers and biases: uniform within 1 / sqrt(inputs).
  /// Each tensor has a stream of its own, chosen by its name, so adding or resizing one layer does
  /// not change what the others get. Tensors that are not `float32` stay as they are.
  ///
  /// Source: K. He, X. Zhang, S. Ren, J. Sun, *Delving Deep into Rectifiers*, ICCV 2015,
  /// equation 14. <https://arxiv.org/abs/1502.01852>
  public mutating func initialize(seed: UInt64) {
    for node in nodes { initialize(node, seed: seed) }
  }

  /// Draws the weights of one node anew; see ``initialize(seed:)``.
  mutating func initialize(_ node: Node, seed: UInt64) {
    func name(_ index: Int) -> String {
      node.inputs.indices.contains(index) ? node.inputs[index] : ""
    }
    guard let weight = initializers[name(1)], !weight.shape.isEmpty else { return }
    switch node.operation {
    case .convolution:
      let area = weight.shape.dropFirst(2).reduce(1, *)
      let deviation = (2 / Double(max(1, weight.shape[0] * area))).squareRoot()
      draw(name(1), seed) { deviation * $0.normal() }
      let bound = 1 / Double(max(1, weight.shape.dropFirst().reduce(1, *))).squareRoot()
      draw(name(2), seed) { $0.uniform(-bound...bound) }
    case .gemm where weight.shape.count == 2:
      let inputs = weight.shape[node.int("transB", default: 0) == 0 ? 0 : 1]
      let bound = 1 / Double(max(1, inputs)).squareRoot()
      draw(name(1), seed) { $0.uniform(-bound...bound) }
      draw(name(2), seed) { $0.uniform(-bound...bound) }
    case .batchNormalization:
      for (index, value) in [1.0, 0, 0, 1].enumerated() {
        draw(name(index + 1), seed) { _ in value }
      }
    default:
      break
    }
  }

  private mutating func draw(
    _ name: String, _ seed: UInt64, _ next: (inout SplitMix64) -> Double
  ) {
    guard let old = initializers[name], old.elementType == .float32 else { return }
    // FNV-1a: a stable number for a name.
    let stream = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    var random = SplitMix64(seed: seed, stream: stream)
    initializers[name] = Tensor(
      shape: old.shape, (0..<old.count).map { _ in Float(next(&random)) })
  }
}
