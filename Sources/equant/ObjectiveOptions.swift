public import ArgumentParser
import Fairness
public import Training

/// What training makes small besides the mean loss, and how rare rows are made to count.
struct ObjectiveOptions: ParsableArguments {
  enum Objective: String, ExpressibleByArgument, CaseIterable {
    case erm, fairalm
  }

  enum Sampling: String, ExpressibleByArgument, CaseIterable {
    case natural, balanced
  }

  @Option(help: "erm: the mean loss; fairalm: the mean loss under a fairness constraint.")
  var objective = Objective.erm

  @Option(help: "FairALM's update: the paper's, the authors' program's, or Equant's own.")
  var fairalmForm = FairALMSettings.Form.equant

  @Option(
    help:
      "What groups should have in common (default: equalizedOdds, published forms: equalOpportunity)."
  )
  var constraint: FairnessConstraint?

  @Option(
    help: ArgumentHelp(
      "FairALM's dual step (default: equant 0.05, paper 0.01, released 20).", valueName: "step"))
  var eta: Double?

  @Option(help: ArgumentHelp("The weight of half the squared gap.", valueName: "weight"))
  var penalty: Double?

  @Option(help: ArgumentHelp("A gap up to this size is left alone.", valueName: "fraction"))
  var gapTolerance: Double?

  @Option(help: ArgumentHelp("The largest size of a multiplier.", valueName: "size"))
  var largestMultiplier: Double?

  @Option(help: "What stands for error rates in the gradient.")
  var surrogate: FairALMSettings.Surrogate?

  @Option(
    help: ArgumentHelp(
      "A batch with fewer rows in a cell that matters says nothing.", valueName: "rows"))
  var minimumCell: Int?

  @Option(
    help: ArgumentHelp(
      "The share of training rows kept for the dual step; 0 uses the training batches.",
      valueName: "share"))
  var heldOut: Double?

  @Option(help: ArgumentHelp("Steps between two dual steps.", valueName: "steps"))
  var dualEvery: Int?

  @Option(help: ArgumentHelp("Steps on the same batch, in the released form.", valueName: "steps"))
  var innerSteps: Int?

  @Option(help: "balanced: every cell of group and label gives as many rows to a batch.")
  var sampling = Sampling.natural

  @Flag(help: "Weigh rows as if group and label were independent (Kamiran and Calders).")
  var reweigh = false

  @Option(
    help: """
      Keep the epoch with the smallest such gap among the accurate ones (default: with fairalm the \
      constraint's, otherwise the most accurate epoch is kept).
      """)
  var selectGap: SelectedGap?

  @Option(
    help: ArgumentHelp(
      "How much less accurate than the best an epoch may be to be kept for its gap.",
      valueName: "fraction"))
  var accuracyTolerance: Double?

  func validate() throws {
    guard sampling == .natural || !reweigh else {
      throw ValidationError("Give '--sampling balanced' or '--reweigh', not both.")
    }
    guard objective == .fairalm else {
      let given: [(String, Any?)] = [
        ("constraint", constraint), ("eta", eta), ("penalty", penalty),
        ("gap-tolerance", gapTolerance), ("largest-multiplier", largestMultiplier),
        ("surrogate", surrogate), ("minimum-cell", minimumCell), ("held-out", heldOut),
        ("dual-every", dualEvery), ("inner-steps", innerSteps),
      ]
      if let (name, _) = given.first(where: { $0.1 != nil }) {
        throw ValidationError("'--\(name)' needs '--objective fairalm'.")
      }
      return
    }
    let given: [(String, Any?)] =
      fairalmForm == .equant
      ? [("inner-steps", innerSteps)]
      : [
        ("penalty", penalty), ("gap-tolerance", gapTolerance), ("surrogate", surrogate),
        ("largest-multiplier", largestMultiplier), ("held-out", heldOut),
        ("dual-every", dualEvery),
      ] + (fairalmForm == .paper ? [("inner-steps", innerSteps)] : [])
    if let (name, _) = given.first(where: { $0.1 != nil }) {
      throw ValidationError("'--\(name)' has no meaning in the form '\(fairalmForm.rawValue)'.")
    }
  }

  /// Puts these choices into a run's settings.
  func apply(to settings: inout TrainingSettings) {
    settings.fairALM = objective == .fairalm ? fairALM : nil
    if sampling == .balanced { settings.balance = .sampling }
    if reweigh { settings.balance = .weighting }
    guard selectGap != nil || accuracyTolerance != nil else { return }
    var rule = settings.selectionRule ?? SelectionRule(gap: .equalizedOdds)
    if let selectGap { rule.gap = selectGap.gap }
    if let accuracyTolerance { rule.tolerance = accuracyTolerance }
    settings.selection = rule
  }

  private var fairALM: FairALMSettings {
    var settings = FairALMSettings(fairalmForm)
    if let constraint { settings.constraint = constraint }
    if let eta { settings.eta = eta }
    if let penalty { settings.penalty = penalty }
    if let gapTolerance { settings.tolerance = gapTolerance }
    if let largestMultiplier { settings.largestMultiplier = largestMultiplier }
    if let surrogate { settings.surrogate = surrogate }
    if let minimumCell { settings.minimumCell = minimumCell }
    if let heldOut { settings.heldOut = heldOut }
    if let dualEvery { settings.interval = dualEvery }
    if let innerSteps { settings.innerSteps = innerSteps }
    return settings
  }
}

/// A gap that an epoch can be chosen by.
enum SelectedGap: String, ExpressibleByArgument, CaseIterable {
  case equalOpportunity, fprDifference, equalizedOdds, demographicParity, accuracy

  /// The gap of an audit.
  var gap: GapKind {
    switch self {
    case .equalOpportunity: .equalOpportunity
    case .fprDifference: .fprDifference
    case .equalizedOdds: .equalizedOdds
    case .demographicParity: .demographicParity
    case .accuracy: .accuracy
    }
  }
}

extension FairALMSettings.Form: ExpressibleByArgument {}
extension FairALMSettings.Surrogate: ExpressibleByArgument {}
extension FairnessConstraint: ExpressibleByArgument {}
