/// Choices of calibrated equalized odds.
public struct CalibratedEqualizedOddsOptions: Hashable, Sendable {
  /// What is made equal between the groups.
  public enum Cost: String, Hashable, Codable, Sendable, CaseIterable {
    /// The generalised false negative rate: the mean of one minus the score over the positives.
    case fnr
    /// The generalised false positive rate: the mean score of the negatives.
    case fpr
    /// Half of each, weighed by the group's shares of positives and negatives.
    case weighted
  }

  /// What is made equal between the groups.
  public var cost = Cost.weighted
  /// How the scores of each group are calibrated first; the method assumes that they are.
  public var calibration = ScoreCalibration.Kind.temperature
  /// A row is called positive when its score is at least this.
  public var threshold = 0.5

  /// Weighted cost, temperature scaling, threshold 0.5.
  public init() {}
}

extension Repair {
  /// Calibrated equalized odds: the group with the lower cost gives up some of its scores.
  ///
  /// A share `m` of its rows, chosen by lot, gets the group's base rate `π` instead of a score,
  /// which keeps the scores calibrated and raises the group's cost from `c` towards `τ`, that of
  /// knowing nothing: `m = (c_other - c) / (τ - c)`. When no share in [0, 1] makes the costs equal,
  /// the nearest is taken and ``RepairFit/isFeasible`` is false. It only ever makes the better
  /// group worse.
  ///
  /// Source: G. Pleiss, M. Raghavan, F. Wu, J. Kleinberg, K. Weinberger, *On Fairness and
  /// Calibration*, NeurIPS 2017, algorithm 1. <https://arxiv.org/abs/1709.02012>
  ///
  /// - Throws: ``RepairError/cannotFit(_:)`` unless there are exactly two groups, each with rows of
  ///   both labels.
  public static func calibratedEqualizedOdds(
    _ outcomes: Outcomes,
    options: CalibratedEqualizedOddsOptions = CalibratedEqualizedOddsOptions()
  ) throws(RepairError) -> Repair {
    let names = try requireRows(outcomes, labels: true)
    guard names.count == 2 else {
      throw .cannotFit(
        "calibrated equalized odds is for two groups, and there are \(names.count)"
          + (names.count > 2 ? "; 'thresholds' takes any number" : ""))
    }
    var calibrations: [ScoreCalibration?] = [nil, nil]
    if options.calibration != .none {
      for (group, curve) in ScoreCurve.curves(of: outcomes).enumerated() {
        calibrations[group] = try ScoreCalibration.fitted(
          options.calibration, to: curve, group: names[group])
      }
    }
    let sums = scoreSums(outcomes, calibrations)
    let mixing = CalibratedMixing(sums, cost: options.cost)
    let rules = names.indices.map { group in
      let share = mixing.shares[group]
      let floor = mixing.baseRates[group] >= options.threshold ? share : 0
      return Rule(
        group: names[group], calibration: calibrations[group], otherwise: floor,
        steps: [Step(atLeast: options.threshold, 1 - share + floor)])
    }
    var notes: [String] = []
    for group in names.indices where mixing.shares[group] > 0 {
      notes.append(
        "\(written(100 * mixing.shares[group], decimals: 1)) % of \(names[group]), by lot, are "
          + "judged by the group's base rate \(written(mixing.baseRates[group], decimals: 3)) "
          + "instead of their own score")
    }
    if !mixing.isFeasible {
      notes.append(
        "the costs cannot be made equal: the group with the lower cost would need a share of "
          + "\(mixing.unclamped.map { written($0, decimals: 3) } ?? "no number"), outside 0 to 1")
    }
    return Repair(
      method: .calibratedEqualizedOdds, attribute: outcomes.groups.name, rules: rules,
      fit: try RepairFit(
        outcomes, rules: rules, threshold: options.threshold,
        settings: [
          "cost": options.cost.rawValue, "calibration": options.calibration.rawValue,
        ], isFeasible: mixing.isFeasible, notes: notes))
  }

