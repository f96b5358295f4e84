/// Teaching a compressed model to answer as the model it was made from, without anyone paying.
///
/// With the teacher's and the student's class probabilities `p` and `q`, the student makes
/// `mean KL(p || q) + sum_j (lambda_j d_j + rho / 2 d_j^2)` small, where `d_j` is how far a gap of
/// soft rates has drifted from the teacher's on the same rows. The multipliers follow the drift of
/// the *hard* gaps on rows that the student is not fitted to, beyond a tolerance, as in ``FairALM``.
///
/// Labels only say which cell a row is in. Where there are none, the teacher's decisions stand for
/// them; the constraints are then about the shares of each group's decisions that flip.
///
/// Source: G. Hinton, O. Vinyals, J. Dean, *Distilling the Knowledge in a Neural Network*, 2015, with
/// temperature 1; M. Hashemizadeh et al., *Balancing Act: Constraining Disparate Impact in Sparse
/// Models*, ICLR 2024, for constraints anchored on the model before compression.
public struct DriftDistillation: Sendable {
  /// How far a gap may drift.
  public struct Limit: Hashable, Codable, Sendable {
    /// Which gap.
    public var constraint: FairnessConstraint
    /// By how much, as a fraction.
    public var tolerance: Double

    /// A limit of the given parts.
    public init(_ constraint: FairnessConstraint, tolerance: Double) {
      self.constraint = constraint
      self.tolerance = tolerance
    }
  }

  private let settings: FairALMSettings
  private let constraints: [RateConstraint]
  private let tolerances: [Double]
  private let groups: Int
  private var multipliers: [Double]
  private var student: CellTally
  private var teacher: CellTally

  /// How much of the older held-out rows a dual step still counts.
  private static let memory = 0.75

  /// A distillation under limits on drift.
  ///
  /// - Parameters:
  ///   - limits: The gaps that must not drift, and by how much they may; none for plain distillation.
  ///   - settings: The dual step, penalty, bound and smallest cell.
  ///   - groups: The names of the groups.
  ///   - counts: The number of training rows by group, then by label 0 and 1.
  /// - Throws: ``TrainingError/badSetting(name:found:expected:)`` when fewer than two groups have
  ///   the rows that a limit needs.
  public init(
    _ limits: [Limit], settings: FairALMSettings = FairALMSettings(), groups: [String],
    counts: [[Int]]
  ) throws(TrainingError) {
    var constraints: [RateConstraint] = []
    var tolerances: [Double] = []
    for limit in limits {
      let all = try RateConstraint.all(limit.constraint, groups: groups, counts: counts)
      constraints += all
      tolerances += all.map { _ in limit.tolerance }
    }
    self.settings = settings
    self.constraints = constraints
    self.tolerances = tolerances
    self.groups = groups.count
    multipliers = constraints.map { _ in 0 }
    student = CellTally(groups: groups.count)
    teacher = student
  }

  /// The names of the gaps with their multipliers and the last known hard drift.
  public var summary: [(name: String, multiplier: Double, drift: Double?)] {
    let drifts = drifts
    return constraints.indices.map { (constraints[$0].name, multipliers[$0], drifts[$0]) }
  }

  /// The objective of a batch, and its gradient on the student's logits.
  ///
  /// - Parameters:
  ///   - batch: The student's logits with labels and groups.
  ///   - teacherLogits: The teacher's for the same rows, in the same shape.
  /// - Returns: The value and the gradient, shape `[rows, classes]`.
  public func evaluate(
    _ batch: LabelledLogits, teacher teacherLogits: [Float]
  ) -> (value: Double, gradients: [Float]) {
    precondition(teacherLogits.count == batch.logits.count, "one row of the teacher's for each")
    let share = 1 / Double(batch.count)
    var gradients = [Float](repeating: 0, count: batch.logits.count)
    var value = 0.0
    for row in 0..<batch.count {
      let range = row * batch.classes..<(row + 1) * batch.classes
      let known = Softmax.logarithms(of: teacherLogits[range])
      let found = Softmax.logarithms(of: batch.logits[range])
      for (i, place) in range.enumerated() {
        let p = Softmax.exponential(known[i])
        value += share * p * (known[i] - found[i])
        gradients[place] = Float(share * (Softmax.exponential(found[i]) - p))
      }
    }
    guard !constraints.isEmpty else { return (value, gradients) }
    var anchor = batch
    anchor.logits = teacherLogits
    let wrong = batch.wrongProbabilities
    let (rows, means) = batch.cellMeans(
      zip(wrong, anchor.wrongProbabilities).map { $0 - $1 }, groups: groups,
      minimum: settings.minimumCell)
    var forces = [Double](repeating: 0, count: rows.count)
    for (j, constraint) in constraints.enumerated() {
      guard let drift = constraint.drift(means) else { continue }
      value += multipliers[j] * drift + settings.penalty / 2 * drift * drift
      for (cell, coefficient) in constraint.coefficients.enumerated() {
        forces[cell] += (multipliers[j] + settings.penalty * drift) * coefficient
      }
    }
    for row in 0..<batch.count where forces[batch.cell(row)] != 0 {
      let cell = batch.cell(row)
      let slope = Float(forces[cell] / Double(rows[cell]) * wrong[row] * (1 - wrong[row]))
      let right = Int(batch.labels[row])
      gradients[2 * row + right] -= slope
      gradients[2 * row + 1 - right] += slope
    }
    return (value, gradients)
  }

  /// Takes a dual step on rows that the student is not fitted to.
  public mutating func observe(heldOut batch: LabelledLogits, teacher logits: [Float]) {
    var anchor = batch
    anchor.logits = logits
    student.fade(to: Self.memory)
    teacher.fade(to: Self.memory)
    student.add(batch)
    teacher.add(anchor)
    for (j, drift) in drifts.enumerated() {
      guard let drift, abs(drift) > tolerances[j] else { continue }
      let excess = drift > 0 ? drift - tolerances[j] : drift + tolerances[j]
      let moved = multipliers[j] + settings.eta * excess
      multipliers[j] = min(max(moved, -settings.largestMultiplier), settings.largestMultiplier)
    }
  }

  /// The hard drift of every constrained gap on the held-out rows that are remembered.
  private var drifts: [Double?] {
    let minimum = Double(settings.minimumCell)
    let changes = zip(student.rates(minimum: minimum), teacher.rates(minimum: minimum)).map {
      found, known in found.flatMap { found in known.map { found - $0 } }
    }
    return constraints.map { $0.drift(changes) }
  }
}

extension RateConstraint {
  /// How far the gap moves when error rates move by `changes`; `nil` when one that matters is
  /// undefined.
  func drift(_ changes: [Double?]) -> Double? { gap(changes).map { $0 - constant } }
}
