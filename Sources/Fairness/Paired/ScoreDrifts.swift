/// What two models' scores did to every group: the changes of means and areas, and the drift of
/// their gaps.
///
/// A change has a normal interval from the joint uncertainty of both models over the same rows or
/// clusters; ``GrowthMaker`` joins those of several groups.
struct ScoreDrifts: Sendable {
  private let names: [String]
  private let options: ComparisonOptions
  private let reference: Int?
  private let rows: Int
  private let isClustered: Bool
  /// Joins the groups' changes.
  let growths: GrowthMaker
  /// By group, then over all rows; nil where a measure is undefined.
  private let values: [[Measure: PairedAreas]]
  private let calibration: [(before: Double?, after: Double?)]

  /// The measures that have a variance.
  static let measures = Measure.ofScores.filter { $0 != .calibrationError }

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
    let levels = [options.confidence, 1 - 2 * (1 - options.confidence)]
    let table = Self.measures.map { measure in
      (measure, parts.dropLast().map { $0.0[measure]?.estimates(levels) })
    }
    growths = GrowthMaker(
      estimates: PairedEstimates(table: Dictionary(uniqueKeysWithValues: table)), groups: groups,
      reference: reference)
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

  /// The drift of one gap in scores.
  func drift(_ kind: GapKind) -> Drift {
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
    growths.join(kind, into: &drift)
    drift.method =
      (kind == .auc ? "DeLong" : "normal") + " and MOVER" + (isClustered ? ", by cluster" : "")
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
}
