import Foundation
public import Graphs
public import Tensors

/// Numbers that Python computes alike from a name alone, so that goldens need not hold weights.
///
/// Element i of the tensor called `name` is made from u, the i-th `uniform()` of
/// `SplitMix64(seed: FNV-1a(name))`, mapped to [-1, 1); `Scripts/golden/formula.py` does the same.
public enum FormulaWeights {
  /// u for every element, in row-major order.
  public static func uniform(_ name: String, count: Int) -> [Double] {
    let seed = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in 2 * random.uniform() - 1 }
  }

  /// A network's parameter: its torchvision name and its shape decide its spread.
  ///
  /// Convolutions: u sqrt(6 / fan-in). Fully connected: u / sqrt(fan-in). `running_var`: 1 + u / 2.
  /// `running_mean` and biases: u / 10. Scales of batch normalisations: 0.8 + 0.2 u.
  public static func parameter(_ name: String, shape: [Int]) -> Tensor {
    let count = shape.reduce(1, *)
    let fanIn = Double(shape.dropFirst().reduce(1, *))
    let (centre, spread): (Double, Double) =
      switch (shape.count, name.split(separator: ".").last) {
      case (4, _): (0, (6 / fanIn).squareRoot())
      case (2, _): (0, 1 / fanIn.squareRoot())
      case (_, "running_var"): (1, 0.5)
      case (_, "running_mean"), (_, "bias"): (0, 0.1)
      default: (0.8, 0.2)
      }
    return Tensor(
      shape: shape, uniform(name, count: count).map { Float(centre + spread * $0) })
  }

  /// Images from -2 to 2, about what normalised photographs hold.
  public static func images(_ shape: [Int], name: String = "input") -> Tensor {
    Tensor(
      shape: shape, uniform(name, count: shape.reduce(1, *)).map { Float(2 * $0) })
  }
}

extension Graph {
  /// The graph with every `float32` constant replaced by ``FormulaWeights/parameter(_:shape:)``.
  public func withFormulaWeights() -> Graph {
    var graph = self
    for (name, tensor) in initializers where tensor.elementType == .float32 {
      graph.initializers[name] = FormulaWeights.parameter(name, shape: tensor.shape)
    }
    return graph
  }
}
