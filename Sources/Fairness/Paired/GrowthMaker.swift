/// How much the size of gaps grew, where a size is made of absolute values and maxima.
///
/// Sizes have corners: the size of a gap near 0, and the widest of gaps that are about as wide.
/// There resampled intervals miss too often, and closed ones are joined by cases instead. With
/// `d = after - before` and `s = after + before` of a signed gap,
///
///     abs(after) - abs(before) = max(d, -s) if before > 0,  min(d, s) if after > 0
///
/// and likewise for negative gaps. Both `d` and `s` have paired intervals. A limit of a maximum
/// from above holds when it holds for both (an intersection-union test, with no correction), and
/// one from below when it holds for either.
///
/// Source: R. Berger, *Multiparameter Hypothesis Testing and Acceptance Sampling*, Technometrics 24
/// (1982) 295-300, for limits of maxima.
struct GrowthMaker: Sendable {
  var estimates: PairedEstimates
  var groups: Int
  var reference: Int?

  /// Two groups; the gap is `to` minus `from`.
  struct Pair: Hashable, Sendable {
    var from: Int
    var to: Int
  }

  /// The pairs whose gaps are looked at.
  var pairs: [Pair] {
    if let reference {
      return (0..<groups).filter { $0 != reference }.map { Pair(from: reference, to: $0) }
    }
    return (0..<groups).flatMap { from in (from + 1..<groups).map { Pair(from: from, to: $0) } }
  }

  /// The components of a kind's size, which is the largest of theirs or their mean.
  ///
  /// A component is the mean of the gaps of its measures. Nil for a kind without closed intervals: the
  /// denominators of its rates flip too.
  static func components(_ kind: GapKind) -> [[Measure]]? {
    switch kind {
    case .equalizedOdds, .averageAbsoluteOdds: [[.falsePositiveRate], [.truePositiveRate]]
    case .averageOdds: [[.falsePositiveRate, .truePositiveRate]]
    case .balancedAccuracy: [[.trueNegativeRate, .truePositiveRate]]
    case .generalizedEqualizedOdds:
      [[.generalizedFalsePositiveRate], [.generalizedFalseNegativeRate]]
    default:
      kind.measure.flatMap {
        PairedEstimates.measures.contains($0) || ScoreDrifts.measures.contains($0) ? [[$0]] : nil
      }
    }
  }

  /// Puts what is known of a gap's drift and growth into `drift`.
  func join(_ kind: GapKind, into drift: inout Drift) {
    guard let components = Self.components(kind) else { return }
    drift.growthInterval = interval(kind, .equivalence)
    if GapTable(groups: groups, reference: reference).isSigned(kind) {
      drift.interval = self.drift(components[0], pairs[0], .full)?.interval
      drift.equivalenceInterval = self.drift(components[0], pairs[0], .equivalence)?.interval
    } else {
      drift.interval = interval(kind, .full)
      drift.equivalenceInterval = drift.growthInterval
    }
  }

  /// What is known of the gap of one pair.
  private struct Signed {
    var drift: Estimate
    var sum: Estimate
    var before: Estimate
    var after: Estimate
  }

  /// The drift of the signed gap of a pair; nil where a group has no rows.
  func drift(_ component: [Measure], _ pair: Pair, _ level: PairedEstimates.Level) -> Estimate? {
    joined(component, pair) { $0.change[level.rawValue] }
  }

  /// The mean over a component's measures of the difference between two groups.
  private func joined(
    _ component: [Measure], _ pair: Pair, _ part: (PairedEstimates.Estimates) -> Estimate
  ) -> Estimate? {
    let differences = component.compactMap { measure -> Estimate? in
      guard let from = estimates.table[measure]?[pair.from],
        let to = estimates.table[measure]?[pair.to]
      else { return nil }
      return .difference(from: part(from), to: part(to))
    }
    guard differences.count == component.count else { return nil }
    return differences.count == 2 ? .mean(differences[0], differences[1]) : differences[0]
  }

  private func signed(
    _ component: [Measure], _ pair: Pair, _ level: PairedEstimates.Level
  ) -> Signed? {
    guard let drift = drift(component, pair, level),
      let sum = joined(component, pair, { $0.sum[level.rawValue] }),
      let before = joined(component, pair, \.before), let after = joined(component, pair, \.after)
    else { return nil }
    return Signed(drift: drift, sum: sum, before: before, after: after)
  }

