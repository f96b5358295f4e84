public import Fairness

/// What the groups should have in common.
public enum FairnessConstraint: String, Hashable, Codable, Sendable, CaseIterable {
  /// The same TPR.
  case equalOpportunity
  /// The same FPR.
  case fprDifference
  /// The same TPR and the same FPR, as two constraints: their sum could cancel.
  case equalizedOdds
  /// The same error rate; the FairALM paper's "demographic parity".
  case errorRate
  /// The same selection rate.
  case demographicParity

  /// The audit's gap that the constraint makes small.
  public var gap: GapKind {
    switch self {
    case .equalOpportunity: .equalOpportunity
    case .fprDifference: .fprDifference
    case .equalizedOdds: .equalizedOdds
    case .errorRate: .accuracy
    case .demographicParity: .demographicParity
    }
  }
}

/// How FairALM trains: which update, and its constants.
///
/// Source: V. S. Lokhande, A. K. Akash, S. N. Ravi, V. Singh, *FairALM: Augmented Lagrangian Method
/// for Training Fair Models with Little Regret*, ECCV 2020. <https://arxiv.org/abs/2004.01355>
public struct FairALMSettings: Hashable, Codable, Sendable {
  /// Which update of weights and multipliers.
  public enum Form: String, Hashable, Codable, Sendable, CaseIterable {
    /// Algorithm 2 as printed: a linear penalty, and a dual step on the same batch after the
    /// weights have moved, which costs a second forward pass.
    case paper
    /// What the authors' program does: terms of `eta / 4`, two multipliers updated one after the
    /// other, several steps on every batch, and a penalty that grows with every epoch.
    case released
    /// One signed multiplier for every constraint, a quadratic penalty, a tolerance, a bound, and
    /// a dual step on hard rates of rows that the weights are not fitted to.
    case equant
  }

  /// What stands for the error rate of a cell where a gradient is needed.
  public enum Surrogate: String, Hashable, Codable, Sendable, CaseIterable {
    /// The mean cross-entropy, as in the paper; it has no upper bound.
    case crossEntropy
    /// The mean probability of the wrong class.
    case sigmoid
  }

  /// Which update.
  public var form: Form
  /// What the groups should have in common.
  public var constraint: FairnessConstraint
  /// What stands for error rates in the gradient; the published forms use the cross-entropy.
  public var surrogate: Surrogate
  /// The dual step, and in the published forms also the linear penalty.
  public var eta: Double
  /// The weight of half the squared gap; of the `equant` form alone.
  public var penalty: Double
  /// A gap up to this size leaves the multiplier alone; of the `equant` form alone.
  public var tolerance: Double
  /// The largest size of a multiplier; of the `equant` form alone.
  public var largestMultiplier: Double
  /// A batch with fewer rows than this in a cell that a constraint needs says nothing about it.
  public var minimumCell: Int
  /// Steps on the same batch; of the `released` form alone.
  public var innerSteps: Int
  /// What `eta` is multiplied by before every epoch; of the `released` form alone.
  public var growth: Double
  /// The share of the training rows that is kept for the dual step; of the `equant` form alone.
  ///
  /// With 0 the training batches themselves decide, each before its own step.
  public var heldOut: Double
  /// The number of steps from one dual step to the next; of the `equant` form alone.
  public var interval: Int

  /// The constants that `form` is used with unless others are asked for.
  public init(_ form: Form = .equant) {
    self.form = form
    constraint = form == .equant ? .equalizedOdds : .equalOpportunity
    surrogate = form == .equant ? .sigmoid : .crossEntropy
    eta =
      switch form {
      case .paper: 0.01
      case .released: 20
      case .equant: 0.05
      }
    penalty = 1
    tolerance = 0.01
    largestMultiplier = 4
    minimumCell = form == .equant ? 4 : 1
    innerSteps = form == .released ? 5 : 1
    growth = form == .released ? 1.01 : 1
    heldOut = form == .equant ? 0.1 : 0
    interval = 10
  }

  /// Checks every range.
  ///
  /// - Throws: ``TrainingError/badSetting(name:found:expected:)`` for the first that is off.
  public func validate() throws(TrainingError) {
    func check(
      _ good: Bool, _ name: String, _ found: some Any, _ expected: String
    ) throws(TrainingError) {
      if !good { throw .badSetting(name: name, found: "\(found)", expected: expected) }
    }
    for (name, value) in [("eta", eta), ("penalty", penalty), ("gap tolerance", tolerance)] {
      try check(value >= 0 && value.isFinite, name, value, "0 or more")
    }
    try check(
      largestMultiplier > 0 && largestMultiplier.isFinite, "largest multiplier", largestMultiplier,
      "above 0")
    try check(growth >= 1 && growth.isFinite, "growth", growth, "1 or more")
    try check(minimumCell >= 1, "minimum cell", minimumCell, "at least 1 row")
    try check((1...100).contains(innerSteps), "inner steps", innerSteps, "from 1 to 100")
    try check((0..<1).contains(heldOut), "held-out share", heldOut, "in [0, 1)")
    try check(interval >= 1, "dual interval", interval, "at least 1 step")
    guard form != .equant else {
      return try check(
        surrogate == .sigmoid || constraint != .demographicParity, "surrogate", surrogate.rawValue,
        "sigmoid: the cross-entropy does not stand for a selection rate")
    }
    try check(
      ![.equalizedOdds, .demographicParity].contains(constraint), "constraint",
      constraint.rawValue,
      "equalOpportunity, fprDifference or errorRate in the \(form.rawValue) form")
    try check(surrogate == .crossEntropy, "surrogate", surrogate.rawValue, "crossEntropy")
    try check(heldOut == 0, "held-out share", heldOut, "0 in the \(form.rawValue) form")
  }
}
