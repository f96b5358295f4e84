/// What an audit knows of the scores of every group.
struct ScoreTable: Sendable {
  /// The sums of every group.
  var moments: [ScoreMoments]
  /// The scores of every group in order; nil for weighted rows.
  var ranked: [RankedScores]?
  /// Measures with the variances of weighted or clustered rows, by group.
  private var summaries: [[Measure: Summary]]?
  /// The same over all rows.
  private var wholeSummary: [Measure: Summary] = [:]
  /// The scores of every group in bins, when only counts are left.
  var binned: [BinnedScores]?

  /// Gathers and sorts the scores of `outcomes`, on all cores.
  init(_ outcomes: Outcomes) {
    let groups = outcomes.groups.groups.count
    let weights = outcomes.weights
    moments = inBlocks(outcomes.count, zero: Self.none(groups)) { range in
      var part = Self.none(groups)
      for row in range {
        part[Int(outcomes.groups.codes[row])].add(
          label: outcomes.labels[row], score: outcomes.scores[row], weight: weights?[row] ?? 1)
      }
      return part
    } merge: { sum, part in
      for group in sum.indices { sum[group] += part[group] }
    }
    if weights != nil || outcomes.clusters != nil {
      let parts = onAllCores(groups + 1) { group in
        Self.summaries(ScoredRows(outcomes, group: group < groups ? group : nil), outcomes)
      }
      summaries = Array(parts.prefix(groups))
      wholeSummary = parts[groups]
    }
    guard weights == nil else { return }
    var parts = [[Double]](repeating: [], count: 2 * groups)
    for group in 0..<groups {
      parts[2 * group].reserveCapacity(Int(moments[group].negatives.weight))
      parts[2 * group + 1].reserveCapacity(Int(moments[group].positives.weight))
    }
    for row in 0..<outcomes.count {
      let place = 2 * Int(outcomes.groups.codes[row]) + (outcomes.labels[row] ? 1 : 0)
      parts[place].append(outcomes.scores[row])
    }
    let gathered = parts
    let sorted = onAllCores(2 * groups) { gathered[$0].sorted() }
    ranked = (0..<groups).map {
      RankedScores(positives: sorted[2 * $0 + 1], negatives: sorted[2 * $0])
    }
  }

  /// The scores that are left in counts: exact sums, and ranks to the width of a bin.
  init(_ counts: AuditCounts) {
    moments = counts.groups.map(\.moments)
    // Weighted counts have no rows to rank.
    let whole = counts.groups.allSatisfy { $0.counts.squares == $0.counts.cells }
    binned = counts.groups.map { BinnedScores(positives: $0.positives, negatives: $0.negatives) }
    if !whole { binned = nil }
  }

  private static func none(_ groups: Int) -> [ScoreMoments] {
    .init(repeating: ScoreMoments(), count: groups)
  }

  /// A measure with its variance, from which an interval of any confidence follows.
  private struct Summary {
    var influences: Influences
    var variance: Double
    var clusterCount: Int?
  }

  private static func summaries(
    _ rows: ScoredRows, _ outcomes: Outcomes
  ) -> [Measure: Summary] {
    let scores = rows.rows.map { outcomes.scores[$0] }
    let clusters = rows.clusterCount
    var summaries: [Measure: Summary] = [:]
    for measure in Measure.ofScores where measure != .calibrationError {
      guard var influences = Influences(measure, rows, scores: scores) else { continue }
      let variance = Influences.covariance(influences, influences, clusters: rows.clusters)
      influences.ofRows = []
      summaries[measure] = Summary(
        influences: influences, variance: variance, clusterCount: clusters)
    }
    return summaries
  }

  /// One of ``Measure/ofScores`` of one group.
  func rate(_ measure: Measure, group: Int, confidence: Double) -> Rate {
    if let summaries, measure != .calibrationError {
      guard let summary = summaries[group][measure] else {
        return Rate(undefined: measure.emptyReason)
      }
      return summary.influences.rate(
        measure, variance: summary.variance, clusterCount: summary.clusterCount,
        confidence: confidence)
    }
    switch measure {
    case .auc:
      return ranked?[group].auc(confidence: confidence)
        ?? binned?[group].auc(confidence: confidence)
        ?? Rate(undefined: "not offered for weighted rows")
    case .calibrationError:
      // Rows in clusters vary more than the intervals of rows would say.
      let confidence = summaries == nil ? confidence : nil
      return ranked?[group].calibrationError(confidence: confidence)
        ?? binned?[group].calibrationError(confidence: confidence)
        ?? Rate(undefined: "not offered for weighted rows")
    default: return moments[group].rate(measure, confidence: confidence)
    }
  }

  /// All groups as one.
  var overall: ScoreTable {
    var all = self
    if summaries != nil { all.summaries = [wholeSummary] }
    all.moments = [moments.reduce(into: ScoreMoments()) { $0 += $1 }]
    all.ranked = ranked.map { ranked in
      [
        RankedScores(
          positives: ranked.flatMap(\.positives).sorted(),
          negatives: ranked.flatMap(\.negatives).sorted())
      ]
    }
    all.binned = binned.map { binned in
      [binned.dropFirst().reduce(into: binned[0]) { $0.merge($1) }]
    }
    return all
  }
}
