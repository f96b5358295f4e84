/// The areas under two models' ROC curves over the same rows, with their joint uncertainty.
///
/// Source: DeLong, DeLong, Clarke-Pearson 1988, equations 4 to 8.
public struct PairedAreas: Hashable, Sendable {
  /// The area of the first model.
  public var before: Double
  /// The area of the second model.
  public var after: Double
  /// The variance of the first area.
  public var varianceBefore: Double
  /// The variance of the second area.
  public var varianceAfter: Double
  /// The covariance of the two.
  public var covariance: Double

  /// The areas of two models' scores of the same rows; nil unless there are rows of both labels.
  ///
  /// - Precondition: all three columns have the same length.
  public init?(before: [Double], after: [Double], labels: [Bool]) {
    precondition(
      before.count == labels.count && after.count == labels.count, "the columns differ in length")
    let (positives, negatives) = (
      labels.indices.filter { labels[$0] }, labels.indices.filter { !labels[$0] }
    )
    guard !positives.isEmpty, !negatives.isEmpty else { return nil }
    func placements(_ scores: [Double]) -> Placements {
      func order(_ rows: [Int]) -> [Int] {
        rows.indices.sorted { scores[rows[$0]] < scores[rows[$1]] }
      }
      let (high, low) = (order(positives), order(negatives))
      var sorted = Placements(
        positives: high.map { scores[positives[$0]] },
        negatives: low.map { scores[negatives[$0]] })
      // Back into the order of rows, so that two models can be compared row by row.
      var (byRow, ofNegatives) = (sorted.positives, sorted.negatives)
      for (place, row) in high.enumerated() { byRow[row] = sorted.positives[place] }
      for (place, row) in low.enumerated() { ofNegatives[row] = sorted.negatives[place] }
      (sorted.positives, sorted.negatives) = (byRow, ofNegatives)
      return sorted
    }
    let (first, second) = (placements(before), placements(after))
    self.before = first.area
    self.after = second.area
    varianceBefore = first.variance
    varianceAfter = second.variance
    covariance = Placements.covariance(first, second)
  }

  /// The change of the area with a normal interval.
  public func change(confidence: Double = 0.95) -> Estimate {
    let variance = max(0, varianceBefore + varianceAfter - 2 * covariance)
    let half = Normal.reach(confidence) * variance.squareRoot()
    let value = after - before
    return Estimate(value, Interval(value - half, value + half))
  }
}
