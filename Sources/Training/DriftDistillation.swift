/// Teaching a compressed model to answer as the model it was made from, without anyone paying.
///
/// With the teacher's and the student's class probabilities `p` and `q`, the student makes
/// `mean KL(p || q) + sum_j (lambda_j d_j + rho / 2 d_j^2)` small, where `d_j` is how far a gap of
/// soft rates has drifted from the teacher's on the same rows, or the gap itself where it is to be
/// closed. The multipliers follow the *hard* drifts and gaps on rows that the student is not fitted
/// to, beyond a tolerance, as in ``FairALM``.
///
/// Answering as the teacher does is what keeps a drift small, and to follow what a few hundred rows show
/// by chance would only move decisions about. So a multiplier moves only by what of a drift is beyond
/// chance too (95 %), and where it is zero its constraint adds nothing. A gap that is to be closed is far
/// larger, and followed as it is.
///
/// Labels only say which cell a row is in. Where there are none, the teacher's decisions stand for
/// them; the constraints are then about the shares of each group's decisions that flip.
///
/// Source: G. Hinton, O. Vinyals, J. Dean, *Distilling the Knowledge in a Neural Network*, 2015, with
/// temperature 1; M. Hashemizadeh et al., *Balancing Act: Constraining Disparate Impact in Sparse
/// Models*, ICLR 2024, for constraints anchored on the model before compression.
public struct DriftDistillation: Sendable {
  /// How far a gap may be from where it should be.
  public struct Limit: Hashable, Codable, Sendable {
    /// Where a gap should be.
    public enum Anchor: String, Hashable, Codable, Sendable {
      /// Where the teacher has it.
      case teacher
      /// At zero.
      case equality
    }

    /// Which gap.
    public var constraint: FairnessConstraint
    /// By how much, as a fraction.
    public var tolerance: Double
    /// From where.
    public var anchor: Anchor

    /// A limit of the given parts.
    public init(
      _ constraint: FairnessConstraint, tolerance: Double, from anchor: Anchor = .teacher
    ) {
      self.constraint = constraint
      self.tolerance = tolerance
      self.anchor = anchor
    }
  }

  /// A constraint with its limit.
  private struct Bound: Sendable {
    var constraint: RateConstraint
    var tolerance: Double
    var anchor: Limit.Anchor

    /// How far chance may take the distance, given the rows of each cell and how many of them the
    /// student decides unlike the teacher; 0 where the gap is to be closed.
    func chance(_ rows: [Double], flipped: [Double]) -> Double {
      guard anchor == .teacher else { return 0 }
      let variance = constraint.coefficients.indices.reduce(0) { sum, cell in
        let weight = constraint.coefficients[cell]
        guard weight != 0, rows[cell] > 0 else { return sum }
        // A difference of two decisions about one row is 0 where they agree.
        return sum + weight * weight * flipped[cell] / (rows[cell] * rows[cell])
      }
      // 95 % of a normal distribution lies below so many standard deviations.
      return 1.645 * variance.squareRoot()
    }

    /// How far the gap is from where it should be; `nil` where a rate that matters is undefined.
    func distance(_ errors: [Double?], teacher: [Double?]) -> Double? {
      switch anchor {
      case .equality: constraint.gap(errors)
      case .teacher:
        constraint.gap(errors).flatMap { own in constraint.gap(teacher).map { own - $0 } }
      }
    }
  }

  private let settings: FairALMSettings
  private let bounds: [Bound]
  private let groups: Int
  private var multipliers: [Double]
  private var student: CellTally
  private var teacher: CellTally
  /// By cell, the held-out rows that the student decides unlike the teacher.
  private var flipped: [Double]

  /// How much of the older held-out rows a dual step still counts: more where drifts are measured,
  /// which are small; less where a gap is closed, which changes fast.
  private let memory: Double

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
    var bounds: [Bound] = []
    for limit in limits {
      bounds += try RateConstraint.all(limit.constraint, groups: groups, counts: counts).map {
        Bound(constraint: $0, tolerance: limit.tolerance, anchor: limit.anchor)
      }
    }
    self.settings = settings
    self.bounds = bounds
    self.groups = groups.count
    multipliers = bounds.map { _ in 0 }
    student = CellTally(groups: groups.count)
    teacher = student
    flipped = student.rows
    memory = bounds.contains { $0.anchor == .equality } ? 0.75 : 0.9
  }

  /// The names of the gaps with their multipliers and the last known hard drift, or gap.
  public var summary: [(name: String, multiplier: Double, drift: Double?)] {
    let distances = distances
    return bounds.indices.map { (bounds[$0].constraint.name, multipliers[$0], distances[$0]) }
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
    guard !bounds.isEmpty else { return (value, gradients) }
    var anchor = batch
    anchor.logits = teacherLogits
    let wrong = batch.wrongProbabilities
    let minimum = settings.minimumCell
    let (rows, means) = batch.cellMeans(wrong, groups: groups, minimum: minimum)
    let known = batch.cellMeans(anchor.wrongProbabilities, groups: groups, minimum: minimum).means
    var forces = [Double](repeating: 0, count: rows.count)
    for (j, bound) in bounds.enumerated() {
      guard multipliers[j] != 0 || bound.anchor == .equality,
        let distance = bound.distance(means, teacher: known)
      else { continue }
      value += multipliers[j] * distance + settings.penalty / 2 * distance * distance
      for (cell, coefficient) in bound.constraint.coefficients.enumerated() {
        forces[cell] += (multipliers[j] + settings.penalty * distance) * coefficient
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
    student.fade(to: memory)
    teacher.fade(to: memory)
    student.add(batch)
    teacher.add(anchor)
    for cell in flipped.indices { flipped[cell] *= memory }
    for row in 0..<batch.count where batch.isPositive(row) != anchor.isPositive(row) {
      flipped[batch.cell(row)] += 1
    }
    for (j, distance) in distances.enumerated() {
      let tolerance =
        bounds[j].tolerance + bounds[j].chance(student.rows, flipped: flipped)
      guard let distance, abs(distance) > tolerance else { continue }
      let excess = distance > 0 ? distance - tolerance : distance + tolerance
      let moved = multipliers[j] + settings.eta * excess
      multipliers[j] = min(max(moved, -settings.largestMultiplier), settings.largestMultiplier)
    }
  }

  /// The hard drift, or size, of every constrained gap on the held-out rows that are remembered.
  private var distances: [Double?] {
    let minimum = Double(settings.minimumCell)
    let (own, known) = (student.rates(minimum: minimum), teacher.rates(minimum: minimum))
    return bounds.map { $0.distance(own, teacher: known) }
  }
}
