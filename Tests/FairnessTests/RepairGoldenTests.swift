import Foundation
import TestSupport
import Testing

@testable import Fairness

/// `Golden/repair.json`, written by `Scripts/golden/fairness_repair.py` with AIF360, Fairlearn,
/// SciPy and scikit-learn.
struct RepairGolden: Decodable, Sendable {
  struct Mixing: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var cost: CalibratedEqualizedOddsOptions.Cost
    var scores: [Double]
    var labels: [Int]
    var groups: [Int32]
    var mix: [Double?]

    var testDescription: String { name }
  }

  struct Expected: Decodable, Sendable {
    var seed: UInt64
    var count: Int
    var levels: Int
    var threshold: Double
    var repeats: Int
    var shares: [Double]
  }

  struct Odds: Decodable, Sendable {
    var youden: [Double]
    var error: [Double]
  }

  struct Thresholds: Decodable, Sendable, CustomTestStringConvertible {
    var seed: UInt64
    var count: Int
    var groups: Int
    var levels: Int
    var parity: GroupThresholdsOptions.Parity
    var objective: GroupThresholdsOptions.Objective
    var tolerance: Double
    var probabilities: [[Double]]

    var testDescription: String {
      "\(seed): \(parity.rawValue), \(objective.rawValue), within \(tolerance)"
    }
  }

  struct Reject: Decodable, Sendable, CustomTestStringConvertible {
    var seed: UInt64
    var count: Int
    var levels: Int
    var metric: RejectOptionOptions.Metric
    var threshold: Double
    var margin: Double

    var testDescription: String { "\(seed): \(metric.rawValue)" }
  }

  struct Calibrations: Decodable, Sendable {
    var seed: UInt64
    var count: Int
    var levels: Int
    var slope: Double
    var platt: [Double]
    var at: [Double]
    var isotonic: [Double]
  }

  var mixing: [Mixing]
  var expected: Expected
  var odds: Odds
  var thresholds: [Thresholds]
  var rejects: [Reject]
  var calibrations: Calibrations

  static let all = Result { try golden(RepairGolden.self, "repair", in: .module) }
}

/// The rows that the script draws: with ties, positives higher, groups that differ.
func drawnRows(seed: UInt64, _ count: Int, groups: Int, levels: Int) -> Outcomes {
  var random = Random(seed: seed)
  var (scores, labels, codes): ([Double], [Bool], [Int32]) = ([], [], [])
  for _ in 0..<count {
    let group = random.below(groups)
    let label = random.below(10) < 4 + group
    let low = random.below(levels)
    let more = random.below(levels / (2 + group))
    let score = low + (label ? more : 0)
    scores.append(Double(score) / Double(2 * levels))
    labels.append(label)
    codes.append(Int32(group))
  }
  return Outcomes(
    scores: scores, labels: labels,
    groups: Attribute("g", groups: (0..<groups).map { "\($0)" }, codes: codes))
}

@Suite struct RepairGoldenTests {
  @Test(arguments: try RepairGolden.all.get().mixing)
  func `mix rates are AIF360's, held in range`(_ golden: RepairGolden.Mixing) throws {
    let outcomes = Outcomes(
      scores: golden.scores, labels: golden.labels.map { $0 == 1 },
      groups: Attribute("g", groups: ["0", "1"], codes: golden.groups))
    var options = CalibratedEqualizedOddsOptions()
    (options.cost, options.calibration) = (golden.cost, .none)
    if golden.name.hasPrefix("one label") {
      // AIF360 carries a NaN on, and mixes nobody.
      #expect(throws: RepairError.self) {
        try Repair.calibratedEqualizedOdds(outcomes, options: options)
      }
      return
    }
    let repair = try Repair.calibratedEqualizedOdds(outcomes, options: options)
    for (group, mix) in golden.mix.enumerated() {
      let rule = repair.rules[group]
      let share = 1 - rule.steps[0].probability + rule.otherwise
      if let mix {
        #expect(abs(share - min(1, max(0, mix))) < 1e-12)
        if mix < 0 || mix > 1 { #expect(!repair.fit.isFeasible) }
      } else {
        // Knowing nothing costs exactly as much: AIF360 divides by 0.
        #expect(share == 0)
        #expect(!repair.fit.isFeasible)
      }
    }
    if golden.mix.allSatisfy({ $0.map { (0...1).contains($0) } ?? false }) {
      #expect(repair.fit.isFeasible)
    }
  }

