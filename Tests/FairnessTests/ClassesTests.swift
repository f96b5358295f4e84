import TestSupport
import Testing

@testable import Fairness

/// `Golden/classes.json`, written by `Scripts/golden/fairness_classes.py` with scikit-learn.
private struct ClassesGolden: Decodable {
  struct Forms: Decodable {
    var accuracy: Double
    var classes: [String: [Double]]
    var macro: [String: Double]
    var balancedAccuracy: Double
  }

  var classes: [String]
  var groups: [Int32]
  var labels: [Int32]
  var decisions: [Int32]
  var ofGroups: [Forms]
  var binary: [Int]
  var scores: [Double]
  var weights: [Double]
  var weighted: [[String: Double]]

  static func load() throws -> ClassesGolden {
    try golden(ClassesGolden.self, "classes", in: .module)
  }

  var attribute: Attribute { Attribute("g", groups: ["a", "b", "c"], codes: groups) }
}

@Suite struct ClassesTests {
  @Test func `one class against the rest and macro means equal scikit-learn`() throws {
    let golden = try ClassesGolden.load()
    let outcomes = MultiClassOutcomes(
      classes: golden.classes, labels: golden.labels, decisions: golden.decisions,
      groups: golden.attribute)
    let audits = try outcomes.audits()
    let accuracy = outcomes.accuracy()
    for (group, forms) in golden.ofGroups.enumerated() {
      #expect(isClose(accuracy[group].value, forms.accuracy))
      for (name, values) in forms.classes {
        let measure = try #require(Measure(rawValue: name))
        for (position, value) in values.enumerated() {
          let audit = try #require(audits[golden.classes[position]])
          #expect(isClose(audit.groups[group].rates[measure]?.value, value), "\(name)")
        }
      }
      for (name, value) in forms.macro {
        let measure = try #require(Measure(rawValue: name))
        #expect(isClose(outcomes.macro(measure)[group].value, value), "\(name)")
      }
      // scikit-learn's balanced accuracy of many classes is the macro recall.
      #expect(isClose(outcomes.macro(.truePositiveRate)[group].value, forms.balancedAccuracy))
    }
    let recalls = golden.ofGroups.compactMap { $0.macro["truePositiveRate"] }
    #expect(
      isClose(
        outcomes.macroGap(.truePositiveRate), (recalls.max() ?? 0) - (recalls.min() ?? 0)))
  }

  @Test func `weighted measures equal scikit-learn`() throws {
    let golden = try ClassesGolden.load()
    let audit = try Audit(
      Outcomes(
        scores: golden.scores, labels: golden.binary.map { $0 == 1 }, groups: golden.attribute,
        weights: golden.weights))
    for (place, expected) in golden.weighted.enumerated() {
      let rates = place < 3 ? audit.groups[place].rates : audit.overall
      for (name, value) in expected {
        let measure = try #require(Measure(rawValue: name))
        #expect(isClose(rates[measure]?.value, value), "\(name) of \(place)")
        #expect(rates[measure]?.interval?.contains(value) ?? false, "\(name) of \(place)")
      }
    }
  }

  @Test func `weights of 1 change nothing`() throws {
    let golden = try ClassesGolden.load()
    func audit(_ weights: [Double]?) throws -> Audit {
      try Audit(
        Outcomes(
          scores: golden.scores, labels: golden.binary.map { $0 == 1 },
          groups: golden.attribute, weights: weights))
    }
    let (plain, weighted) = (
      try audit(nil), try audit(.init(repeating: 1, count: golden.scores.count))
    )
    for measure in Measure.allCases where measure != .calibrationError {
      let (a, b) = (plain.overall[measure], weighted.overall[measure])
      #expect(isClose(a?.value, b?.value), "\(measure)")
      #expect(isClose(a?.interval?.low, b?.interval?.low), "\(measure)")
      #expect(isClose(a?.interval?.high, b?.interval?.high), "\(measure)")
    }
  }
}

