/// Forms the drift of every gap from the counts of two models' decisions.
struct DriftMaker: Sendable {
  var tally: PairedTally
  var clusters: PairedClusters?
  var reference: Int?
  var options: ComparisonOptions

  /// The confidence whose two-sided interval makes two one-sided tests: 90 % for 95 %.
  private var equivalence: Double { 1 - 2 * (1 - options.confidence) }

  /// The change of the main rates, of every group and of all rows.
  func changes() -> [Measure: [Comparison.Change]] {
    let merged = tally.merged
    let measures: [Measure] = [
      .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate,
    ]
    return Dictionary(
      uniqueKeysWithValues: measures.map { measure in
        let groups = tally.names.indices.map { change(measure, tally, $0, name: tally.names[$0]) }
        return (measure, [change(measure, merged, 0, name: "all", whole: true)] + groups)
      })
  }

  private func change(
    _ measure: Measure, _ tally: PairedTally, _ group: Int, name: String, whole: Bool = false
  ) -> Comparison.Change {
    var result = Comparison.Change(group: name)
    let sides = [false, true].map { tally.tally(after: $0).counts[group].rate(measure).value }
    (result.before, result.after) = (sides[0], sides[1])
    guard let plain = tally.change(measure, group: group) else { return result }
    let change = whole ? thinnedWhole(plain, measure) : thinned(plain, measure, group)
    let estimate = change.estimate(confidence: options.confidence)
    let narrow = change.estimate(confidence: equivalence)
    result.value = plain.value
    (result.low, result.high) = (estimate.interval.low, estimate.interval.high)
    (result.equivalenceLow, result.equivalenceHigh) = (
      narrow.interval.low, narrow.interval.high
    )
    result.p = McNemar.midP(lost: Int(plain.lost), gained: Int(plain.gained))
    return result
  }

  private func thinned(
    _ change: PairedChange, _ measure: Measure, _ group: Int
  ) -> PairedChange {
    guard let factor = clusters?.thinning(measure, group: group), factor < 1 else {
      return change
    }
    return PairedChange(
      lost: change.lost * factor, gained: change.gained * factor, rows: change.rows * factor)
  }

  private func thinnedWhole(_ change: PairedChange, _ measure: Measure) -> PairedChange {
    guard var all = clusters else { return change }
    for i in all.entries.indices { all.entries[i].group = 0 }
    let factor = all.thinning(measure, group: 0)
    return PairedChange(
      lost: change.lost * factor, gained: change.gained * factor, rows: change.rows * factor)
  }

  /// The drift of every gap of decisions.
  func drifts() -> [GapKind: Drift] {
    let table = GapTable(groups: tally.names.count, reference: reference)
    let kinds = GapKind.ofDecisions.filter { $0 != .baseRate }
    let before = tally.tally(after: false).counts.map(\.cells)
    let after = tally.tally(after: true).counts.map(\.cells)
    let resampled = replicates(kinds, table)
    var drifts: [GapKind: Drift] = [:]
    for (position, kind) in kinds.enumerated() {
      var drift = Drift()
      let first = table.value(kind, before)
      let second = table.value(kind, after)
      if table.isSigned(kind) {
        let to = reference == 1 ? 0 : 1
        (drift.from, drift.to) = (tally.names[1 - to], tally.names[to])
      }
      if first.isNaN || second.isNaN {
        drift.reason = reason(kind, first.isNaN ? "before" : "after")
        drifts[kind] = drift
        continue
      }
      (drift.before, drift.after) = (first, second)
      drift.value = second - first
      drift.growth = abs(second) - abs(first)
      if table.isSigned(kind), let exact = closedForm(kind, options.confidence),
        let narrow = closedForm(kind, equivalence)
      {
        drift.interval = exact.interval
        drift.equivalenceInterval = narrow.interval
        drift.method = clusters == nil ? "Tango and MOVER" : "Tango and MOVER, by cluster"
      } else if let bound = cornerBound(kind, options.confidence),
        let narrow = cornerBound(kind, equivalence)
      {
        (drift.interval, drift.equivalenceInterval) = (bound, narrow)
        drift.method = "bound by the drift of both gaps"
      } else {
        let values = resampled[2 * position]
        drift.interval = values.percentile(confidence: options.confidence)
        drift.equivalenceInterval = values.percentile(confidence: equivalence)
        drift.method = clusters == nil ? "posterior of the cells" : "cluster bootstrap"
      }
      drift.growthInterval = growthInterval(drift, resampled[2 * position + 1], kind, table)
      drift.p = exchangeP(kind)
      if let growth = drift.growth, growth < 0 { drift.levellingDown = levelledDown(kind) }
      drift.decide(margin: options.margin, rows: tally.rows)
      drifts[kind] = drift
    }
    adjust(&drifts)
    return drifts
  }

