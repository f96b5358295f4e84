/// What two models' scores did to every group: the changes of means and areas, and the drift of
/// their gaps.
///
/// A change has a normal interval from the joint uncertainty of both models over the same rows or
/// clusters. The drift between two groups joins two of them by MOVER; that of a widest gap is read
/// from draws of all groups' pairs of values.
struct ScoreDrifts: Sendable {
  private let names: [String]
  private let options: ComparisonOptions
  private let reference: Int?
  private let rows: Int
  private let isClustered: Bool
  /// By group, then over all rows; nil where a measure is undefined.
  private let values: [[Measure: PairedAreas]]
  private let calibration: [(before: Double?, after: Double?)]

  /// The measures that have a variance.
  private static let measures = Measure.ofScores.filter { $0 != .calibrationError }

  init(_ before: Outcomes, _ after: Outcomes, reference: Int?, options: ComparisonOptions) {
    names = before.groups.groups
    self.options = options
    self.reference = reference
    rows = before.count
    isClustered = before.clusters != nil
    let groups = names.count
    let parts = onAllCores(groups + 1) {
      group -> ([Measure: PairedAreas], (before: Double?, after: Double?)) in
      let rows = ScoredRows(before, group: group < groups ? group : nil)
      let first = rows.rows.map { before.scores[$0] }
      let second = rows.rows.map { after.scores[$0] }
      var values: [Measure: PairedAreas] = [:]
      for measure in Self.measures { values[measure] = PairedAreas(measure, rows, first, second) }
      func error(_ scores: [Double]) -> Double? {
        var parts = (positives: [Double](), negatives: [Double]())
        for (score, label) in zip(scores, rows.labels) {
          if label { parts.positives.append(score) } else { parts.negatives.append(score) }
        }
        return RankedScores(
          positives: parts.positives.sorted(), negatives: parts.negatives.sorted()
        ).calibrationError().value
      }
      return (values, (error(first), error(second)))
    }
    values = parts.map(\.0)
    calibration = parts.map(\.1)
  }

  /// The confidence whose two-sided interval makes two one-sided tests: 90 % for 95 %.
  private var equivalence: Double { 1 - 2 * (1 - options.confidence) }

  /// The change of every measure over all rows, then of every group.
  func changes() -> [Measure: [Comparison.Change]] {
    let order = [names.count] + Array(names.indices)
    var changes: [Measure: [Comparison.Change]] = [:]
    for measure in Self.measures {
      changes[measure] = order.map { place in
        var change = Comparison.Change(group: place < names.count ? names[place] : "all")
        guard let pair = values[place][measure] else { return change }
        let wide = pair.change(confidence: options.confidence)
        let narrow = pair.change(confidence: equivalence).interval
        (change.before, change.after, change.value) = (pair.before, pair.after, wide.value)
        (change.low, change.high) = (wide.interval.low, wide.interval.high)
        (change.equivalenceLow, change.equivalenceHigh) = (narrow.low, narrow.high)
        return change
      }
    }
    changes[.calibrationError] = order.map { place in
      var change = Comparison.Change(group: place < names.count ? names[place] : "all")
      (change.before, change.after) = calibration[place]
      if let before = change.before, let after = change.after { change.value = after - before }
      return change
    }
    return changes
  }

  /// The drift of every gap in scores.
  func drifts() -> [GapKind: Drift] {
    let kinds = GapKind.allCases.filter { !GapKind.ofDecisions.contains($0) }
    return Dictionary(
      uniqueKeysWithValues: zip(kinds, onAllCores(kinds.count) { drift(kinds[$0]) }))
  }

