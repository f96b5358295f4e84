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
  /// The effective number of rows, or clusters, that the measure rests on: of the rarer label for an
  /// area.
  public var rows: Double
  /// How much the measure can differ from row to row: 1, except for the log loss.
  private var span: Double

  /// The areas of two models' scores of the same rows; nil unless there are rows of both labels.
  ///
  /// - Precondition: all three columns have the same length.
  public init?(before: [Double], after: [Double], labels: [Bool]) {
    precondition(
      before.count == labels.count && after.count == labels.count, "the columns differ in length")
    self.init(.auc, ScoredRows(labels: labels), before, after)
  }

  /// One measure of the scores of two models; nil where it is undefined.
  ///
  /// Not only of areas: means of scores have the same five numbers.
  init?(_ measure: Measure, _ rows: ScoredRows, _ before: [Double], _ after: [Double]) {
    guard let first = Influences(measure, rows, scores: before),
      let second = Influences(measure, rows, scores: after)
    else { return nil }
    (self.before, self.after) = (first.value, second.value)
    varianceBefore = Influences.covariance(first, first, clusters: rows.clusters)
    varianceAfter = Influences.covariance(second, second, clusters: rows.clusters)
    covariance = Influences.covariance(first, second, clusters: rows.clusters)
    self.rows = min(first.least, rows.clusterCount.map(Double.init) ?? .infinity)
    // A certain mistake costs at most -ln(2^-52).
    span = measure == .logLoss ? 36.04365338911715 : 1
  }

  /// The change of the area with a normal interval.
  ///
  /// Where no row's score moved, that of other rows still may: the interval then reaches as far as
  /// the share of rows that could have moved unseen, as for decisions without a flip.
  public func change(confidence: Double = 0.95) -> Estimate {
    normal(after - before, varianceBefore + varianceAfter - 2 * covariance, confidence)
  }

  /// The change and the sum at every confidence, and both values at 99 %.
  func estimates(_ levels: [Double]) -> PairedEstimates.Estimates {
    PairedEstimates.Estimates(
      change: levels.map { change(confidence: $0) },
      sum: levels.map {
        normal(before + after, varianceBefore + varianceAfter + 2 * covariance, $0)
      },
      before: normal(before, varianceBefore, 0.99), after: normal(after, varianceAfter, 0.99))
  }

  private func normal(_ value: Double, _ variance: Double, _ confidence: Double) -> Estimate {
    let half =
      variance > 0
      ? Normal.reach(confidence) * variance.squareRoot()
      : span * PairedChange.mostWithoutFlips(max(1, rows), confidence: confidence)
    return Estimate(value, Interval(value - half, value + half))
  }
}