  /// The interval of the drift of a mean of sizes where the sign of one of the gaps is in doubt.
  ///
  /// A size has a corner at 0, where resampled intervals fail. But it never changes by more than
  /// the signed gap does, in either direction.
  private func cornerBound(_ kind: GapKind, _ confidence: Double) -> Interval? {
    guard kind == .averageAbsoluteOdds, tally.names.count == 2 else { return nil }
    let table = GapTable(groups: 2, reference: reference)
    let sides = [false, true].map { tally.tally(after: $0).counts.map(\.cells) }
    var (low, high, inDoubt) = (0.0, 0.0, false)
    for part in [GapKind.fprDifference, .equalOpportunity] {
      guard let drift = closedForm(part, confidence)?.interval else { return nil }
      if let sign = certainSign(part, table.value(part, sides[0]), table.value(part, sides[1])) {
        low += (sign > 0 ? drift.low : -drift.high) / 2
        high += (sign > 0 ? drift.high : -drift.low) / 2
      } else {
        let most = max(abs(drift.low), abs(drift.high))
        low -= most / 2
        high += most / 2
        inDoubt = true
      }
    }
    return inDoubt ? Interval(low, high) : nil
  }

  /// Where the growth of the gap's size lies: the oriented drift's interval as long as the sign of
  /// both gaps is beyond doubt, otherwise from resamples.
  private func growthInterval(
    _ drift: Drift, _ resampled: Replicates, _ kind: GapKind, _ table: GapTable
  ) -> Interval? {
    guard let before = drift.before, let after = drift.after,
      let narrow = drift.equivalenceInterval
    else { return nil }
    if !table.isSigned(kind) { return narrow }
    if let sign = certainSign(kind, before, after) {
      return sign > 0 ? narrow : Interval(-narrow.high, -narrow.low)
    }
    return resampled.percentile(confidence: equivalence)
  }

  /// The sign that both gaps have with 99 % confidence each; nil if either is in doubt.
  private func certainSign(_ kind: GapKind, _ before: Double, _ after: Double) -> Double? {
    for side in [false, true] {
      let maker = GapMaker(
        names: tally.names, confidence: 0.99, reference: reference
      ) { group, measure, confidence in
        tally.tally(after: side).counts[group].rate(measure, confidence: confidence)
      }
      guard let interval = maker.gap(kind).interval, !interval.contains(0) else { return nil }
    }
    return before * after > 0 ? (before > 0 ? 1 : -1) : nil
  }

  private func reason(_ kind: GapKind, _ side: String) -> String {
    let measure = kind.measures.map(\.title).joined(separator: " or ")
    return "\(measure) is undefined \(side) in all groups but one"
  }

  /// The drift of a signed gap between two groups where every part has a paired interval.
  private func closedForm(_ kind: GapKind, _ confidence: Double) -> Estimate? {
    let to = reference == 1 ? 0 : 1
    func part(_ measure: Measure, _ group: Int) -> Estimate? {
      tally.change(measure, group: group).map {
        thinned($0, measure, group).estimate(confidence: confidence)
      }
    }
    func drift(_ measure: Measure) -> Estimate? {
      guard let from = part(measure, 1 - to), let to = part(measure, to) else { return nil }
      return .difference(from: from, to: to)
    }
    switch kind {
    case .averageOdds:
      guard let a = drift(.falsePositiveRate), let b = drift(.truePositiveRate) else {
        return nil
      }
      return .mean(a, b)
    case .balancedAccuracy:
      guard let a = drift(.trueNegativeRate), let b = drift(.truePositiveRate) else {
        return nil
      }
      return .mean(a, b)
    default: return kind.measure.flatMap(drift)
    }
  }

