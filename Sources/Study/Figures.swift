import Fairness
import Predictions
public import Training

extension StudyResult {
  /// The numbers behind the figures.
  public struct Figures: Hashable, Codable, Sendable {
    /// The ROC curve of one group.
    public struct Curve: Hashable, Codable, Sendable {
      /// What a threshold gives.
      public struct Point: Hashable, Codable, Sendable {
        /// Scores of at least this are called positive.
        public var threshold: Double
        /// The FPR there.
        public var falsePositiveRate: Double
        /// The TPR there.
        public var truePositiveRate: Double
      }

      /// The model's key.
      public var model: String
      /// The seed of the training run.
      public var seed: UInt64
      /// The name of the group.
      public var group: String
      /// From (0, 0) to (1, 1), at most ``most`` points; empty for decisions 0 and 1.
      public var points: [Point]
      /// What the model's own threshold gives; nil when a rate is undefined.
      public var operating: Point?

      /// The greatest number of points.
      public static let most = 102
    }

    /// The scores of one group, counted.
    public struct Histogram: Hashable, Codable, Sendable {
      /// The model's key.
      public var model: String
      /// The seed of the training run.
      public var seed: UInt64
      /// The name of the group.
      public var group: String
      /// The number of bins of equal width from 0 to 1.
      public var bins: Int
      /// The number of negatives in every bin.
      public var negatives: [Double]
      /// The number of positives in every bin.
      public var positives: [Double]
      /// Scores of at least this were called positive.
      public var threshold: Double
    }

    /// The epochs of one training run.
    public struct Training: Hashable, Codable, Sendable {
      /// The model's key.
      public var model: String
      /// The seed of the training run.
      public var seed: UInt64
      /// Every epoch.
      public var epochs: [EpochRecord]
    }

    /// The test rows whose decision differs between two models.
    public struct Flips: Hashable, Codable, Sendable {
      /// One row.
      public struct Example: Hashable, Codable, Sendable {
        /// What names the row.
        public var id: String
        /// Its group.
        public var group: String
        /// Its label: 1 is positive.
        public var label: Int
        /// `gained` when only the model after calls it positive, otherwise `lost`.
        public var direction: String
        /// The score before.
        public var before: Double
        /// The score after.
        public var after: Double
      }

      /// The key of the model that came after.
      public var model: String
      /// The key of the model that was before it.
      public var base: String
      /// The seed of the training run.
      public var seed: UInt64
      /// The number of rows whose decision differs.
      public var total: Int
      /// At most ``most`` of them, the largest changes of the score first.
      public var examples: [Example]

      /// The greatest number of examples.
      public static let most = 200
    }

    /// The ROC curves.
    public var curves: [Curve] = []
    /// The scores.
    public var histograms: [Histogram] = []
    /// The training runs.
    public var training: [Training] = []
    /// The rows whose decision differs.
    public var flips: [Flips] = []

    /// No figure yet.
    public init() {}
  }
}

extension StudyResult.Figures {
  /// Adds what is drawn of one model.
  mutating func add(_ row: StudyResult.Row, _ made: Made) {
    let counts = AuditCounts(made.test.outcomes)
    let isGraded = made.repair == nil
    for group in counts.groups {
      histograms.append(Histogram(row, group, threshold: counts.threshold))
      curves.append(
        Curve(row, group, threshold: counts.threshold, hasPoints: isGraded))
    }
    if !made.epochs.isEmpty {
      training.append(Training(model: row.model, seed: row.seed, epochs: made.epochs))
    }
  }

  /// Adds the rows whose decision differs between two models' predictions of the same rows.
  mutating func addFlips(
    _ model: String, base: String, seed: UInt64, _ before: Predictions, _ after: Predictions
  ) {
    let threshold = 0.5
    let groups = before.outcomes.groups
    let rows = (0..<before.count).filter {
      (before.scores[$0] >= threshold) != (after.scores[$0] >= threshold)
    }
    let shown = rows.sorted { a, b in
      let (x, y) = (
        abs(after.scores[a] - before.scores[a]), abs(after.scores[b] - before.scores[b])
      )
      return x == y ? a < b : x > y
    }.prefix(Flips.most)
    flips.append(
      Flips(
        model: model, base: base, seed: seed, total: rows.count,
        examples: shown.map { row in
          Flips.Example(
            id: before.ids[row], group: groups.groups[Int(groups.codes[row])],
            label: before.labels[row] ? 1 : 0,
            direction: after.scores[row] >= threshold ? "gained" : "lost",
            before: before.scores[row], after: after.scores[row])
        }))
  }
}

extension StudyResult.Figures.Histogram {
  /// Counts of 1000 bins in 100.
  init(_ row: StudyResult.Row, _ group: AuditCounts.Group, threshold: Double) {
    bins = 100
    func coarse(_ fine: [Double]) -> [Double] {
      let width = fine.count / 100
      return (0..<100).map { bin in fine[bin * width..<(bin + 1) * width].reduce(0, +) }
    }
    (model, seed, self.group) = (row.model, row.seed, group.name)
    negatives = coarse(group.negatives)
    positives = coarse(group.positives)
    self.threshold = threshold
  }
}

extension StudyResult.Figures.Curve {
  /// The curve at the ends of the bins that change it by more than a hundredth of its length.
  init(
    _ row: StudyResult.Row, _ group: AuditCounts.Group, threshold: Double, hasPoints: Bool
  ) {
    (model, seed, self.group) = (row.model, row.seed, group.name)
    points = []
    let (positives, negatives) = (group.positives.reduce(0, +), group.negatives.reduce(0, +))
    if let tpr = group.counts.rate(.truePositiveRate).value,
      let fpr = group.counts.rate(.falsePositiveRate).value
    {
      operating = Point(threshold: threshold, falsePositiveRate: fpr, truePositiveRate: tpr)
    }
    guard hasPoints, positives > 0, negatives > 0 else { return }
    let bins = group.positives.count
    points.append(Point(threshold: 1, falsePositiveRate: 0, truePositiveRate: 0))
    var (tp, fp, last) = (0.0, 0.0, 0.0)
    for bin in (0..<bins).reversed() {
      tp += group.positives[bin]
      fp += group.negatives[bin]
      let length = tp / positives + fp / negatives
      guard length - last >= 0.02 || bin == 0 else { continue }
      last = length
      points.append(
        Point(
          threshold: Double(bin) / Double(bins), falsePositiveRate: fp / negatives,
          truePositiveRate: tp / positives))
    }
  }
}
