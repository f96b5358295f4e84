/// Training under constraints on rates, by an augmented Lagrangian with honest multipliers.
///
/// With the mean cross-entropy `L` of the batch and the surrogate gap `d_j` of constraint `j`, the
/// weights make `L + sum_j (lambda_j d_j + rho / 2 d_j^2)` small. Every few steps the multipliers
/// move by `eta` times what the *hard* gap exceeds the tolerance by, measured on rows that the
/// weights are not fitted to, and stay within bounds. Both gradients are weights of rows, so a step
/// costs what a plain one does.
///
/// What differs from the paper, and why: its penalty is linear in the losses and pulls on every
/// row of both groups rather than on the gap; and its multipliers follow the training batches, where
/// a network that knows its training rows by heart has no gap left.
///
/// Source: Lokhande et al. 2020, section 3; A. Cotter et al., *Two-Player Games for Efficient
/// Non-Convex Constrained Optimization*, ALT 2019, for hard rates in the dual step;
/// D. Bertsekas, *Constrained Optimization and Lagrange Multiplier Methods*, 1982, section 2.2.
public struct FairALM: Objective {
  private let settings: FairALMSettings
  private let loss: CrossEntropy
  private var multipliers: [Double]
  /// The rows that the next dual step looks at; older ones fade.
  private var window: CellTally
  private var batches = 0
  private var log: ConstraintLog

  /// How much of the older held-out rows a dual step still counts.
  ///
  /// One batch has few rows of a rare cell; with this share the rates rest on about four batches.
  private static let memory = 0.75

  /// `fairalm-equant`.
  public var name: String { "fairalm-equant" }

  /// An objective for data with the given groups.
  ///
  /// - Parameters:
  ///   - settings: The constraint and the constants.
  ///   - groups: The names of the groups.
  ///   - counts: The number of training rows by group, then by label 0 and 1.
  ///   - labelSmoothing: Of the task's loss.
  /// - Throws: ``TrainingError/badSetting(name:found:expected:)`` when fewer than two groups have
  ///   the rows that the constraint needs.
  public init(
    _ settings: FairALMSettings, groups: [String], counts: [[Int]], labelSmoothing: Double = 0
  ) throws(TrainingError) {
    let constraints = try RateConstraint.all(settings.constraint, groups: groups, counts: counts)
    self.settings = settings
    loss = CrossEntropy(labelSmoothing: labelSmoothing)
    multipliers = constraints.map { _ in 0 }
    window = CellTally(groups: groups.count)
    log = ConstraintLog(constraints, groups: groups.count)
  }

  /// The multipliers, the fading window, and what the epoch's records are made from.
  public var state: [String: [Double]] {
    get {
      var state = log.state
      state["multipliers"] = multipliers
      state["window.rows"] = window.rows
      state["window.errors"] = window.errors
      state["batches"] = [Double(batches)]
      return state
    }
    set {
      log.state = newValue
      multipliers = newValue["multipliers"] ?? multipliers
      window.rows = newValue["window.rows"] ?? window.rows
      window.errors = newValue["window.errors"] ?? window.errors
      batches = Int(newValue["batches"]?.first ?? Double(batches))
    }
  }

  /// The multipliers.
  public var logged: [String: [Double]] { ["multipliers": multipliers] }

  /// The number of steps between two batches of held-out rows, if there are any.
  public var heldOutInterval: Int? { settings.heldOut > 0 ? settings.interval : nil }

  /// The augmented Lagrangian of the batch, and its gradient.
  public mutating func evaluate(_ batch: LabelledLogits) -> (value: Double, gradients: [Float]) {
    let share = 1 / Double(batch.count)
    let losses = loss.losses(batch)
    var value = losses.reduce(0, +) * share
    let isSigmoid = settings.surrogate == .sigmoid
    let wrong = isSigmoid ? batch.wrongProbabilities : []
    let (rows, means) = batch.cellMeans(
      isSigmoid ? wrong : losses, groups: log.groups, minimum: settings.minimumCell)
    let gaps = log.constraints.map { $0.gap(means) }
    var forces = [Double](repeating: 0, count: rows.count)
    for (j, gap) in gaps.enumerated() {
      guard let gap else { continue }
      value += multipliers[j] * gap + settings.penalty / 2 * gap * gap
      let force = multipliers[j] + settings.penalty * gap
      for (cell, coefficient) in log.constraints[j].coefficients.enumerated() {
        forces[cell] += force * coefficient
      }
    }
    log.add(batch, surrogates: gaps)
    if settings.heldOut == 0 { observe(batch) }

    var weights = [Double](repeating: share, count: batch.count)
    func pull(_ row: Int) -> Double { forces[batch.cell(row)] / Double(rows[batch.cell(row)]) }
    if !isSigmoid { for row in weights.indices { weights[row] += pull(row) } }
    var gradients = loss.gradients(batch, weights: weights)
    guard isSigmoid, forces.contains(where: { $0 != 0 }) else { return (value, gradients) }
    for row in 0..<batch.count {
      // The wrong class's probability p rises with its own logit at the rate p (1 - p).
      let slope = Float(pull(row) * wrong[row] * (1 - wrong[row]))
      let right = Int(batch.labels[row])
      gradients[2 * row + right] -= slope
      gradients[2 * row + 1 - right] += slope
    }
    return (value, gradients)
  }

  /// Takes a dual step on held-out rows.
  public mutating func observe(heldOut batch: LabelledLogits) {
    log.add(heldOut: batch)
    window.add(batch)
    moveMultipliers()
  }

  /// Counts a training batch for the dual step, where no rows are held out.
  private mutating func observe(_ batch: LabelledLogits) {
    window.add(batch)
    batches += 1
    if batches % settings.interval == 0 { moveMultipliers() }
  }

  private mutating func moveMultipliers() {
    let rates = window.rates(minimum: Double(settings.minimumCell))
    for (j, constraint) in log.constraints.enumerated() {
      guard let gap = constraint.gap(rates), abs(gap) > settings.tolerance else { continue }
      let excess = gap > 0 ? gap - settings.tolerance : gap + settings.tolerance
      let moved = multipliers[j] + settings.eta * excess
      multipliers[j] = min(max(moved, -settings.largestMultiplier), settings.largestMultiplier)
    }
    window.fade(to: Self.memory)
  }

  /// The epoch's records.
  public mutating func takeRecords(validation: LabelledLogits?) -> [ConstraintRecord] {
    let (loss, isSigmoid) = (loss, settings.surrogate == .sigmoid)
    return log.take(multipliers: multipliers, validation: validation) {
      isSigmoid ? $0.wrongProbabilities : loss.losses($0)
    }
  }
}
