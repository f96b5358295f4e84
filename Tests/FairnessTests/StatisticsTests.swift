import Testing
import TestSupport

@testable import Fairness

/// `Golden/statistics.json`, written by `Scripts/golden/fairness_statistics.py` with SciPy and
/// statsmodels.
struct Statistics: Decodable {
  /// A function's arguments and its values by name.
  struct Case: Decodable {
    var arguments: [Double]
    var values: [String: Double]

    init(from decoder: any Decoder) throws {
      let keyed = try decoder.container(keyedBy: Key.self)
      arguments = []
      values = [:]
      for key in keyed.allKeys {
        if key.stringValue == "in" {
          arguments = try keyed.decode([Double].self, forKey: key)
        } else {
          values[key.stringValue] = try keyed.decodeIfPresent(Double.self, forKey: key)
        }
      }
    }

    struct Key: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }
      init?(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }
  }

  struct IntervalCase: Decodable {
    var `in`: [Double]
    var interval: [Double]
  }

  struct DeLong: Decodable {
    var labels: [Int]
    var first: [Double]
    var second: [Double]
    var areas: [Double]
    var covariance: [[Double]]
    var interval: [Double]
  }

  struct Accelerated: Decodable {
    var values: [Double]
    var estimate: Double
    var acceleration: Double
    var interval: [Double]
    var percentile: [Double]
  }

  struct Corrections: Decodable {
    var p: [Double]
    var holm: [Double]
    var benjaminiHochberg: [Double]
  }

  var elementary: [Case]
  var normal: [Case]
  var quantile: [Case]
  var beta: [Case]
  var betaQuantile: [Case]
  var logGamma: [Case]
  var binomial: [Case]
  var mcnemar: [Case]
  var wilson: [IntervalCase]
  var jeffreys: [IntervalCase]
  var newcombe: [IntervalCase]
  var tango: [IntervalCase]
  var newcombePaired: [IntervalCase]
  var multiplicity: Corrections
  var delong: DeLong
  var bca: Accelerated
}

/// Equal up to a share of the expected value.
private func agree(_ value: Double, _ expected: Double?, _ tolerance: Double = 1e-12) -> Bool {
  guard let expected else { return true }
  return value == expected || abs(value - expected) <= tolerance * abs(expected)
}

private func agree(_ interval: Interval, _ expected: [Double], _ tolerance: Double = 1e-12) -> Bool
{
  isClose(interval.low, expected[0], tolerance) && isClose(interval.high, expected[1], tolerance)
}

@Suite struct StatisticsTests {
  let expected: Statistics

  init() throws { expected = try golden(in: "statistics") }

  @Test func `exponential and logarithm are right to the last digits`() {
    for one in expected.elementary {
      let x = one.arguments[0]
      #expect(agree(exponential(x), one.values["exponential"], 1e-15), "exp \(x)")
      #expect(agree(logarithm(abs(x)), one.values["logarithm"], 4e-16), "log \(x)")
      if x > -1 {
        #expect(agree(logarithmOnePlus(x), one.values["onePlus"], 4e-16), "log1p \(x)")
      }
    }
    #expect(exponential(-800) == 0 && exponential(800) == .infinity && exponential(0) == 1)
    #expect(logarithm(0) == -.infinity && logarithm(-1).isNaN && logarithm(1) == 0)
    #expect(agree(logarithm(Double.leastNonzeroMagnitude), -744.4400719213812, 1e-15))
  }

