import Testing

@testable import Fairness

/// Calibration errors with intervals, and rates of groups that inform each other.
@Suite struct PoolingTests {
  @Test func `small groups move to the others, large ones stay`() throws {
    var groups = (0..<20).map { PartialPooling.Group(hits: 58 + Double($0 % 5), trials: 100) }
    groups.append(.init(hits: 1, trials: 4))
    groups.append(.init(hits: 100_000, trials: 1_000_000))
    let pooled = try #require(PartialPooling.estimates(groups, confidence: 0.95))
    #expect(pooled[20].value > 0.45 && pooled[20].value < 0.62)
    #expect(abs(pooled[21].value - 0.1) < 1e-3)
    for (group, estimate) in zip(groups, pooled) {
      #expect(estimate.interval.contains(estimate.value))
      let own = Interval.wilson(group.hits, of: group.trials)
      #expect(
        estimate.interval.high - estimate.interval.low < 1.05 * (own.high - own.low) + 1e-12)
    }
    #expect(PartialPooling.estimates(Array(groups.prefix(2)), confidence: 0.95) == nil)
  }

  @Test func `groups of equal rates are pooled to one, also at 0 and 1`() throws {
    for share in [0.0, 0.5, 1] {
      let groups = [10.0, 20, 40, 80].map { PartialPooling.Group(hits: $0 * share, trials: $0) }
      let pooled = try #require(PartialPooling.estimates(groups, confidence: 0.95))
      for estimate in pooled {
        #expect(abs(estimate.value - share) < 0.05, "\(share)")
        #expect(estimate.interval.low >= 0 && estimate.interval.high <= 1)
      }
    }
  }

  @Test func `quantiles of a mixture are where its share lies, also in separate hills`() {
    let alone = BetaMixture(parts: [.init(a: 3, b: 7, weight: 1)])
    let apart = BetaMixture(
      parts: [
        .init(a: 400, b: 9600, weight: 0.03), .init(a: 5, b: 5, weight: 0.27),
        .init(a: 9600, b: 400, weight: 0.7),
      ])
    for p in [0.005, 0.025, 0.05, 0.5, 0.95, 0.975, 0.995] {
      #expect(abs(alone.quantile(p) - Beta.quantile(p, 3, 7)) < 1e-9, "\(p)")
      // By halving, which needs no starting point.
      var (low, high) = (0.0, 1.0)
      while high - low > 1e-12 {
        let middle = (low + high) / 2
        if apart.cumulative(middle) < p { low = middle } else { high = middle }
      }
      #expect(abs(apart.quantile(p) - low) < 1e-6, "\(p)")
    }
  }

  /// Rates that truly come from one distribution, of groups that have 8 to 200 rows.
  @Test(arguments: [4, 12, 50]) func `pooled intervals hold the rate of a small group`(
    groups: Int
  ) {
    let line = CoverageSimulation(resampled: 200).coverage(.init(groups: groups, rows: 20))
    // 94 % less three standard errors.
    #expect(line.share > 0.94 - 3 * (0.94 * 0.06 / 200).squareRoot(), "\(line)")
  }

  @Test func `an audit of three groups pools, of two does not, and JSON keeps it`() throws {
    func audit(_ groups: Int) throws -> Audit {
      try Audit(
        Tally(
          (0..<groups).map { group in
            (
              "g\(group)",
              Counts(
                truePositives: 40 - 15 * group, falsePositives: 9, falseNegatives: 10,
                trueNegatives: 30)
            )
          }))
    }
    #expect(try audit(2).groups.allSatisfy { $0.rates.values.allSatisfy { $0.pooled == nil } })
    let three = try audit(3)
    let rates = three.groups.map { $0.rates[.truePositiveRate] }
    let pooled = try rates.map { try #require($0?.pooled?.value) }
    let plain = try rates.map { try #require($0?.value) }
    #expect(pooled[0] < plain[0] && pooled[2] > plain[2])
  }

  /// The interval of calibrated scores reaches 0, that of bad ones does not.
  @Test func `a calibration error has an interval of the true error`() throws {
    var random = Random(seed: 8)
    for isCalibrated in [true, false] {
      var parts = (positives: [Double](), negatives: [Double]())
      for _ in 0..<4000 {
        let score = random.uniform()
        if random.uniform() < (isCalibrated ? score : score * score) {
          parts.positives.append(score)
        } else {
          parts.negatives.append(score)
        }
      }
      let ranked = RankedScores(
        positives: parts.positives.sorted(), negatives: parts.negatives.sorted())
      let rate = ranked.calibrationError(confidence: 0.95)
      #expect(rate.value == ranked.calibrationError().value)
      let interval = try #require(rate.interval)
      #expect(interval.contains(try #require(rate.value)))
      // The truth is 0, or the mean of s - s² over ten bins.
      #expect(interval.contains(isCalibrated ? 0 : 1 / 6.0))
      #expect((interval.low == 0) == isCalibrated && interval.high < 0.2)
      let wider = try #require(ranked.calibrationError(confidence: 0.99).interval)
      #expect(wider.low <= interval.low && wider.high >= interval.high)
    }
    #expect(RankedScores(positives: [], negatives: []).calibrationError().value == nil)
    let one = RankedScores(positives: [0.5], negatives: []).calibrationError(confidence: 0.95)
    #expect(one.value == 0.5)
    // An error is a share.
    #expect(try #require(one.interval).high == 1)
  }
}
