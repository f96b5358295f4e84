import Fairness
public import Predictions
import Study

/// How one model's scores are distributed, by group and label: enough for every threshold.
///
/// Bin *k* of *n* holds the scores from `k / n` to below `(k + 1) / n`; the last also holds 1. The
/// decisions at any threshold `k / n` follow from it exactly.
public struct ScoreHistogram: Hashable, Codable, Sendable {
  /// The scores of one group.
  public struct Group: Hashable, Codable, Sendable {
    /// The group's name.
    public var name: String
    /// Rows labelled 1 in each bin.
    public var positives: [Int]
    /// Rows labelled 0 in each bin.
    public var negatives: [Int]
  }

  /// The model's key.
  public var model: String
  /// The seed of its training run.
  public var seed: UInt64
  /// The number of bins.
  public var bins: Int
  /// Every group, in alphabetical order.
  public var groups: [Group]

  /// Counts the scores of `predictions`; several attributes are crossed.
  public init(_ predictions: Predictions, model: String, seed: UInt64, bins: Int = 1000) {
    (self.model, self.seed, self.bins) = (model, seed, bins)
    let outcomes = predictions.outcomes
    groups = outcomes.groups.groups.map {
      Group(
        name: $0, positives: Array(repeating: 0, count: bins),
        negatives: Array(repeating: 0, count: bins))
    }
    for row in 0..<outcomes.count {
      let bin = Self.bin(of: outcomes.scores[row], bins)
      let group = Int(outcomes.groups.codes[row])
      if outcomes.labels[row] {
        groups[group].positives[bin] += 1
      } else {
        groups[group].negatives[bin] += 1
      }
    }
  }

  /// The coarser histograms that `study.json` itself holds, for when the predictions are gone.
  static func all(of figures: [StudyResult.Figures.Histogram]) -> [ScoreHistogram] {
    var found: [ScoreHistogram] = []
    for figure in figures {
      let group = Group(
        name: figure.group, positives: figure.positives.map { Int($0) },
        negatives: figure.negatives.map { Int($0) })
      if let place = found.firstIndex(where: {
        $0.model == figure.model && $0.seed == figure.seed && $0.bins == figure.bins
      }) {
        found[place].groups.append(group)
      } else {
        found.append(
          ScoreHistogram(
            model: figure.model, seed: figure.seed, bins: figure.bins, groups: [group]))
      }
    }
    return found
  }

  private init(model: String, seed: UInt64, bins: Int, groups: [Group]) {
    (self.model, self.seed, self.bins, self.groups) = (model, seed, bins, groups)
  }

  /// The last bin whose lower end is not above `score`.
  ///
  /// Multiplying alone would put some scores that are a bin's lower end into the bin below.
  static func bin(of score: Double, _ bins: Int) -> Int {
    var bin = min(bins - 1, max(0, Int(score * Double(bins))))
    if bin + 1 < bins && Double(bin + 1) / Double(bins) <= score { bin += 1 }
    if bin > 0 && Double(bin) / Double(bins) > score { bin -= 1 }
    return bin
  }
}