  private func drift(_ kind: GapKind) -> Drift {
    let table = GapTable(groups: names.count, reference: reference)
    var drift = Drift()
    let sides = [false, true].map { after in
      kind.measures.map { measure in names.indices.map { value(measure, $0, after: after) } }
    }
    let (first, second) = (table.value(kind, sides[0]), table.value(kind, sides[1]))
    if table.isSigned(kind) {
      let to = reference == 1 ? 0 : 1
      (drift.from, drift.to) = (names[1 - to], names[to])
    }
    guard !first.isNaN, !second.isNaN else {
      let measure = kind.measures.map(\.title).joined(separator: " or ")
      drift.reason = "\(measure) is undefined in all groups but one"
      return drift
    }
    (drift.before, drift.after) = (first, second)
    drift.value = second - first
    drift.growth = abs(second) - abs(first)
    guard kind != .calibrationError else {
      drift.reason = "no interval is offered for a calibration error"
      return drift
    }
    if table.isSigned(kind), let measure = kind.measure {
      decideSigned(&drift, measure)
    } else {
      decideDrawn(&drift, kind, table)
    }
    drift.decide(margin: options.margin)
    if drift.verdict == .undecided {
      drift.rowsNeeded = drift.rowsNeeded(margin: options.margin, rows: rows)
    }
    return drift
  }

  private func value(_ measure: Measure, _ group: Int, after: Bool) -> Double {
    if measure == .calibrationError {
      return (after ? calibration[group].after : calibration[group].before) ?? .nan
    }
    guard let pair = values[group][measure] else { return .nan }
    return after ? pair.after : pair.before
  }

  /// Two groups: the two changes' intervals join by MOVER.
  private func decideSigned(_ drift: inout Drift, _ measure: Measure) {
    let to = reference == 1 ? 0 : 1
    guard let from = values[1 - to][measure], let toward = values[to][measure] else { return }
    func joined(_ confidence: Double) -> Interval {
      Estimate.difference(
        from: from.change(confidence: confidence), to: toward.change(confidence: confidence)
      ).interval
    }
    let narrow = joined(equivalence)
    drift.interval = joined(options.confidence)
    drift.equivalenceInterval = narrow
    drift.method =
      (measure == .auc ? "DeLong" : "normal") + " and MOVER"
      + (isClustered ? ", by cluster" : "")
    let (x, y) = (drift.before ?? 0, drift.after ?? 0)
    let widest = max(abs(narrow.low), abs(narrow.high))
    // Where a sign changes the size grew by no more than the gap moved.
    drift.growthInterval =
      x * y > 0
      ? (x > 0 ? narrow : Interval(-narrow.high, -narrow.low)) : Interval(-widest, widest)
  }

  /// More groups, or the larger of two gaps: draws of every group's pair of values.
  private func decideDrawn(_ drift: inout Drift, _ kind: GapKind, _ table: GapTable) {
    let draws = replicates(options.draws, seed: options.seed, of: 1) { random in
      var sides = [[[Double]]](
        repeating: kind.measures.map { _ in .init(repeating: .nan, count: names.count) },
        count: 2)
      for (part, measure) in kind.measures.enumerated() {
        for group in names.indices {
          guard let pair = values[group][measure] else { continue }
          let (a, b) = (random.normal(), random.normal())
          let first = pair.varianceBefore.squareRoot()
          let slope = first > 0 ? pair.covariance / first : 0
          let rest = max(0, pair.varianceAfter - slope * slope).squareRoot()
          sides[0][part][group] = pair.before + first * a
          sides[1][part][group] = pair.after + slope * a + rest * b
        }
      }
      return [abs(table.value(kind, sides[1])) - abs(table.value(kind, sides[0]))]
    }[0]
    drift.interval = draws.percentile(confidence: options.confidence)
    drift.equivalenceInterval = draws.percentile(confidence: equivalence)
    if draws.sorted.first == draws.sorted.last {
      // No score moved: a gap moves by no more than two groups could unseen.
      func most(_ confidence: Double) -> Interval {
        let reach =
          kind.measures.flatMap { measure in
            values.dropLast().compactMap {
              $0[measure]?.change(confidence: confidence).interval.high
            }
          }.max() ?? 0
        return Interval(-2 * reach, 2 * reach)
      }
      drift.interval = most(options.confidence)
      drift.equivalenceInterval = most(equivalence)
    }
    drift.growthInterval = drift.equivalenceInterval
    drift.method = "draws of normal values" + (isClustered ? ", by cluster" : "")
  }
}
