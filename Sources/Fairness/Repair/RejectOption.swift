/// Choices of reject-option classification.
public struct RejectOptionOptions: Hashable, Sendable {
  /// What is held near 0: the rate of the group in favour minus that of the other.
  public enum Metric: String, Hashable, Codable, Sendable, CaseIterable {
    /// The difference of selection rates.
    case statisticalParity = "statistical-parity"
    /// The mean of the differences of TPR and FPR.
    case averageOdds = "average-odds"
    /// The difference of TPRs.
    case equalOpportunity = "equal-opportunity"
  }

  /// What is held near 0.
  public var metric = Metric.statisticalParity
  /// How far from 0 it may be.
  public var bound = 0.05
  /// The group that uncertain cases are decided for; nil takes the one that is called positive
  /// less often.
  public var favoured: String?
  /// Thresholds from 0.01 to 0.99 that are tried.
  public var thresholds = 100
  /// Margins from 0 to the nearer end that are tried at each threshold.
  public var margins = 50
  /// A row was called positive before when its score was at least this.
  public var threshold = 0.5

  /// Statistical parity within 0.05, on AIF360's grid.
  public init() {}
}

extension Repair {
  /// Reject-option classification: near the threshold one group is favoured.
  ///
  /// Scores above a threshold `θ` are called positive, except that from `θ - r` to `θ + r` the
  /// favoured group always is and the other never. Of all pairs on a grid whose metric keeps the
  /// bound the first with the highest balanced accuracy is taken; when none keeps it, the one
  /// nearest to 0 (AIF360 takes the most negative instead), and ``RepairFit/isFeasible`` is false.
  /// Nothing is decided by lot.
  ///
  /// Source: F. Kamiran, A. Karim, X. Zhang, *Decision Theory for Discrimination-aware
  /// Classification*, ICDM 2012, section IV.
  ///
  /// - Throws: ``RepairError/cannotFit(_:)`` unless there are exactly two groups, each with rows of
  ///   both labels.
  public static func rejectOption(
    _ outcomes: Outcomes, options: RejectOptionOptions = RejectOptionOptions()
  ) throws(RepairError) -> Repair {
    let names = try requireRows(outcomes, labels: true)
    guard names.count == 2 else {
      throw .cannotFit("the reject option is for two groups, and there are \(names.count)")
    }
    guard options.bound >= 0, options.thresholds > 1, options.margins > 1 else {
      throw .cannotFit("the bound is 0 or more, and thresholds and margins are at least 2")
    }
    let tally = Tally(outcomes, threshold: options.threshold)
    let selected = tally.counts.map { $0.rate(.selectionRate).value ?? 0 }
    let favoured: Int
    if let name = options.favoured {
      guard let place = names.firstIndex(of: name) else {
        throw .cannotFit(
          "there is no group '\(name)' to favour; there are \(names[0]) and \(names[1])")
      }
      favoured = place
    } else {
      favoured = selected[0] <= selected[1] ? 0 : 1
    }
    let best = RejectBand.best(ScoreCurve.curves(of: outcomes), favoured: favoured, options)
    let rules = names.indices.map { group in
      let cut = group == favoured ? best.threshold - best.margin : best.threshold + best.margin
      return Rule(group: names[group], otherwise: 0, steps: [Step(above: cut, 1)])
    }
    var notes = [
      "from \(written(best.threshold - best.margin, decimals: 3)) to "
        + "\(written(best.threshold + best.margin, decimals: 3)) \(names[favoured]) is called "
        + "positive and \(names[1 - favoured]) negative"
    ]
    if !best.isFeasible {
      notes.append(
        "no band keeps \(options.metric.rawValue) within \(options.bound): the nearest to 0 is "
          + written(best.metric, decimals: 3))
    }
    return Repair(
      method: .rejectOption, attribute: outcomes.groups.name, rules: rules,
      fit: try RepairFit(
        outcomes, rules: rules, threshold: options.threshold,
        settings: [
          "metric": options.metric.rawValue, "bound": "\(options.bound)",
          "favoured": names[favoured],
        ], isFeasible: best.isFeasible, notes: notes))
  }
}

/// A threshold with the band around it in which the group decides.
struct RejectBand {
  var threshold: Double
  var margin: Double
  /// The favoured group's rate minus the other's.
  var metric: Double
  var balancedAccuracy: Double
  /// Whether the metric keeps the bound.
  var isFeasible: Bool

  /// The best band of the grid.
  static func best(
    _ curves: [ScoreCurve], favoured: Int, _ options: RejectOptionOptions
  ) -> RejectBand {
    let sums = curves.map { ScoreCurve.Sums($0) }
    let (positives, negatives) = (
      curves.reduce(0) { $0 + $1.positives }, curves.reduce(0) { $0 + $1.negatives }
    )
    var kept: RejectBand?
    var nearest: RejectBand?
    let (low, high) = (0.01, 0.99)
    for i in 0..<options.thresholds {
      let threshold = point(i, options.thresholds, from: low, to: high)
      let widest = threshold <= 0.5 ? threshold : 1 - threshold
      for j in 0..<options.margins {
        let margin = point(j, options.margins, from: 0, to: widest)
        let called = [0, 1].map { group in
          sums[group].above(group == favoured ? threshold - margin : threshold + margin)
        }
        func difference(_ rate: (Int) -> Double) -> Double {
          rate(favoured) - rate(1 - favoured)
        }
        let tpr = difference { called[$0].positives / curves[$0].positives }
        let fpr = difference { called[$0].negatives / curves[$0].negatives }
        let metric: Double =
          switch options.metric {
          case .statisticalParity:
            difference { (called[$0].positives + called[$0].negatives) / curves[$0].total }
          case .averageOdds: 0.5 * (fpr + tpr)
          case .equalOpportunity: tpr
          }
        let hits = called[0].positives + called[1].positives
        let alarms = called[0].negatives + called[1].negatives
        let band = RejectBand(
          threshold: threshold, margin: margin, metric: metric,
          balancedAccuracy: 0.5 * (hits / positives + (negatives - alarms) / negatives),
          isFeasible: abs(metric) <= options.bound)
        if band.isFeasible, band.balancedAccuracy > kept?.balancedAccuracy ?? -1 { kept = band }
        if abs(metric) < nearest.map({ abs($0.metric) }) ?? .infinity { nearest = band }
      }
    }
    guard let band = kept ?? nearest else { preconditionFailure("the grid is not empty") }
    return band
  }

  /// Point `i` of `count` at equal distances, as NumPy's `linspace` computes it.
  private static func point(_ i: Int, _ count: Int, from low: Double, to high: Double) -> Double {
    i == count - 1 ? high : Double(i) * ((high - low) / Double(count - 1)) + low
  }
}
