/// What training makes small: a number for every batch, and its gradient on every logit.
///
/// An objective sees logits, labels and groups, so it may weigh rows by group and label. It is a
/// mutable value: what it learns on the way (multipliers, averages) is its ``state``, which
/// checkpoints keep and logs show.
public protocol Objective: Sendable {
  /// What it is called in settings, files and on the command line.
  var name: String { get }

  /// The numbers it carries from step to step, by name; empty if there are none.
  ///
  /// Setting what was read before continues as if nothing had happened.
  var state: [String: [Double]] { get set }

  /// The objective's value on one batch, and its gradient in the logits' shape.
  mutating func evaluate(_ batch: LabelledLogits) -> (value: Double, gradients: [Float])
}

/// Empirical risk minimisation: the mean cross-entropy of the batch, whoever is in it.
public struct EmpiricalRisk: Objective {
  /// The loss of one row.
  public var loss: CrossEntropy

  /// `erm`.
  public var name: String { "erm" }

  /// Nothing: every batch is judged by itself.
  public var state: [String: [Double]] {
    get { [:] }
    set { precondition(newValue.isEmpty, "empirical risk has no state") }
  }

  /// Mean cross-entropy with the given label smoothing.
  public init(labelSmoothing: Double = 0) {
    loss = CrossEntropy(labelSmoothing: labelSmoothing)
  }

  /// The mean loss, in nats, and its gradient.
  public mutating func evaluate(_ batch: LabelledLogits) -> (value: Double, gradients: [Float]) {
    let share = 1 / Double(batch.count)
    let value = loss.losses(batch).reduce(0, +) * share
    let weights = [Double](repeating: share, count: batch.count)
    return (value, loss.gradients(batch, weights: weights))
  }
}
