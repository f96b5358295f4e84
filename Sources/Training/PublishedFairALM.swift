/// FairALM as it was published: Algorithm 2 of the paper, or what the authors' program does.
///
/// `m0` and `m1` are the mean cross-entropies of the two groups' rows that the constraint is about
/// (the positives, the negatives, or all), `d = m0 - m1`, and `L` is the batch's mean.
///
/// - Paper: weights make `L + (lambda + eta) m0 - (lambda - eta) m1` small; then
///   `lambda += eta d`, with the losses of the same batch after the step.
/// - Released: `L + (eta / 4 + (l0 - l1) / 2) m0 + (eta / 4 + (l1 - l0) / 2) m1`, several steps on
///   the same batch; then `l0 = (l0 - l1) / 2 + eta d / 2` and, with the new `l0`,
///   `l1 = (l1 - l0) / 2 - eta d / 2`, with the losses before the last step. In the long run the
///   effective multiplier `(l0 - l1) / 2` moves by `2/3 eta d`. `eta` grows with every epoch.
///
/// Neither has a bound or a tolerance, and both follow the training batches. One thing is not as
/// published: a batch without rows of one group would turn every weight into not-a-number; here
/// it is trained on without the constraint, and the multipliers stay.
///
/// Source: Lokhande et al. 2020, Algorithm 2; the program at commit 4f188a3 of the authors'
/// repository.
public struct PublishedFairALM: Objective {
  private let settings: FairALMSettings
  private let loss: CrossEntropy
  private var eta: Double
  /// `[lambda]` of the paper, `[l0, l1]` of the program.
  private var multipliers: [Double]
  private var log: ConstraintLog
  private let isReleased: Bool
  /// Whether the log has the current batch, which several steps may be taken on.
  private var isLogged = false

  /// `fairalm-paper` or `fairalm-released`.
  public var name: String { "fairalm-\(settings.form.rawValue)" }

  /// An objective for data of two groups; the parameters are ``FairALM``'s.
  ///
  /// - Throws: ``TrainingError/badSetting(name:found:expected:)`` when there are not two groups.
  public init(
    _ settings: FairALMSettings, groups: [String], counts: [[Int]], labelSmoothing: Double = 0
  ) throws(TrainingError) {
    precondition(settings.form != .equant, "the equant form is an objective of its own")
    guard groups.count == 2 else {
      throw .badSetting(
        name: "the \(settings.form.rawValue) form", found: "used with \(groups.count) groups",
        expected: "used with two")
    }
    let constraints = try RateConstraint.all(settings.constraint, groups: groups, counts: counts)
    self.settings = settings
    loss = CrossEntropy(labelSmoothing: labelSmoothing)
    eta = settings.eta
    isReleased = settings.form == .released
    multipliers = isReleased ? [0, 0] : [0]
    log = ConstraintLog(constraints, groups: groups.count)
  }

  /// The multipliers, the penalty, and what the epoch's records are made from.
  public var state: [String: [Double]] {
    get { log.state.merging(logged) { $1 } }
    set {
      log.state = newValue
      multipliers = newValue["multipliers"] ?? multipliers
      eta = newValue["eta"]?.first ?? eta
    }
  }

  /// The multipliers as published, and the penalty.
  public var logged: [String: [Double]] { ["multipliers": multipliers, "eta": [eta]] }

  /// The number of steps on every batch.
  public var stepsPerBatch: Int { settings.innerSteps }

  /// Whether the dual step needs the losses after the weights' step: the paper's does.
  public var judgesAfterStep: Bool { !isReleased }

  /// Lets the penalty grow.
  public mutating func beginEpoch() { eta *= settings.growth }

  /// The effective multiplier of `m0 - m1`.
  private var multiplier: Double {
    isReleased ? (multipliers[0] - multipliers[1]) / 2 : multipliers[0]
  }

  /// The objective of the batch and its gradient.
  public mutating func evaluate(_ batch: LabelledLogits) -> (value: Double, gradients: [Float]) {
    let share = 1 / Double(batch.count)
    let losses = loss.losses(batch)
    if !isLogged {
      let means = batch.cellMeans(losses, groups: 2, minimum: settings.minimumCell).means
      log.add(batch, surrogates: log.constraints.map { $0.gap(means) })
      isLogged = true
    }
    var value = losses.reduce(0, +) * share
    var weights = [Double](repeating: share, count: batch.count)
    if let (m0, m1) = means(batch, losses) {
      let linear = isReleased ? eta / 4 : eta
      let forces = [linear + multiplier, linear - multiplier]
      value += forces[0] * m0.value + forces[1] * m1.value
      for row in weights.indices where concerns(batch.labels[row]) {
        let group = Int(batch.groups[row])
        weights[row] += forces[group] / Double(group == 0 ? m0.rows : m1.rows)
      }
    }
    return (value, loss.gradients(batch, weights: weights))
  }

  /// Takes the dual step.
  public mutating func finishBatch(_ batch: LabelledLogits) {
    isLogged = false
    guard let (m0, m1) = means(batch, loss.losses(batch)) else { return }
    let d = m0.value - m1.value
    guard isReleased else {
      multipliers[0] += eta * d
      return
    }
    multipliers[0] = (multipliers[0] - multipliers[1]) / 2 + eta * d / 2
    multipliers[1] = (multipliers[1] - multipliers[0]) / 2 - eta * d / 2
  }

  /// Whether rows of this label are in the constraint's means.
  private func concerns(_ label: Int32) -> Bool {
    switch settings.constraint {
    case .equalOpportunity: label == 1
    case .fprDifference: label == 0
    default: true
    }
  }

  /// The mean loss of each group's rows that the constraint is about; `nil` with too few of one.
  private func means(
    _ batch: LabelledLogits, _ losses: [Double]
  ) -> ((value: Double, rows: Int), (value: Double, rows: Int))? {
    var rows = [0, 0]
    var sums = [0.0, 0.0]
    for row in 0..<batch.count where concerns(batch.labels[row]) {
      rows[Int(batch.groups[row])] += 1
      sums[Int(batch.groups[row])] += losses[row]
    }
    guard rows.allSatisfy({ $0 >= settings.minimumCell }) else { return nil }
    return ((sums[0] / Double(rows[0]), rows[0]), (sums[1] / Double(rows[1]), rows[1]))
  }

  /// The epoch's records; the multiplier is the effective one, of the gap as it is named.
  public mutating func takeRecords(validation: LabelledLogits?) -> [ConstraintRecord] {
    let loss = loss
    // An FPR or error rate gap is `m1 - m0`; a TPR gap is `m0 - m1`.
    let sign = settings.constraint == .equalOpportunity ? 1.0 : -1
    return log.take(multipliers: [sign * multiplier], validation: validation) { loss.losses($0) }
  }
}
