/// The drift of the widest gap among groups whose rates have no closed paired interval, because
/// their denominators flip too: precision, F1 and their like.
///
/// Resamples of the widest gap itself cover too rarely. The widest of several noisy gaps is wider
/// than the widest true one, and that of draws around what was seen is wider still; where true gaps
/// are equal all draws lie to one side. Resamples of one group's rate have no such corner: they give
/// the interval of its change and of its sum, and ``GrowthMaker`` joins those by cases.
struct WidestResampledGap: Sendable {
  /// How many statistics a group has: its change, its sum, its rate before and after.
  static let width = 4

  private let maker: GrowthMaker
  /// What the estimates are kept under: a kind that is the mean of two has one rate here as well.
  private let key: Measure

  /// - Parameters:
  ///   - kind: A gap that is a difference of one rate, or the mean of two.
  ///   - replicates: Of every group its ``width`` statistics.
  ///   - sides: The cells of every group before and after.
  ///   - reference: The position of the group that the others are compared with.
  ///   - confidence: The confidence of two-sided intervals.
  init(
    _ kind: GapKind, _ replicates: [Replicates], sides: [[SIMD4<Double>]], reference: Int?,
    confidence: Double
  ) {
    let levels = [confidence, 1 - 2 * (1 - confidence)]
    let estimates = sides[0].indices.map { group -> PairedEstimates.Estimates? in
      let own = Array(replicates[Self.width * group..<Self.width * (group + 1)])
      let (before, after) = (
        Self.rate(kind, sides[0][group]), Self.rate(kind, sides[1][group])
      )
      // A group without a rate on either side takes no part; with one it does, its other rate
      // being as open as its resamples leave it.
      guard !before.isNaN || !after.isNaN else { return nil }
      func estimate(_ value: Double, _ draws: Replicates, _ confidence: Double) -> Estimate? {
        guard let interval = draws.percentile(confidence: confidence) else { return nil }
        let value = value.isNaN ? draws.quantile(0.5) : value
        return Estimate(value, Interval(min(value, interval.low), max(value, interval.high)))
      }
      let change = levels.compactMap { estimate(after - before, own[0], $0) }
      let sum = levels.compactMap { estimate(after + before, own[1], $0) }
      guard change.count == levels.count, sum.count == levels.count,
        let before = estimate(before, own[2], 0.99), let after = estimate(after, own[3], 0.99)
      else { return nil }
      return .init(change: change, sum: sum, before: before, after: after)
    }
    key = kind.measures[0]
    maker = GrowthMaker(
      estimates: PairedEstimates(table: [key: estimates]), groups: sides[0].count,
      reference: reference)
  }

  /// Where the growth of the widest gap lies; holds `value`, the growth that was seen.
  func interval(_ level: PairedEstimates.Level, with value: Double) -> Interval? {
    maker.interval([[key]], level).map { Interval(min(value, $0.low), max(value, $0.high)) }
  }

  /// Every group's statistics in one resample.
  static func statistics(
    _ kind: GapKind, _ before: [SIMD4<Double>], _ after: [SIMD4<Double>]
  ) -> [Double] {
    zip(before, after).flatMap { before, after in
      let (first, second) = (rate(kind, before), rate(kind, after))
      return [second - first, second + first, first, second]
    }
  }

  /// The mean of a kind's rates; not a number where one is undefined.
  private static func rate(_ kind: GapKind, _ cells: SIMD4<Double>) -> Double {
    kind.measures.reduce(0) { $0 + GapTable.rate($1, cells) } / Double(kind.measures.count)
  }
}