  /// For every kind the replicates of the drift, then those of the size's growth.
  private func replicates(_ kinds: [GapKind], _ table: GapTable) -> [Replicates] {
    let groups = tally.names.count
    let resampler = CellResampler(strata: tally.cells, scheme: .posterior)
    let clusters = clusters
    return Fairness.replicates(options.draws, seed: options.seed, of: 2 * kinds.count) { random in
      let cells =
        clusters?.draw(groups: groups, using: &random) ?? resampler.draw(using: &random)
      return Self.drifts(of: cells, kinds, table)
    }
  }

  /// The drift and the growth of every kind in one table of cells.
  static func drifts(
    of cells: [SIMD4<Double>], _ kinds: [GapKind], _ table: GapTable
  ) -> [Double] {
    let before = side(cells, positive: 2)
    let after = side(cells, positive: 1)
    return kinds.flatMap { kind in
      let (first, second) = (table.value(kind, before), table.value(kind, after))
      return [second - first, abs(second) - abs(first)]
    }
  }

  private static func side(_ cells: [SIMD4<Double>], positive: Int) -> [SIMD4<Double>] {
    stride(from: 0, to: cells.count, by: 2).map { i in
      let (no, yes) = (cells[i], cells[i + 1])
      return SIMD4(
        yes[positive] + yes[3], no[positive] + no[3], yes[0] + yes[3 - positive],
        no[0] + no[3 - positive])
    }
  }

  /// The gaps that are tested; FNR, TNR and error rate would only repeat them.
  private static let tested: [GapKind] = [
    .equalOpportunity, .fprDifference, .demographicParity, .accuracy,
  ]

  /// The p-value of equal change in two groups, by exchanging rows or clusters.
  private func exchangeP(_ kind: GapKind) -> Double? {
    guard tally.names.count == 2, Self.tested.contains(kind), let measure = kind.measure,
      let a = tally.change(measure, group: 0), let b = tally.change(measure, group: 1)
    else { return nil }
    guard let clusters else {
      return Permutation.equalChange(a, b, draws: options.draws - 1, seed: options.seed)
    }
    return Permutation.equalChange(
      clusters: clusters.netChanges(measure), draws: options.draws - 1, seed: options.seed)
  }

  /// Whether no group gained and some lost, for measures where one direction is worse.
  private func levelledDown(_ kind: GapKind) -> Bool {
    let losses = kind.measures.flatMap { measure -> [Double] in
      guard let harm = measure.harm else { return [] }
      return tally.names.indices.compactMap { group in
        tally.change(measure, group: group).map { harm * $0.value }
      }
    }
    return !losses.isEmpty && losses.allSatisfy { $0 >= 0 } && losses.contains { $0 > 0 }
  }

  /// Holm's correction over the gaps that have a p-value.
  private func adjust(_ drifts: inout [GapKind: Drift]) {
    let tested = Self.tested.filter { drifts[$0]?.p != nil }
    let adjusted = Multiplicity.holm(tested.compactMap { drifts[$0]?.p })
    for (kind, p) in zip(tested, adjusted) { drifts[kind]?.adjustedP = p }
  }
}

extension PairedClusters {
  /// The net change of every cluster and group, for exchanging clusters between two groups.
  func netChanges(_ measure: Measure) -> [(change: Double, rows: Double, inB: Bool)] {
    entries.compactMap { entry in
      let sums = PairedTally.change(measure, no: entry.no, yes: entry.yes)
      guard let sums, sums.rows > 0 else { return nil }
      return (sums.gained - sums.lost, sums.rows, entry.group == 1)
    }
  }
}

extension Measure {
  /// 1 where a rise is worse for those concerned, -1 where a fall is; nil where neither is.
  var harm: Double? {
    switch self {
    case .errorRate, .falsePositiveRate, .falseNegativeRate: 1
    case .accuracy, .truePositiveRate, .trueNegativeRate: -1
    default: nil
    }
  }
}
