import Testing

@testable import Fairness

@Suite struct ResamplingTests {
  /// Means and variances of 40000 draws lie within five standard errors of the truth.
  private func moments(_ count: Int = 40_000, _ draw: (inout Random) -> Double) -> (Double, Double)
  {
    var random = Random(seed: 11)
    let values = (0..<count).map { _ in draw(&random) }
    let mean = values.reduce(0, +) / Double(count)
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count))
  }

  @Test(arguments: [(5, 0.3), (40, 0.1), (1000, 0.02), (1000, 0.5), (100_000, 0.7), (30, 0.95)])
  func `binomial draws have the binomial's mean and variance`(n: Int, p: Double) {
    let (mean, variance) = moments { Double($0.binomial(n, p)) }
    let expected = Double(n) * p * (1 - p)
    #expect(abs(mean - Double(n) * p) < 5 * (expected / 40_000).squareRoot())
    #expect(abs(variance / expected - 1) < 0.05)
  }

  @Test(arguments: [0.3, 4.0, 40.0, 1e5])
  func `Poisson and gamma draws have mean and variance alike`(mean: Double) {
    for draw in [
      { (random: inout Random) in Double(random.poisson(mean)) },
      { (random: inout Random) in random.gamma(mean) },
    ] {
      let (found, variance) = moments(40_000, draw)
      #expect(abs(found - mean) < 5 * (mean / 40_000).squareRoot())
      #expect(abs(variance / mean - 1) < 0.08)
    }
  }

  @Test func `multinomial draws keep their total and follow their weights`() {
    var random = Random(seed: 2)
    var sums = [0, 0, 0, 0]
    for _ in 0..<2000 {
      let drawn = random.multinomial(100, [1, 0, 3, 6])
      #expect(drawn.reduce(0, +) == 100)
      for i in 0..<4 { sums[i] += drawn[i] }
    }
    #expect(sums[1] == 0)
    #expect(abs(Double(sums[2]) / 200_000 - 0.3) < 0.006)
  }

  @Test func `resampling cells is resampling rows`() {
    // The same bootstrap by drawing rows one by one.
    let tally = AuditTests.tally
    let rows = tally.counts.indices.flatMap { group in
      (0..<4).flatMap { cell in
        [(Int, Int)](repeating: (group, cell), count: Int(tally.counts[group].cells[cell]))
      }
    }
    let table = GapTable(groups: 2)
    var random = Random(seed: 8)
    let slow = Replicates(
      (0..<20_000).map { _ in
        var cells = [SIMD4<Double>](repeating: .zero, count: 2)
        for _ in rows {
          let (group, cell) = rows[random.below(rows.count)]
          cells[group][cell] += 1
        }
        return table.value(.accuracy, cells)
      })
    let resampler = CellResampler(strata: tally.counts.map(\.cells), scheme: .rows)
    let fast = replicates(20_000, seed: 1, of: 1) { random in
      [table.value(.accuracy, resampler.draw(using: &random))]
    }[0]
    for level in [0.05, 0.25, 0.5, 0.75, 0.95] {
      #expect(abs(slow.quantile(level) - fast.quantile(level)) < 0.02)
    }
  }

  @Test(arguments: Bootstrap.Reading.allCases)
  func `bootstrap intervals of many rows equal Newcombe's`(reading: Bootstrap.Reading) throws {
    let tally = Tally([
      (
        "f",
        Counts(truePositives: 860, falsePositives: 200, falseNegatives: 140, trueNegatives: 800)
      ),
      (
        "m",
        Counts(truePositives: 650, falsePositives: 100, falseNegatives: 350, trueNegatives: 900)
      ),
    ])
    let expected = try #require(Audit(tally).gaps[.equalOpportunity]?.interval)
    for scheme in [Resampling.stratified, .rows, .poisson, .posterior] {
      let found = try #require(
        Bootstrap.interval(
          .equalOpportunity, tally, scheme: scheme, reading: reading, draws: 4000))
      #expect(abs(found.low - expected.low) < 0.004, "\(scheme)")
      #expect(abs(found.high - expected.high) < 0.004, "\(scheme)")
    }
  }

  @Test func `clusters of copies widen the interval to that of one copy`() throws {
    var random = Random(seed: 6)
    let decisions = (0..<800).map { _ in random.below(3) > 0 }
    func outcomes(_ copies: Int) -> Outcomes {
      let rows = (0..<800 * copies).map { $0 / copies }
      return Outcomes(
        decisions: rows.map { decisions[$0] }, labels: rows.map { _ in true },
        groups: Attribute("g", of: rows.map { $0 < 400 ? "a" : "b" }),
        clusters: rows.map { Int32($0) })
    }
    let one = try #require(Bootstrap.clusterInterval(.equalOpportunity, outcomes(1)))
    let four = try #require(Bootstrap.clusterInterval(.equalOpportunity, outcomes(4)))
    #expect(abs(one.low - four.low) < 0.01 && abs(one.high - four.high) < 0.01)
    let wilson = try #require(Audit(outcomes(1)).gaps[.equalOpportunity]?.interval)
    let byCluster = try #require(Audit(outcomes(4)).gaps[.equalOpportunity]?.interval)
    #expect(abs(wilson.low - byCluster.low) < 1e-3 && abs(wilson.high - byCluster.high) < 1e-3)
  }

  @Test func `intervals cover as often as they say`() {
    let study = CoverageSimulation(simulations: 2000, resampled: 150)
    for line in study.gaps() + study.rates().filter({ $0.method == "Wilson" }) {
      #expect(line.share > 0.93, "\(line)")
    }
    for line in study.drifts() where line.method == "Tango and MOVER" {
      #expect(line.share > 0.935, "\(line)")
    }
  }

  @Test func `sizes of samples give the half-width that was asked for`() {
    let n = SampleSize.gap(0.65, 0.86, margin: 0.02)
    let sides = [0.65, 0.86].map { rate in
      Estimate(rate, .wilson(rate * Double(n), of: Double(n)))
    }
    let interval = Estimate.difference(from: sides[0], to: sides[1]).interval
    #expect(abs((interval.high - interval.low) / 2 - 0.02) < 1e-4)
    #expect(SampleSize.preservation(flipRate: 0.02, margin: 0.01) == 3426)
  }

  @Test func `every class against the rest, and their mean`() throws {
    // By hand: group a is right on both classes it has; group b mistakes one of two reds for blue.
    let outcomes = MultiClassOutcomes(
      classes: ["red", "blue"], labels: [0, 1, 0, 0, 1], decisions: [0, 1, 1, 0, 1],
      groups: Attribute("g", of: ["a", "a", "b", "b", "b"]))
    let audits = try outcomes.audits()
    #expect(audits["red"]?.groups[1].rates[.truePositiveRate]?.value == 0.5)
    #expect(outcomes.macro(.truePositiveRate).map(\.value) == [1, 0.75])
    #expect(outcomes.macro(.precision)[1].value == 0.75)
    #expect(outcomes.macroGap(.truePositiveRate) == 0.25)
    #expect(outcomes.accuracy().map(\.value) == [1, 2.0 / 3])
    let lacking = MultiClassOutcomes(
      classes: ["red", "blue"], labels: [0], decisions: [0], groups: Attribute("g", of: ["a"]))
    #expect(
      lacking.macro(.truePositiveRate)[0].reason == "class blue: no row is labelled positive")
  }
}
