/// Choices of equalized odds.
public struct EqualizedOddsOptions: Hashable, Sendable {
  /// What is made small among all the ways to have equal rates.
  public enum Objective: Hashable, Sendable {
    /// The expected cost of mistakes, as in the paper; costs are not negative.
    case error(falsePositive: Double, falseNegative: Double)
    /// FPR minus TPR (so Youden's index is made large), whatever the sizes of groups and labels:
    /// what AIF360 does.
    case youden
  }

  /// What is made small among all the ways to have equal rates.
  public var objective = Objective.error(falsePositive: 1, falseNegative: 1)
  /// A row is called positive when its score is at least this.
  public var threshold = 0.5

  /// Expected error, threshold 0.5.
  public init() {}
}

extension Repair {
  /// Equalized odds from decisions alone: some are reversed, by lot, until TPR and FPR are equal.
  ///
  /// By reversing, a group with rates `(F, T)` reaches the parallelogram of `(0,0)`, `(F,T)`,
  /// `(1,1)`, `(1-F,1-T)`. Above the diagonal it is bounded by a line through `(0,0)` of slope
  /// `T/F` and one through `(1,1)` of slope `(1-T)/(1-F)`. What all groups reach is then bounded
  /// by the least of the first slopes and the greatest of the second: a triangle with one apex,
  /// so the best point of a linear objective is the apex, `(0,0)` or `(1,1)`. No solver is needed,
  /// and any number of groups can take part. Among equally good points the least FPR is taken.
  ///
  /// Source: M. Hardt, E. Price, N. Srebro, *Equality of Opportunity in Supervised Learning*,
  /// NeurIPS 2016, section 3.2 and equation 4.1. <https://arxiv.org/abs/1610.02413>
  ///
  /// - Throws: ``RepairError/cannotFit(_:)`` unless there are two groups or more, each with rows
  ///   of both labels.
  public static func equalizedOdds(
    _ outcomes: Outcomes, options: EqualizedOddsOptions = EqualizedOddsOptions()
  ) throws(RepairError) -> Repair {
    let names = try requireRows(outcomes, labels: true)
    guard names.count > 1 else { throw .cannotFit("equalized odds needs two groups, not one") }
    if case .error(let falsePositive, let falseNegative) = options.objective {
      guard falsePositive >= 0, falseNegative >= 0, (falsePositive + falseNegative).isFinite else {
        throw .cannotFit(
          "the costs of mistakes are \(falsePositive) and \(falseNegative): "
            + "expected 0 or more")
      }
    }
    let tally = Tally(outcomes, threshold: options.threshold)
    let flips = OddsFlips(tally.counts, objective: options.objective)
    let rules = names.indices.map { group in
      Rule(
        group: names[group], otherwise: flips.keeps[group].negative,
        steps: [Step(atLeast: options.threshold, flips.keeps[group].positive)])
    }
    var notes = [
      "meets at TPR \(written(flips.truePositiveRate, decimals: 3)) and "
        + "FPR \(written(flips.falsePositiveRate, decimals: 3))"
    ]
    if flips.falsePositiveRate == flips.truePositiveRate {
      notes.append("the decisions no longer depend on the scores: nothing better is equal")
    }
    let settings: [String: String] =
      switch options.objective {
      case .youden: ["objective": "youden"]
      case .error(let falsePositive, let falseNegative):
        [
          "objective": "error", "falsePositiveCost": "\(falsePositive)",
          "falseNegativeCost": "\(falseNegative)",
        ]
      }
    return Repair(
      method: .equalizedOdds, attribute: outcomes.groups.name, rules: rules,
      fit: try RepairFit(
        outcomes, rules: rules, threshold: options.threshold, settings: settings,
        isFeasible: true, notes: notes))
  }
}

/// Which decisions are kept, and with what probability, so that all groups have equal rates.
struct OddsFlips {
  /// The common false positive rate.
  var falsePositiveRate: Double
  /// The common true positive rate.
  var truePositiveRate: Double
  /// The value of the objective there.
  var objective: Double
  /// For every group the probability that a positive, and that a negative decision becomes positive.
  var keeps: [(positive: Double, negative: Double)]

  /// Solves for groups that have rows of both labels.
  init(_ groups: [Counts], objective: EqualizedOddsOptions.Objective) {
    let rates = groups.map { ($0.falsePositives / $0.negatives, $0.truePositives / $0.positives) }
    // Decisions below the diagonal are better reversed: their mirror image bounds from above.
    let upper = rates.map { $1 >= $0 ? ($0, $1) : (1 - $0, 1 - $1) }
    let first = upper.map { f, t in f == 0 ? (t == 0 ? 1 : .infinity) : t / f }.min() ?? 1
    let last = upper.map { f, t in f == 1 ? 1 : (1 - t) / (1 - f) }.max() ?? 1
    let apex: (Double, Double)
    if first <= 1 || last >= 1 {
      apex = (0, 0)
    } else if first == .infinity {
      apex = (0, 1 - last)
    } else {
      let f = (1 - last) / (first - last)
      apex = (f, first * f)
    }
    let total = groups.reduce(0) { $0 + $1.total }
    func value(_ point: (Double, Double)) -> Double {
      switch objective {
      case .youden: return Double(groups.count) * (point.0 - point.1)
      case .error(let falsePositive, let falseNegative):
        return groups.reduce(0) { sum, group in
          sum
            + (falsePositive * group.negatives * point.0
              + falseNegative * group.positives * (1 - point.1)) / total
        }
      }
    }
    var best = (0.0, 0.0)
    for point in [apex, (1, 1)] where value(point) < value(best) { best = point }
    (falsePositiveRate, truePositiveRate) = best
    self.objective = value(best)
    keeps = rates.map { f, t in
      let determinant = t - f
      // Decisions that say nothing about the label: only the diagonal is reached, by pure lot.
      guard abs(determinant) > 1e-15, best.0 != best.1 else { return (best.1, best.1) }
      let positive = (best.1 * (1 - f) - best.0 * (1 - t)) / determinant
      let negative = (best.0 * t - best.1 * f) / determinant
      return (min(1, max(0, positive)), min(1, max(0, negative)))
    }
  }
}
