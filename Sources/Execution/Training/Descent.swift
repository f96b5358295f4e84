import Numerics
import OneDNN

/// One step of stochastic gradient descent with momentum.
///
/// With gradient `g` times ``gradientScale``, parameter `p`, momentum array `v`: `g += decay p`,
/// `v = momentum v + g`, and `p -= rate v`, or with Nesterov's look-ahead
/// `p -= rate (g + momentum v)`.
///
/// Source: `torch.optim.SGD` with `dampening=0`.
public struct Descent: Hashable, Sendable {
  /// The learning rate.
  public var rate: Float
  /// How much of the momentum array survives, 0 up to but not including 1.
  public var momentum: Float
  /// Whether the step looks ahead along the momentum.
  public var isNesterov: Bool
  /// What share of a parameter is added to its gradient.
  public var decay: Float
  /// Whether norms and biases decay as well.
  public var decaysAll: Bool
  /// What gradients are multiplied by first, as for clipping.
  public var gradientScale: Float

  /// A step of the given constants.
  public init(
    rate: Float, momentum: Float = 0.9, isNesterov: Bool = false, decay: Float = 0,
    decaysAll: Bool = false, gradientScale: Float = 1
  ) {
    self.rate = rate
    self.momentum = momentum
    self.isNesterov = isNesterov
    self.decay = decay
    self.decaysAll = decaysAll
    self.gradientScale = gradientScale
  }

  /// Takes the step for the elements of `range`, with `decay` for all of them.
  func apply(
    to values: UnsafeMutablePointer<Float>, _ momenta: UnsafeMutablePointer<Float>,
    _ gradients: UnsafePointer<Float>, _ range: Range<Int>, decay: Float
  ) {
    let (rate, momentum, scale) = (rate, momentum, gradientScale)
    if isNesterov {
      for i in range {
        let gradient = gradients[i] * scale + decay * values[i]
        let velocity = momentum * momenta[i] + gradient
        momenta[i] = velocity
        values[i] -= rate * (gradient + momentum * velocity)
      }
    } else {
      for i in range {
        let velocity = momentum * momenta[i] + (gradients[i] * scale + decay * values[i])
        momenta[i] = velocity
        values[i] -= rate * velocity
      }
    }
  }
}

extension TrainingSession {
  /// Moves all parameters down their gradients, in one pass over the arrays.
  public func descend(_ step: Descent) {
    parameters.descend(step)
  }

  /// The Euclidean norm of all gradients together.
  ///
  /// Summed in pieces of fixed size, so that it does not depend on the number of threads.
  public func gradientNorm() -> Double {
    let gradients = UnsafeBufferPointer(elements(of: .gradients))
    guard let base = gradients.baseAddress else { return 0 }
    let size = 4096
    let pieces = (gradients.count + size - 1) / size
    var sums = [Double](repeating: 0, count: pieces)
    sums.withUnsafeMutableBufferPointer { sums in
      guard let sums = sums.baseAddress else { return }
      Parallel.pieces(pieces) { piece in
        var sum: Float = 0
        for i in piece * size..<min(gradients.count, (piece + 1) * size) {
          sum = Relaxed.multiplyAdd(base[i], base[i], sum)
        }
        sums[piece] = Double(sum)
      }
    }
    return sums.reduce(0, +).squareRoot()
  }
}
