import Foundation

/// How the learning rate, and with it the momentum, moves over a run.
public enum Schedule: String, Hashable, Codable, Sendable, CaseIterable {
  /// Up for the first 30 % of the steps from 1/25 of the peak, then down to 1/250 000 of it, both
  /// along half a cosine.
  ///
  /// Source: L. Smith, N. Topin, *Super-Convergence*, 2017, <https://arxiv.org/abs/1708.07120>, in
  /// the form and with the defaults of `torch.optim.lr_scheduler.OneCycleLR`.
  case oneCycle = "onecycle"
  /// A straight warm-up, then half a cosine down towards zero.
  ///
  /// Source: I. Loshchilov, F. Hutter, *SGDR*, ICLR 2017, equation 5 without restarts.
  case cosine
  /// The same rate at every step.
  case constant
}

/// The learning rate and momentum of every step of a run.
public struct LearningRates: Hashable, Codable, Sendable {
  /// The shape of the curve.
  public var schedule: Schedule
  /// The highest learning rate.
  public var peak: Double
  /// The momentum where the schedule does not move it.
  public var momentum: Double
  /// Whether one-cycle swings the momentum from 0.95 down to 0.85 and back, as PyTorch does.
  public var cyclesMomentum: Bool
  /// The share of the steps that the cosine schedule spends warming up, 0 up to but not including 1.
  public var warmUp: Double
  /// The number of steps of the whole run, at least 1.
  public var steps: Int

  /// A curve of the given shape over `steps` steps.
  public init(
    _ schedule: Schedule, peak: Double, momentum: Double = 0.9, cyclesMomentum: Bool = true,
    warmUp: Double = 0.05, steps: Int
  ) {
    precondition(steps >= 1, "a run has at least one step")
    precondition((0..<1).contains(warmUp), "the warm-up is a share from 0 to below 1")
    self.schedule = schedule
    self.peak = peak
    self.momentum = momentum
    self.cyclesMomentum = cyclesMomentum
    self.warmUp = warmUp
    self.steps = steps
  }

  /// The learning rate of step `step`, counted from 0.
  public func rate(at step: Int) -> Double {
    switch schedule {
    case .constant: peak
    case .oneCycle: oneCycle(step, start: peak / 25, middle: peak, end: peak / 25 / 10_000)
    case .cosine: cosine(step)
    }
  }

  /// The momentum of step `step`, counted from 0.
  public func momentum(at step: Int) -> Double {
    guard schedule == .oneCycle, cyclesMomentum, momentum > 0 else { return momentum }
    return oneCycle(step, start: 0.95, middle: 0.85, end: 0.95)
  }

  /// PyTorch's two phases: they meet at the fractional step `0.3 * steps - 1`.
  private func oneCycle(_ step: Int, start: Double, middle: Double, end: Double) -> Double {
    let turn = 0.3 * Double(steps) - 1
    let position = Double(step)
    if position <= turn {
      return turn > 0 ? halfCosine(from: start, to: middle, position / turn) : middle
    }
    return halfCosine(from: middle, to: end, (position - turn) / (Double(steps - 1) - turn))
  }

  /// The warm-up's first step has 1/100 of the peak; the step after its last has all of it.
  private func cosine(_ step: Int) -> Double {
    let rising = Int(warmUp * Double(steps))
    if step < rising { return peak * (0.01 + 0.99 * Double(step) / Double(rising)) }
    return halfCosine(from: peak, to: 0, Double(step - rising) / Double(steps - rising))
  }

  private func halfCosine(from start: Double, to end: Double, _ share: Double) -> Double {
    end + (start - end) / 2 * (Foundation.cos(.pi * share) + 1)
  }
}
