public import Execution

/// Stochastic gradient descent with momentum, in PyTorch's convention.
///
/// With gradient `g` (scaled down by clipping if asked for), parameter `p`, velocity `v`, decay `d`,
/// momentum `m` and rate `r`, one step is `g += d * p`, `v = m * v + g`, and `p -= r * v`, or with
/// Nesterov's look-ahead `p -= r * (g + m * v)`.
///
/// Source: `torch.optim.SGD` with `dampening=0`; `torch.nn.utils.clip_grad_norm_`.
public struct SGD: Hashable, Codable, Sendable {
  /// The highest learning rate; the schedule moves below it.
  public var learningRate: Double
  /// How much of the velocity survives a step, 0 up to but not including 1.
  public var momentum: Double
  /// Whether the step looks ahead along the velocity.
  public var nesterov: Bool
  /// What share of a parameter is added to its gradient.
  public var weightDecay: Double
  /// Whether norms and biases decay as well as weights.
  public var decaysAll: Bool
  /// The largest Euclidean norm of all gradients together; `nil` leaves them as they are.
  public var clip: Double?

  /// A rule of the given constants; the defaults train ResNets from scratch.
  public init(
    learningRate: Double = 0.05, momentum: Double = 0.9, nesterov: Bool = false,
    weightDecay: Double = 1e-4, decaysAll: Bool = false, clip: Double? = nil
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    self.decaysAll = decaysAll
    self.clip = clip
  }

  /// What all gradients are multiplied by so that their norm does not pass ``clip``.
  ///
  /// The `1e-6` is PyTorch's guard against a norm of zero.
  public func gradientScale(norm: Double) -> Double {
    guard let clip else { return 1 }
    return min(1, clip / (norm + 1e-6))
  }

  /// One step of this rule, as the session that holds the parameters takes it.
  public func step(rate: Double, momentum: Double, gradientScale: Double) -> Descent {
    Descent(
      rate: Float(rate), momentum: Float(momentum), isNesterov: nesterov,
      decay: Float(weightDecay), decaysAll: decaysAll, gradientScale: Float(gradientScale))
  }
}
