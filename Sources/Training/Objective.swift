import Faces

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

  /// What the log of an epoch shows of ``state``.
  var logged: [String: [Double]] { get }

  /// The number of steps on every batch.
  var stepsPerBatch: Int { get }

  /// Whether ``finishBatch(_:)`` needs the logits after the batch's last step, which costs another
  /// forward pass; otherwise it gets those of the last ``evaluate(_:)``.
  var judgesAfterStep: Bool { get }

  /// The number of steps between two batches of held-out rows; `nil` if it needs none.
  var heldOutInterval: Int? { get }

  /// Told before the first batch of every epoch.
  mutating func beginEpoch()

  /// Told after the last step on a batch.
  mutating func finishBatch(_ batch: LabelledLogits)

  /// Told what the network says about rows that it is not fitted to.
  mutating func observe(heldOut batch: LabelledLogits)

  /// How its constraints stood in the epoch that ends; what it counts begins anew.
  ///
  /// - Parameter validation: The logits of the validation split after the epoch, if there is one.
  /// - Returns: One record for each constraint.
  mutating func takeRecords(validation: LabelledLogits?) -> [ConstraintRecord]
}

/// An objective that judges every batch by itself needs none of these.
extension Objective {
  /// All of the state.
  public var logged: [String: [Double]] { state }
  /// One.
  public var stepsPerBatch: Int { 1 }
  /// No.
  public var judgesAfterStep: Bool { false }
  /// None.
  public var heldOutInterval: Int? { nil }
  /// Nothing.
  public mutating func beginEpoch() {}
  /// Nothing.
  public mutating func finishBatch(_ batch: LabelledLogits) {}
  /// Nothing.
  public mutating func observe(heldOut batch: LabelledLogits) {}
  /// None.
  public mutating func takeRecords(validation: LabelledLogits?) -> [ConstraintRecord] { [] }
}

/// Empirical risk minimisation: the mean cross-entropy of the batch, whoever is in it.
///
/// With weights for the cells of group and label it is the weighted sum over the rows' number.
public struct EmpiricalRisk: Objective {
  /// The loss of one row.
  public var loss: CrossEntropy
  /// What a row of cell `2 * group + label` counts; empty for 1 everywhere.
  public var cellWeights: [Double]

  /// `erm`, or `erm-reweighed`.
  public var name: String { cellWeights.isEmpty ? "erm" : "erm-reweighed" }

  /// Nothing: every batch is judged by itself.
  public var state: [String: [Double]] {
    get { [:] }
    set { precondition(newValue.isEmpty, "empirical risk has no state") }
  }

  /// Mean cross-entropy with the given label smoothing.
  public init(labelSmoothing: Double = 0, cellWeights: [Double] = []) {
    loss = CrossEntropy(labelSmoothing: labelSmoothing)
    self.cellWeights = cellWeights
  }

  /// The mean loss, in nats, and its gradient.
  public mutating func evaluate(_ batch: LabelledLogits) -> (value: Double, gradients: [Float]) {
    let share = 1 / Double(batch.count)
    var weights = [Double](repeating: share, count: batch.count)
    var losses = loss.losses(batch)
    if !cellWeights.isEmpty {
      for row in weights.indices {
        weights[row] *= cellWeights[batch.cell(row)]
        losses[row] *= cellWeights[batch.cell(row)]
      }
    }
    return (losses.reduce(0, +) * share, loss.gradients(batch, weights: weights))
  }

  /// The weights that make group and label independent: `P(group) P(label) / P(group, label)`.
  ///
  /// Source: F. Kamiran, T. Calders, *Data preprocessing techniques for classification without
  /// discrimination*, KAIS 2012, algorithm 3.
  ///
  /// - Parameter counts: The number of training rows by group, then by label 0 and 1.
  /// - Returns: The weight of cell `2 * group + label`; 1 for cells without a row.
  public static func independenceWeights(_ counts: [[Int]]) -> [Double] {
    let rows = Double(counts.joined().reduce(0, +))
    let labels = [0, 1].map { label in Double(counts.reduce(0) { $0 + $1[label] }) }
    return counts.flatMap { group in
      [0, 1].map { label in
        let expected = Double(group[0] + group[1]) * labels[label] / rows
        return group[label] > 0 ? expected / Double(group[label]) : 1
      }
    }
  }
}

extension TrainingSettings {
  /// The objective that these settings ask for, on the given training rows.
  ///
  /// - Throws: ``TrainingError/badSetting(name:found:expected:)`` when it needs other data.
  func objective(for dataset: FaceDataset, rows: [Int]) throws(TrainingError) -> any Objective {
    guard fairALM != nil || balance == .weighting else {
      return EmpiricalRisk(labelSmoothing: labelSmoothing)
    }
    guard dataset.classNames.count == 2 else {
      throw .badSetting(
        name: "the objective", found: "about rates of two classes",
        expected: "erm for data of \(dataset.classNames.count) classes")
    }
    let counts = dataset.counts(of: rows)
    guard let fairALM else {
      return EmpiricalRisk(
        labelSmoothing: labelSmoothing, cellWeights: EmpiricalRisk.independenceWeights(counts))
    }
    return fairALM.form == .equant
      ? try FairALM(
        fairALM, groups: dataset.groupNames, counts: counts, labelSmoothing: labelSmoothing)
      : try PublishedFairALM(
        fairALM, groups: dataset.groupNames, counts: counts, labelSmoothing: labelSmoothing)
  }
}