  /// The names of the groups, all of which have rows, and of both labels if `labels` asks for it.
  static func requireRows(
    _ outcomes: Outcomes, labels: Bool
  ) throws(RepairError) -> [String] {
    let tally = Tally(outcomes)
    guard outcomes.scores.allSatisfy({ (0...1).contains($0) }) else {
      throw .cannotFit("a score is not in 0 to 1")
    }
    for (name, counts) in zip(tally.names, tally.counts) {
      guard counts.total > 0 else { throw .cannotFit("group \(name) has no rows to fit on") }
      guard labels else { continue }
      if counts.positives == 0 {
        throw .cannotFit("group \(name) has no row labelled positive to fit on")
      }
      if counts.negatives == 0 {
        throw .cannotFit("group \(name) has no row labelled negative to fit on")
      }
    }
    guard !tally.names.isEmpty else { throw .cannotFit("there are no rows to fit on") }
    return tally.names
  }

  /// The weights and calibrated scores of every group, summed.
  private static func scoreSums(
    _ outcomes: Outcomes, _ calibrations: [ScoreCalibration?]
  ) -> [CalibratedMixing.Sums] {
    let none = [CalibratedMixing.Sums](
      repeating: CalibratedMixing.Sums(), count: calibrations.count)
    return inBlocks(outcomes.count, zero: none) { range in
      var part = none
      for row in range {
        let group = Int(outcomes.groups.codes[row])
        let weight = outcomes.weights?[row] ?? 1
        let score = calibrations[group]?(outcomes.scores[row]) ?? outcomes.scores[row]
        if outcomes.labels[row] {
          part[group].positives += weight
          part[group].missed += weight * (1 - score)
        } else {
          part[group].negatives += weight
          part[group].raised += weight * score
        }
      }
      return part
    } merge: { sum, part in
      for group in sum.indices { sum[group] += part[group] }
    }
  }
}

/// How much of which group's scores is given up.
struct CalibratedMixing {
  /// What the costs of one group follow from.
  struct Sums: Sendable {
    /// The weight of positives.
    var positives = 0.0
    /// The weight of negatives.
    var negatives = 0.0
    /// The weighted sum of one minus the score over the positives.
    var missed = 0.0
    /// The weighted sum of the score over the negatives.
    var raised = 0.0

    static func += (sum: inout Sums, part: Sums) {
      sum.positives += part.positives
      sum.negatives += part.negatives
      sum.missed += part.missed
      sum.raised += part.raised
    }
  }

  /// The share of positives in each group.
  var baseRates: [Double]
  /// The cost of each group.
  var costs: [Double]
  /// The cost of each group if everyone got its base rate.
  var trivialCosts: [Double]
  /// The share of rows of each group that lose their score, in [0, 1].
  var shares = [0.0, 0.0]
  /// The share that would make the costs equal; nil when there is none.
  var unclamped: Double?
  /// Whether the costs become equal.
  var isFeasible: Bool

  /// Computes the shares of two groups that have rows of both labels.
  init(_ groups: [Sums], cost: CalibratedEqualizedOddsOptions.Cost) {
    precondition(groups.count == 2, "two groups are mixed")
    baseRates = groups.map { $0.positives / ($0.positives + $0.negatives) }
    costs = []
    trivialCosts = []
    for (sums, rate) in zip(groups, baseRates) {
      let missed = sums.missed / sums.positives
      let raised = sums.raised / sums.negatives
      switch cost {
      case .fnr:
        costs.append(missed)
        trivialCosts.append(1 - rate)
      case .fpr:
        costs.append(raised)
        trivialCosts.append(rate)
      case .weighted:
        costs.append(raised * (1 - rate) / 2 + missed * rate / 2)
        trivialCosts.append(rate * (1 - rate))
      }
    }
    let better = costs[0] < costs[1] ? 0 : 1
    let (lack, room) = (
      costs[1 - better] - costs[better], trivialCosts[better] - costs[better]
    )
    guard lack > 0 else {
      unclamped = 0
      isFeasible = true
      return
    }
    unclamped = room == 0 ? nil : lack / room
    isFeasible = room > 0 && lack <= room
    // Where knowing nothing costs no more than the scores do, giving them up cannot help.
    shares[better] = room > 0 ? min(1, lack / room) : 0
  }
}