  /// The growth of one pair's size, and how large it is before and after at 99 %.
  private struct Growth {
    var growth: Estimate
    var before: Interval
    var after: Interval
  }

  private func growth(
    _ component: [Measure], _ pair: Pair, _ level: PairedEstimates.Level
  ) -> Growth? {
    signed(component, pair, level).map { signed in
      Growth(
        growth: Self.growth(
          drift: signed.drift.interval, sum: signed.sum.interval, before: signed.before,
          after: signed.after),
        before: signed.before.interval.absolute, after: signed.after.interval.absolute)
    }
  }

  /// The growth of a size from intervals of the gap's drift and sum, and the gap at 99 % each time.
  static func growth(
    drift: Interval, sum: Interval, before: Estimate, after: Estimate
  ) -> Estimate {
    let (first, second) = (certainSign(before.interval), certainSign(after.interval))
    let interval: Interval
    switch (first, second) {
    case (0, 0):
      // Of a drift and a sum the smaller one in size: neither direction can be excluded.
      let most = min(
        max(abs(drift.low), abs(drift.high)), max(abs(sum.low), abs(sum.high)))
      interval = Interval(-most, most)
    case (let sign, 0):
      // The larger of the drift and minus the sum, oriented by the gap before.
      let (kept, crossed) = (drift.times(sign), sum.times(-sign))
      let low = after.value * sign >= 0 ? kept.low : crossed.low
      interval = Interval(low, max(kept.high, crossed.high))
    case (0, let sign):
      // The smaller of the drift and the sum, oriented by the gap after.
      let (kept, crossed) = (drift.times(sign), sum.times(sign))
      let high = before.value * sign >= 0 ? kept.high : crossed.high
      interval = Interval(min(kept.low, crossed.low), high)
    case (let sign, let other):
      interval = sign == other ? drift.times(sign) : sum.times(other)
    }
    let value = abs(after.value) - abs(before.value)
    return Estimate(value, Interval(min(value, interval.low), max(value, interval.high)))
  }

  private static func certainSign(_ interval: Interval) -> Double {
    interval.contains(0) ? 0 : interval.low > 0 ? 1 : -1
  }

  /// The interval of the growth of a kind's size; nil where it has none that is closed.
  ///
  /// Of the widest among several gaps, only those can be the widest whose size at 99 % reaches the
  /// least that the widest one has. The widest grew by no more than the pair that is widest after,
  /// and by no less than the one that is widest before; where these are two pairs, that leaves as
  /// much open as they differ. So it also grew by no more than from the least that the widest was
  /// before to the most that a pair is after, and by no less than the other way round.
  func interval(_ kind: GapKind, _ level: PairedEstimates.Level) -> Interval? {
    Self.components(kind).flatMap {
      interval($0, takesMean: kind.joining == .meanOfSizes, level)
    }
  }

  /// The interval of the growth of the largest component, or of the mean of two.
  func interval(
    _ components: [[Measure]], takesMean: Bool = false, _ level: PairedEstimates.Level
  ) -> Interval? {
    let growths = pairs.flatMap { pair -> [Growth] in
      let parts = components.compactMap { growth($0, pair, level) }
      // A group takes part with all its rates or not at all.
      guard parts.count == components.count else { return [] }
      return takesMean ? [Self.mean(parts[0], parts[1])] : parts
    }
    let least = growths.reduce((before: 0.0, after: 0.0)) {
      (max($0.before, $1.before.low), max($0.after, $1.after.low))
    }
    let low = growths.filter { $0.before.high >= least.before }.map {
      max($0.growth.interval.low, least.after - $0.before.high)
    }.min()
    let high = growths.filter { $0.after.high >= least.after }.map {
      min($0.growth.interval.high, $0.after.high - least.before)
    }.max()
    guard let low, let high else { return nil }
    return Interval(low, high)
  }

  private static func mean(_ a: Growth, _ b: Growth) -> Growth {
    func mean(_ a: Interval, _ b: Interval) -> Interval {
      Interval((a.low + b.low) / 2, (a.high + b.high) / 2)
    }
    return Growth(
      growth: .mean(a.growth, b.growth), before: mean(a.before, b.before),
      after: mean(a.after, b.after))
  }
}

extension Interval {
  /// The range times 1 or -1.
  fileprivate func times(_ sign: Double) -> Interval {
    sign > 0 ? self : Interval(-high, -low)
  }
}