  @Test func `the normal distribution equals SciPy, tails included`() {
    for one in expected.normal {
      let x = one.arguments[0]
      #expect(agree(Normal.cumulative(x), one.values["cumulative"], 1e-13), "cdf \(x)")
      #expect(agree(Normal.density(x), one.values["density"], 1e-13), "pdf \(x)")
      #expect(agree(Normal.complementaryError(x), one.values["complementary"], 1e-13), "erfc \(x)")
    }
    for one in expected.quantile {
      let p = one.arguments[0]
      #expect(
        isClose(Normal.quantile(p), one.values["quantile"], 1e-14), "quantile \(p)")
    }
  }

  @Test func `beta and binomial distributions equal SciPy`() {
    for one in expected.beta {
      let a = one.arguments
      #expect(agree(Beta.cumulative(a[0], a[1], a[2]), one.values["cumulative"]), "beta \(a)")
    }
    for one in expected.betaQuantile {
      let a = one.arguments
      #expect(agree(Beta.quantile(a[0], a[1], a[2]), one.values["quantile"]), "quantile \(a)")
    }
    for one in expected.logGamma {
      #expect(
        isClose(Beta.logGamma(one.arguments[0]), one.values["logGamma"], 1e-14),
        "lnΓ \(one.arguments)")
    }
    for one in expected.binomial {
      let a = one.arguments
      #expect(
        agree(Beta.binomialProbability(a[0], of: a[1], a[2]), one.values["probability"]),
        "pmf \(a)")
      #expect(
        agree(Beta.binomialCumulative(a[0], of: a[1], a[2]), one.values["cumulative"]),
        "cdf \(a)")
    }
  }

  @Test func `Wilson's and Jeffreys' intervals equal statsmodels and SciPy`() {
    for one in expected.wilson {
      let a = one.in
      #expect(agree(.wilson(a[0], of: a[1], confidence: a[2]), one.interval), "\(a)")
    }
    for one in expected.jeffreys {
      let a = one.in
      #expect(agree(.jeffreys(a[0], of: a[1], confidence: a[2]), one.interval), "\(a)")
    }
  }

  @Test func `Newcombe's interval of a difference equals statsmodels`() {
    for one in expected.newcombe {
      let a = one.in
      let sides = [(a[0], a[1]), (a[2], a[3])].map { k, n in
        Estimate(k / n, .wilson(k, of: n))
      }
      let difference = Estimate.difference(from: sides[1], to: sides[0])
      #expect(agree(difference.interval, one.interval), "\(a)")
    }
  }

  @Test func `Tango's interval equals a numerical maximum likelihood`() {
    for one in expected.tango {
      let a = one.in
      let change = PairedChange(lost: a[1], gained: a[0], rows: a[2])
      #expect(agree(change.tango(confidence: a[3]), one.interval, 1e-9), "\(a)")
    }
  }

  @Test func `Newcombe's paired interval gives his published example`() {
    for one in expected.newcombePaired {
      let a = one.in
      // His first sample is "after" here: yes-no pairs are gained.
      let change = PairedChange(lost: a[2], gained: a[1], rows: a.reduce(0, +))
      #expect(agree(change.newcombe(before: a[0] + a[2]), one.interval), "\(a)")
    }
    let published = PairedChange(lost: 2, gained: 12, rows: 50).newcombe(before: 38)
    #expect(written(published.low, decimals: 4) == "0.0569")
    #expect(written(published.high, decimals: 4) == "0.3404")
  }

  @Test func `McNemar's tests equal statsmodels`() {
    for one in expected.mcnemar {
      let (b, c) = (Int(one.arguments[0]), Int(one.arguments[1]))
      #expect(agree(McNemar.exact(lost: b, gained: c), one.values["exact"]), "\(b) \(c)")
      #expect(agree(McNemar.midP(lost: b, gained: c), one.values["midP"], 1e-11), "\(b) \(c)")
    }
    #expect(McNemar.exact(lost: 0, gained: 0) == 1 && McNemar.midP(lost: 0, gained: 0) == 1)
  }

  @Test func `corrections for many tests equal statsmodels`() {
    let many = expected.multiplicity
    #expect(zip(Multiplicity.holm(many.p), many.holm).allSatisfy { agree($0, $1) })
    #expect(
      zip(Multiplicity.benjaminiHochberg(many.p), many.benjaminiHochberg)
        .allSatisfy { agree($0, $1) })
  }

  @Test func `DeLong's areas and covariance equal comparing all pairs`() throws {
    let delong = expected.delong
    let areas = try #require(
      PairedAreas(
        before: delong.first, after: delong.second, labels: delong.labels.map { $0 == 1 }))
    #expect(isClose(areas.before, delong.areas[0]) && isClose(areas.after, delong.areas[1]))
    #expect(isClose(areas.varianceBefore, delong.covariance[0][0]))
    #expect(isClose(areas.varianceAfter, delong.covariance[1][1]))
    #expect(isClose(areas.covariance, delong.covariance[0][1]))
    let ranked = RankedScores(
      positives: zip(delong.first, delong.labels).filter { $1 == 1 }.map(\.0).sorted(),
      negatives: zip(delong.first, delong.labels).filter { $1 == 0 }.map(\.0).sorted())
    let interval = try #require(ranked.auc(confidence: 0.95).interval)
    #expect(agree(interval, delong.interval))
  }

  @Test func `BCa and percentile intervals equal NumPy's quantiles`() throws {
    let case1 = expected.bca
    let replicates = Replicates(case1.values.shuffled() + [.nan])
    let accelerated = try #require(
      replicates.accelerated(estimate: case1.estimate, acceleration: case1.acceleration))
    #expect(agree(accelerated, case1.interval))
    #expect(agree(try #require(replicates.percentile()), case1.percentile))
    #expect(replicates.undefinedShare == 0.001)
  }
}

private func golden(in name: String) throws -> Statistics {
  try golden(Statistics.self, name, in: .module)
}
