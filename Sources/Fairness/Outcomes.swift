/// What a classifier said about people, what was true, and who they are.
///
/// One row a person (or image). Scores are probabilities of the positive class in [0, 1]; a hard
/// decision is a score of 0 or 1.
public struct Outcomes: Sendable {
  /// P(positive) of every row.
  public let scores: [Double]
  /// The truth of every row: true is positive, the favourable outcome.
  public let labels: [Bool]
  /// The groups of every row.
  public let groups: Attribute
  /// How much every row counts, above 0; nil when all count 1.
  public let weights: [Double]?
  /// Which rows belong together (images of one person): equal numbers are one cluster.
  public let clusters: [Int32]?

  /// Rows with a score each.
  ///
  /// - Precondition: all columns have the same length; weights are finite and not negative.
  public init(
    scores: [Double], labels: [Bool], groups: Attribute, weights: [Double]? = nil,
    clusters: [Int32]? = nil
  ) {
    let n = scores.count
    precondition(labels.count == n, "\(labels.count) labels for \(n) scores")
    precondition(groups.codes.count == n, "\(groups.codes.count) groups for \(n) scores")
    precondition(weights.map { $0.count == n } ?? true, "weights and scores differ in number")
    precondition(
      weights?.allSatisfy { $0 >= 0 && $0.isFinite } ?? true, "weights are finite, not negative")
    precondition(clusters.map { $0.count == n } ?? true, "clusters and scores differ in number")
    self.scores = scores
    self.labels = labels
    self.groups = groups
    self.weights = weights
    self.clusters = clusters
  }

  /// Rows with a yes or no each.
  ///
  /// - Precondition: all columns have the same length; weights are finite and not negative.
  public init(
    decisions: [Bool], labels: [Bool], groups: Attribute, weights: [Double]? = nil,
    clusters: [Int32]? = nil
  ) {
    self.init(
      scores: decisions.map { $0 ? 1 : 0 }, labels: labels, groups: groups, weights: weights,
      clusters: clusters)
  }

  /// The number of rows.
  public var count: Int { scores.count }
}
