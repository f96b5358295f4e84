/// Forms the drift of every gap from the counts of two models' decisions.
struct DriftMaker: Sendable {
  let tally: PairedTally
  let clusters: PairedClusters?
  let reference: Int?
  let options: ComparisonOptions
  let factors: [Measure: [PairedEstimates.Factors]]
  private let estimates: PairedEstimates

  init(
    tally: PairedTally, clusters: PairedClusters? = nil, reference: Int? = nil,
    options: ComparisonOptions = ComparisonOptions()
  ) {
    self.init(
      tally: tally, clusters: clusters, reference: reference, options: options,
      factors: PairedEstimates.factors(tally, clusters), measures: PairedEstimates.measures)
  }

  private init(
    tally: PairedTally, clusters: PairedClusters?, reference: Int?, options: ComparisonOptions,
    factors: [Measure: [PairedEstimates.Factors]], measures: [Measure]
  ) {
    (self.tally, self.clusters, self.reference) = (tally, clusters, reference)
    (self.options, self.factors) = (options, factors)
    estimates = PairedEstimates(
      tally, factors: factors, confidence: options.confidence, measures: measures)
  }

  /// The confidence whose two-sided interval makes two one-sided tests: 90 % for 95 %.
  var equivalence: Double { 1 - 2 * (1 - options.confidence) }

  var growths: GrowthMaker {
    GrowthMaker(estimates: estimates, groups: tally.names.count, reference: reference)
  }

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
    let factor = whole ? wholeFactor(measure, tally) : factors[measure]?[group].change ?? 1
    let change = plain.thinned(factor)
    let estimate = change.estimate(confidence: options.confidence)
    let narrow = change.estimate(confidence: equivalence)
    result.value = plain.value
    (result.low, result.high) = (estimate.interval.low, estimate.interval.high)
    (result.equivalenceLow, result.equivalenceHigh) = (
      narrow.interval.low, narrow.interval.high
    )
    if tally.weights == nil {
      result.p = McNemar.midP(lost: Int(plain.lost), gained: Int(plain.gained))
    }
    return result
  }

  private func wholeFactor(_ measure: Measure, _ merged: PairedTally) -> Double {
    guard var all = clusters else { return merged.thinning(measure, group: 0) }
    for i in all.entries.indices { all.entries[i].group = 0 }
    return all.thinning(measure, group: 0, most: merged.most(measure, group: 0))
  }

  /// The drift of every gap of decisions.
  func drifts() -> [GapKind: Drift] {
    let kinds = GapKind.ofDecisions.filter { $0 != .baseRate }
    let resampled = replicates(kinds.filter { !isClosed($0) })
    let made = onAllCores(kinds.count) { place in
      var drift = self.drift(kinds[place], resampled[kinds[place]])
      drift.p = exchangeP(kinds[place])
      if let growth = drift.growth, growth < 0 {
        drift.levellingDown = levelledDown(kinds[place])
      }
      if drift.value != nil && drift.verdict == .undecided {
        drift.rowsNeeded = rowsNeeded(kinds[place], drift)
      }
      return drift
    }
    var drifts = Dictionary(uniqueKeysWithValues: zip(kinds, made))
    adjust(&drifts)
    return drifts
  }

  /// Whether the intervals of a kind are put together from those of rates.
  ///
  /// Maxima over pairs of groups, or over TPR and FPR, are then so wide that they cover nearly
  /// always. Draws from the posterior are narrower, but cover 61 % where a widest gap closes.
  func isClosed(_ kind: GapKind) -> Bool { GrowthMaker.components(kind) != nil }

  /// The drift of one gap with its intervals and verdict.
  ///
  /// - Parameters:
  ///   - kind: A gap of decisions.
  ///   - resampled: The replicates of a kind that has no closed intervals.
  /// - Returns: The drift, without p-value and number of rows.
  func drift(_ kind: GapKind, _ resampled: [Replicates]? = nil) -> Drift {
    let table = GapTable(groups: tally.names.count, reference: reference)
    var drift = Drift()
    let first = table.value(kind, tally.tally(after: false).counts.map(\.cells))
    let second = table.value(kind, tally.tally(after: true).counts.map(\.cells))
    let to = reference == 1 ? 0 : 1
    if table.isSigned(kind) { (drift.from, drift.to) = (tally.names[1 - to], tally.names[to]) }
    if first.isNaN || second.isNaN {
      drift.reason = reason(kind, first.isNaN ? "before" : "after")
      return drift
    }
    (drift.before, drift.after) = (first, second)
    drift.value = second - first
    drift.growth = abs(second) - abs(first)
    let thinned = clusters != nil ? ", by cluster" : tally.weights != nil ? ", weighted" : ""
    if isClosed(kind) {
      growths.join(kind, into: &drift)
      drift.method = "Tango and MOVER" + thinned
    } else if let resampled {
      read(kind, resampled, thinned, into: &drift)
    }
    drift.decide(margin: options.margin)
    return drift
  }

  /// How many rows would settle a verdict, if the rates stay and flips stay as rare.
  ///
  /// Looks for the least multiple of the rows at which the same intervals decide; half a flip is
  /// added to each side (``PairedTally/planned(_:)``), so that a plan never rests on no flip at
  /// all. Clusters that were drawn cannot be multiplied: their intervals shrink with the square root
  /// of the rows.
  private func rowsNeeded(_ kind: GapKind, _ drift: Drift) -> Int? {
    let isClosed = isClosed(kind)
    guard isClosed || clusters == nil && tally.weights == nil else {
      return drift.rowsNeeded(margin: options.margin, rows: tally.rows)
    }
    var options = options
    options.draws = 400
    func decides(_ factor: Double) -> Bool {
      let maker = DriftMaker(
        tally: tally.planned(factor), clusters: nil, reference: reference, options: options,
        factors: factors, measures: isClosed ? Array(Set(kind.parts)) : [])
      return maker.drift(kind, isClosed ? nil : maker.replicates([kind])[kind]).verdict
        != .undecided
    }
    var (low, high) = (1.0, 2.0)
    while !decides(high) {
      (low, high) = (high, 2 * high)
      if high * Double(tally.rows) > 1e12 { return nil }
    }
    while high - low > 0.02 * low {
      let middle = (low + high) / 2
      if decides(middle) { high = middle } else { low = middle }
    }
    return max(tally.rows + 1, Int((high * Double(tally.rows)).rounded(.up)))
  }

  private func reason(_ kind: GapKind, _ side: String) -> String {
    let measure = kind.measures.map(\.title).joined(separator: " or ")
    return "\(measure) is undefined \(side) in all groups but one"
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
      // Weighted rows are not exchangeable one for one.
      if tally.weights != nil { return nil }
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

extension GapKind {
  /// The measures that ``GrowthMaker/components(_:)`` are made of.
  fileprivate var parts: [Measure] { (GrowthMaker.components(self) ?? []).flatMap(\.self) }
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