@Suite struct ScoreDriftTests {
  private static func outcomes(
    _ seed: UInt64, rows: Int, groups: Int, copies: Int = 1
  ) -> (Outcomes, Outcomes) {
    var random = Random(seed: seed)
    var (first, second): ([Double], [Double]) = ([], [])
    var labels: [Bool] = []
    var (codes, clusters): ([Int32], [Int32]) = ([], [])
    for row in 0..<rows {
      let label = random.uniform() < 0.5
      let score = min(1, max(0, 0.5 + (label ? 0.1 : -0.1) + 0.2 * random.normal()))
      let other = min(1, max(0, score + 0.05 * random.normal()))
      for _ in 0..<copies {
        first.append(score)
        second.append(other)
        labels.append(label)
        codes.append(Int32(row % groups))
        clusters.append(Int32(row))
      }
    }
    let attribute = Attribute("g", groups: (0..<groups).map { "g\($0)" }, codes: codes)
    return (
      Outcomes(
        scores: first, labels: labels, groups: attribute, clusters: copies > 1 ? clusters : nil),
      Outcomes(
        scores: second, labels: labels, groups: attribute, clusters: copies > 1 ? clusters : nil)
    )
  }

  @Test func `a drift of means is the mean of differences`() throws {
    let (before, after) = Self.outcomes(1, rows: 400, groups: 2)
    let comparison = try Comparison(before: before, after: after)
    let drift = try #require(comparison.drift[.brier])
    var parts: [(mean: Double, variance: Double)] = []
    for group in 0..<2 {
      let changes = (0..<400).filter { $0 % 2 == group }.map { row -> Double in
        let label = before.labels[row] ? 1.0 : 0
        let (a, b) = (before.scores[row] - label, after.scores[row] - label)
        return b * b - a * a
      }
      let mean = changes.reduce(0, +) / 200
      let squares = changes.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      parts.append((mean, squares / 199 / 200))
    }
    let half = 1.959963984540054 * (parts[0].variance + parts[1].variance).squareRoot()
    #expect(isClose(drift.value, parts[1].mean - parts[0].mean))
    #expect(isClose(drift.interval?.low, parts[1].mean - parts[0].mean - half))
    #expect(isClose(drift.interval?.high, parts[1].mean - parts[0].mean + half))
    let change = try #require(comparison.changes[.brier]?.last)
    #expect(isClose(change.value, parts[1].mean))
  }

  @Test func `every gap of scores drifts as its audits differ`() throws {
    for groups in [2, 4] {
      let (before, after) = Self.outcomes(2, rows: 600, groups: groups)
      let comparison = try Comparison(before: before, after: after)
      let audits = (try Audit(before), try Audit(after))
      for kind in GapKind.allCases where !GapKind.ofDecisions.contains(kind) {
        let drift = try #require(comparison.drift[kind], "\(kind)")
        let (a, b) = (audits.0.gaps[kind]?.absolute, audits.1.gaps[kind]?.absolute)
        #expect(isClose(drift.growth, (b ?? .nan) - (a ?? .nan)), "\(kind)")
        if kind == .calibrationError {
          #expect(drift.interval == nil && drift.reason != nil)
        } else {
          let interval = try #require(drift.interval, "\(kind)")
          #expect(interval.low < interval.high && abs(interval.low) < 0.3, "\(kind)")
        }
      }
    }
  }

  @Test func `copies in one cluster count once, in audits and in drifts`() throws {
    let one = Self.outcomes(3, rows: 300, groups: 2)
    let many = Self.outcomes(3, rows: 300, groups: 2, copies: 5)
    let audits = (try Audit(one.0), try Audit(many.0))
    let comparisons = (
      try Comparison(before: one.0, after: one.1), try Comparison(before: many.0, after: many.1)
    )
    for kind in [GapKind.auc, .brier, .meanScore] {
      let widths = [audits.0, audits.1].compactMap { audit in
        audit.gaps[kind]?.interval.map { $0.high - $0.low }
      }
      #expect(abs(widths[1] / widths[0] - 1) < 0.02, "\(kind): \(widths)")
      let drifts = [comparisons.0, comparisons.1].compactMap { comparison in
        comparison.drift[kind]?.interval.map { $0.high - $0.low }
      }
      #expect(abs(drifts[1] / drifts[0] - 1) < 0.02, "\(kind): \(drifts)")
    }
  }
}
