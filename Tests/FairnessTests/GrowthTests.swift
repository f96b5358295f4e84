import Testing

@testable import Fairness

/// How sizes of gaps grow, also across their corners.
@Suite struct GrowthTests {
  /// Random decisions of a model and of another that differs in about one row in `rarity`.
  private static func tally(_ random: inout Random, groups: Int, rarity: Int) -> PairedTally {
    var tally = PairedTally(names: (0..<groups).map { "g\($0)" })
    for i in tally.cells.indices {
      let rows = 20 + random.below(400)
      let share = random.uniform()
      for _ in 0..<rows {
        let before = random.uniform() < share
        let after = random.below(rarity) == 0 ? !before : before
        tally.cells[i][(before ? 2 : 0) + (after ? 1 : 0)] += 1
      }
    }
    return tally
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func `every interval holds its value, and no growth is wider than the drifts it is made of`(
    seed: UInt64
  ) throws {
    var random = Random(seed: seed)
    let groups = 2 + Int(seed % 3)
    let tally = Self.tally(&random, groups: groups, rarity: 3 + random.below(60))
    let maker = DriftMaker(tally: tally)
    for kind in GapKind.ofDecisions where GrowthMaker.components(kind) != nil {
      let drift = maker.drift(kind)
      let (value, growth) = (try #require(drift.value), try #require(drift.growth))
      let closed = try #require(maker.growths.interval(kind, .full))
      #expect(closed.contains(growth), "\(kind)")
      guard maker.isClosed(kind) else { continue }
      let interval = try #require(drift.interval)
      let narrow = try #require(drift.equivalenceInterval)
      let bounds = try #require(drift.growthInterval)
      #expect(interval.contains(value) && bounds.contains(growth), "\(kind)")
      #expect(interval.low <= narrow.low && narrow.high <= interval.high, "\(kind)")
      guard groups == 2, kind.joining != .larger, kind.joining != .meanOfSizes else { continue }
      let most = max(abs(narrow.low), abs(narrow.high))
      // A size never grows by more than its gap moves: beyond that only the gap's own sum speaks.
      let turned = (drift.before ?? 0) * (drift.after ?? 0) < 0
      #expect(bounds.high <= most + 1e-12 || turned, "\(kind)")
    }
  }

  /// Precision, F1 and their like, whose denominators flip too.
  @Test(arguments: 0..<12 as Range<UInt64>)
  func `intervals of widest resampled gaps hold their values and narrow with the rows`(
    seed: UInt64
  ) throws {
    var random = Random(seed: seed)
    var tally = Self.tally(&random, groups: 3 + Int(seed % 2), rarity: 3 + random.below(60))
    func drifts() -> [GapKind: Drift] {
      let maker = DriftMaker(tally: tally, reference: seed % 3 == 0 ? 1 : nil)
      let kinds = GapKind.ofDecisions.filter { !maker.isClosed($0) && $0 != .baseRate }
      let resampled = maker.replicates(kinds)
      return Dictionary(uniqueKeysWithValues: kinds.map { ($0, maker.drift($0, resampled[$0])) })
    }
    let few = drifts()
    #expect(few.count == 6)
    for i in tally.cells.indices { tally.cells[i] *= 100 }
    let many = drifts()
    for (kind, drift) in few {
      let (value, growth) = (try #require(drift.value), try #require(drift.growth))
      let (interval, narrow) = (
        try #require(drift.interval), try #require(drift.equivalenceInterval)
      )
      #expect(interval.contains(value) && narrow.contains(growth), "\(kind)")
      #expect(interval.low <= narrow.low && narrow.high <= interval.high, "\(kind)")
      #expect(drift.method == "posterior of the cells and MOVER")
      let wide = try #require(many[kind]?.interval)
      #expect(wide.high - wide.low < (interval.high - interval.low) / 2, "\(kind)")
    }
  }

  @Test func `a group without a rate on one side leaves the widest gap open, not undefined`() throws
  {
    var tally = PairedTally(names: ["a", "b", "c"])
    // Nobody in c is called positive before; two are after, one of them rightly.
    tally.cells = [
      [80, 1, 1, 18], [10, 1, 1, 88], [70, 2, 1, 27], [10, 1, 2, 87], [20, 1, 0, 0], [20, 1, 0, 0],
    ]
    let maker = DriftMaker(tally: tally)
    let drift = maker.drift(
      .predictiveParity, maker.replicates([.predictiveParity])[.predictiveParity])
    let (value, interval) = (try #require(drift.value), try #require(drift.interval))
    #expect(interval.contains(value) && interval.high - interval.low > 0.4, "\(interval)")
    #expect(drift.verdict == .undecided)
  }

  /// Where the widest of four gaps closes, draws of the widest gap itself cover 90 %.
  @Test func `the drift of a widest precision gap is covered`() throws {
    let lines = CoverageSimulation(resampled: 100).widestResampled()
    #expect(lines.count == 6)
    for line in lines {
      #expect(line.share > 0.95 - 3 * (0.95 * 0.05 / 200).squareRoot(), "\(line)")
    }
  }

  @Test func `a gap that is closed has a drift interval as narrow as its two gaps allow`() throws {
    var tally = PairedTally(names: ["f", "m"])
    // The TPR gap closes from 0.6 to 0.01, the FPR gap from 0.5 to 0.
    tally.cells = [
      [450, 0, 500, 50], [48, 0, 602, 350],
      [1450, 0, 0, 50], [645, 1, 0, 354],
    ]
    let drift = DriftMaker(tally: tally).drift(.averageAbsoluteOdds)
    let (value, interval) = (try #require(drift.value), try #require(drift.interval))
    #expect(value < -0.5)
    #expect(interval.high - interval.low < 0.12, "\(interval)")
    #expect(interval.high < -0.45 && drift.verdict == .better)
  }

  @Test func `turning the first model's decisions turns changes into sums`() throws {
    var random = Random(seed: 4)
    let tally = Self.tally(&random, groups: 3, rarity: 5)
    for measure in PairedEstimates.measures {
      for group in 0..<3 {
        let rates = [false, true].compactMap {
          tally.tally(after: $0).counts[group].rate(measure).value
        }
        let sum = try #require(tally.turned.change(measure, group: group)).value
        #expect(isClose(sum, rates[0] + rates[1] - 1), "\(measure)")
        let estimates = PairedEstimates(tally, factors: [:], confidence: 0.95)
        let one = try #require(estimates.table[measure]?[group])
        #expect(isClose(one.before.value, rates[0]) && isClose(one.after.value, rates[1]))
        #expect(isClose(one.change[0].value, rates[1] - rates[0]))
      }
    }
  }

  /// Every sign and certainty, against a search over all gaps inside the intervals.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func `no pair of gaps within reach has a growth outside`(seed: UInt64) {
    var random = Random(seed: seed)
    func about(_ value: Double, _ half: Double) -> Estimate {
      Estimate(value, Interval(value - half, value + half))
    }
    let (a, b) = (random.uniform() - 0.5, random.uniform() - 0.5)
    let (drift, sum) = (about(b - a, 0.05), about(b + a, 0.15))
    let (before, after) = (about(a, 0.2), about(b, 0.2))
    let growth = GrowthMaker.growth(
      drift: drift.interval, sum: sum.interval, before: before, after: after)
    #expect(growth.interval.contains(abs(b) - abs(a)))
    // A gap whose sign is not in doubt has it; what is left of the box must be inside on the side
    // that no choice was made on.
    for _ in 0..<200 {
      let d = drift.value + 0.1 * (random.uniform() - 0.5)
      let s = sum.value + 0.3 * (random.uniform() - 0.5)
      let (x, y) = ((s - d) / 2, (s + d) / 2)
      guard before.interval.contains(x), after.interval.contains(y) else { continue }
      let grown = abs(y) - abs(x)
      let isFirst = !before.interval.contains(0)
      let isSecond = !after.interval.contains(0)
      if isFirst || !isSecond { #expect(grown <= growth.interval.high + 1e-12) }
      if isSecond || !isFirst { #expect(grown >= growth.interval.low - 1e-12) }
    }
  }

  @Test func `without a flip the exact bound stands, and plans grow like it`() throws {
    let change = PairedChange(lost: 0, gained: 0, rows: 100)
    // 1 - 0.025^(1/100): with this share of flips, 100 rows show none in 2.5 % of samples.
    #expect(isClose(change.estimate().interval.high, 0.036216692, 1e-8))
    #expect(isClose(change.estimate().interval.low, -0.036216692, 1e-8))
    var tally = PairedTally(names: ["f", "m"])
    tally.cells = [[150, 0, 0, 50], [50, 0, 0, 150], [150, 0, 0, 50], [50, 0, 0, 150]]
    let comparison = try Comparison(tally)
    for kind in [GapKind.equalOpportunity, .equalizedOdds, .averageAbsoluteOdds, .accuracy] {
      let drift = try #require(comparison.drift[kind])
      #expect(drift.value == 0)
      let needed = drift.rowsNeeded ?? 0
      #expect(drift.verdict == .preserved || needed > 800 && needed < 8000, "\(kind) \(needed)")
      // As many rows as that, with as rare flips, do settle it.
      guard drift.verdict == .undecided else { continue }
      let more = try Comparison(tally.planned(Double(needed) / 800 * 1.1))
      #expect(more.drift[kind]?.verdict == .preserved, "\(kind)")
    }
  }

  @Test func `equal weights change nothing, and a weight of 2 is not two rows`() throws {
    var random = Random(seed: 12)
    let n = 3000
    let labels = (0..<n).map { _ in random.below(2) == 0 }
    let groups = Attribute("g", of: (0..<n).map { $0 % 3 == 0 ? "a" : "b" })
    let first = (0..<n).map { _ in random.below(2) == 0 }
    let second = first.map { random.below(30) == 0 ? !$0 : $0 }
    func compared(_ weights: [Double]?, clusters: [Int32]? = nil) throws -> Comparison {
      try Comparison(
        before: Outcomes(
          decisions: first, labels: labels, groups: groups, weights: weights, clusters: clusters),
        after: Outcomes(decisions: second, labels: labels, groups: groups, weights: weights))
    }
    let plain = try compared(nil)
    for weight in [1, 2, 0.001] {
      let weighted = try compared([Double](repeating: weight, count: n))
      #expect(weighted.rows == n)
      #expect(weighted.flips == plain.flips)
      for kind in GapKind.ofDecisions where kind != .baseRate {
        let (a, b) = (try #require(plain.drift[kind]), try #require(weighted.drift[kind]))
        #expect(isClose(a.value, b.value), "\(kind)")
        #expect(isClose(a.interval?.low, b.interval?.low, 2e-3), "\(kind) \(weight)")
        #expect(isClose(a.interval?.high, b.interval?.high, 2e-3), "\(kind) \(weight)")
      }
    }
    // A weight for each row stands for a cluster of its own.
    let uneven = (0..<n).map { 0.5 + Double($0 % 7) }
    let byRow = try compared(uneven)
    let byCluster = try compared(uneven, clusters: (0..<n).map { Int32($0) })
    for kind in [GapKind.equalOpportunity, .fprDifference, .accuracy, .averageOdds] {
      let (a, b) = (try #require(byRow.drift[kind]), try #require(byCluster.drift[kind]))
      #expect(isClose(a.value, b.value))
      #expect(isClose(a.interval?.low, b.interval?.low, 1e-4), "\(kind)")
      let widths = [plain.drift[kind]?.interval, a.interval].compactMap(\.self).map {
        $0.high - $0.low
      }
      #expect(widths[1] > widths[0])
    }
  }

  /// Two groups of 60 people with ten images each, of whom `flipped` lose one decision, or all.
  private func families(flipped: Int, whole: Bool) throws -> Interval {
    let rows = 0..<1200
    let lost = rows.map { $0 / 10 % 60 < flipped && (whole || $0 % 10 == 0) }
    let groups = Attribute("g", of: rows.map { $0 < 600 ? "a" : "b" })
    let labels = rows.map { _ in true }
    let comparison = try Comparison(
      before: Outcomes(
        decisions: labels, labels: labels, groups: groups, clusters: rows.map { Int32($0 / 10) }),
      after: Outcomes(decisions: lost.map { !$0 }, labels: labels, groups: groups))
    return try #require(comparison.drift[.equalOpportunity]?.interval)
  }

  /// Whether rows of a cluster flip together is learned from flips: the first ones do not settle it.
  @Test func `a flip more changes the interval by little`() throws {
    var last = try families(flipped: 0, whole: false).high
    // Without a flip: the rule of three over 60 people.
    let none = PairedChange(lost: 0, gained: 0, rows: 60).estimate()
    #expect(isClose(last, (2 * none.interval.high * none.interval.high).squareRoot(), 1e-12))
    for flipped in 1...30 {
      let next = try families(flipped: flipped, whole: false).high
      #expect(next / last > 0.75 && next / last < 1.1, "\(flipped): \(last) to \(next)")
      last = next
    }
    // Many flips that all come alone count nearly as rows, and whole clusters as one row each.
    let rows = PairedChange(lost: 30, gained: 0, rows: 600).estimate().interval
    let alone = (2.0).squareRoot() * (rows.high - rows.low) / 2
    #expect(last > alone && last < 1.25 * alone)
    let people = PairedChange(lost: 30, gained: 0, rows: 60).estimate().interval
    let together = try families(flipped: 30, whole: true).high
    #expect(isClose(together, (2.0).squareRoot() * (people.high - people.low) / 2, 0.02))
  }

  @Test func `equal scores are not certain to stay equal`() throws {
    var random = Random(seed: 2)
    let labels = (0..<400).map { $0 % 2 == 0 }
    let scores = labels.map { 0.3 * ($0 ? 1 : 0) + 0.7 * random.uniform() }
    let groups = Attribute("g", of: (0..<400).map { $0 % 4 < 2 ? "a" : "b" })
    let outcomes = Outcomes(scores: scores, labels: labels, groups: groups)
    let comparison = try Comparison(before: outcomes, after: outcomes)
    for kind in [GapKind.auc, .brier, .meanScore, .logLoss] {
      let drift = try #require(comparison.drift[kind])
      #expect(drift.value == 0 && drift.verdict == .undecided, "\(kind)")
      let interval = try #require(drift.interval)
      #expect(interval.low < -0.01 && interval.high > 0.01, "\(kind)")
    }
  }
}
