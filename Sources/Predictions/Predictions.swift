public import Fairness

/// A model's predictions, one row a person or image, column by column.
///
/// What `equant predict` writes and `equant audit` reads: a CSV file with a header and the columns
/// `id,label,score,group` and optionally `identity`, `weight` and more attributes.
public struct Predictions: Sendable {
  /// What names a row: a file name, a number; unique.
  public var ids: [String]
  /// The truth of every row.
  public var labels: [Bool]
  /// P(positive) of every row, in [0, 1].
  public var scores: [Double]
  /// The protected attributes, at least one; the first is written as `group`.
  public var attributes: [Attribute]
  /// Whose row it is, for people with several rows; nil when unknown.
  public var identities: [String]?
  /// How much every row counts; nil when all count 1.
  public var weights: [Double]?

  /// Predictions by columns.
  ///
  /// - Precondition: all columns have the same length and there is at least one attribute.
  public init(
    ids: [String], labels: [Bool], scores: [Double], attributes: [Attribute],
    identities: [String]? = nil, weights: [Double]? = nil
  ) {
    let n = ids.count
    precondition(!attributes.isEmpty, "predictions need an attribute")
    precondition(
      labels.count == n && scores.count == n && attributes.allSatisfy { $0.codes.count == n }
        && identities?.count ?? n == n && weights?.count ?? n == n,
      "the columns of predictions differ in length")
    self.ids = ids
    self.labels = labels
    self.scores = scores
    self.attributes = attributes
    self.identities = identities
    self.weights = weights
  }

  /// The number of rows.
  public var count: Int { ids.count }

  /// The rows for an audit: one attribute, or the intersections of all.
  public var outcomes: Outcomes {
    let clusters = identities.map { identities in
      Attribute("identity", of: identities).codes
    }
    return Outcomes(
      scores: scores, labels: labels,
      groups: attributes.count == 1 ? attributes[0] : Attribute(crossing: attributes),
      weights: weights, clusters: clusters)
  }
}