  @Test func `the expected decision is what AIF360's lots give on average`() throws {
    let golden = try RepairGolden.all.get().expected
    let outcomes = drawnRows(seed: golden.seed, golden.count, groups: 2, levels: golden.levels)
    var options = CalibratedEqualizedOddsOptions()
    (options.cost, options.calibration, options.threshold) = (.fnr, .none, golden.threshold)
    let repair = try Repair.calibratedEqualizedOdds(outcomes, options: options)
    let probabilities = try repair.probabilities(scores: outcomes.scores, groups: outcomes.groups)
    let error = 4.5 * (0.25 / Double(golden.repeats)).squareRoot()
    for (p, share) in zip(probabilities, golden.shares) {
      #expect(abs(p - share) < error)
      if p == 0 || p == 1 { #expect(share == p) }
    }
    #expect(probabilities.contains { $0 > 0 && $0 < 1 })
  }

  /// 1000 tables each: the triangle's apex against SciPy's linear programme.
  @Test func `equalized odds has the objective of the linear programme`() throws {
    let golden = try RepairGolden.all.get().odds
    for (seed, (youden, error)) in zip(golden.youden, golden.error).enumerated() {
      var random = Random(seed: UInt64(seed))
      let tables = (0..<2).map { _ in
        let cells = (0..<4).map { _ in 1 + random.below(200) }
        return Counts(
          truePositives: cells[0], falsePositives: cells[1], falseNegatives: cells[2],
          trueNegatives: cells[3])
      }
      let pairs: [(EqualizedOddsOptions.Objective, Double)] = [
        (.youden, youden), (.error(falsePositive: 1, falseNegative: 2), error),
      ]
      for (objective, expected) in pairs {
        let flips = OddsFlips(tables, objective: objective)
        #expect(abs(flips.objective - expected) < 1e-9, "table \(seed)")
        for (table, keep) in zip(tables, flips.keeps) {
          // What is kept really leads to the common point.
          let tpr = table.truePositives / table.positives
          let fpr = table.falsePositives / table.negatives
          #expect(
            abs(keep.positive * tpr + keep.negative * (1 - tpr) - flips.truePositiveRate) < 1e-9)
          #expect(
            abs(keep.positive * fpr + keep.negative * (1 - fpr) - flips.falsePositiveRate) < 1e-9)
        }
      }
    }
  }

  @Test(arguments: try RepairGolden.all.get().thresholds)
  func `thresholds on a grid are Fairlearn's`(_ golden: RepairGolden.Thresholds) throws {
    let outcomes = drawnRows(
      seed: golden.seed, golden.count, groups: golden.groups, levels: golden.levels)
    var options = GroupThresholdsOptions()
    (options.parity, options.objective) = (golden.parity, golden.objective)
    (options.tolerance, options.grid) = (golden.tolerance, 1000)
    let repair = try Repair.groupThresholds(outcomes, options: options)
    let scores = (0..<16).map { (Double($0) + 0.37) / 16 }
    for (group, expected) in golden.probabilities.enumerated() {
      let found = try repair.probabilities(
        scores: scores,
        groups: Attribute("g", of: .init(repeating: "\(group)", count: scores.count)))
      for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-9) }
    }
  }

  @Test(arguments: try RepairGolden.all.get().rejects)
  func `the reject option's winner is AIF360's`(_ golden: RepairGolden.Reject) throws {
    let drawn = drawnRows(seed: golden.seed, golden.count, groups: 2, levels: golden.levels)
    // One group is kept down, so that there is something to make up for.
    let outcomes = Outcomes(
      scores: zip(drawn.scores, drawn.groups.codes).map { $1 == 0 ? $0 / 2 : $0 },
      labels: drawn.labels, groups: drawn.groups)
    var options = RejectOptionOptions()
    options.metric = golden.metric
    let best = RejectBand.best(ScoreCurve.curves(of: outcomes), favoured: 0, options)
    #expect(best.isFeasible)
    #expect(abs(best.threshold - golden.threshold) < 1e-12)
    #expect(abs(best.margin - golden.margin) < 1e-12)
  }

  @Test func `calibrations are scikit-learn's`() throws {
    let golden = try RepairGolden.all.get().calibrations
    let outcomes = drawnRows(seed: golden.seed, golden.count, groups: 2, levels: golden.levels)
    let everyone = Outcomes(
      scores: outcomes.scores, labels: outcomes.labels,
      groups: Attribute("g", groups: ["all"], codes: .init(repeating: 0, count: outcomes.count)))
    let curve = ScoreCurve.curves(of: everyone)[0]
    func fitted(_ kind: ScoreCalibration.Kind) throws -> ScoreCalibration {
      try #require(try ScoreCalibration.fitted(kind, to: curve, group: "all"))
    }
    guard case .logistic(let slope, let bias) = try fitted(.temperature) else {
      Issue.record("a temperature is a slope")
      return
    }
    #expect(abs(slope - golden.slope) < 1e-6 && bias == 0)
    guard case .logistic(let a, let b) = try fitted(.platt) else {
      Issue.record("Platt's scaling is a line")
      return
    }
    // scikit-learn stops when its gradient is small.
    #expect(abs(a - golden.platt[0]) < 1e-4 && abs(b - golden.platt[1]) < 1e-4)
    let isotonic = try fitted(.isotonic)
    for (score, value) in zip(golden.at, golden.isotonic) {
      #expect(abs(isotonic(score) - value) < 1e-9)
    }
  }
}
