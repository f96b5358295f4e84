import Foundation
import TestSupport
import Testing

@testable import Fairness

@Suite struct RepairTests {
  /// Every method on rows of two groups.
  static func fitted(_ method: Repair.Method, _ outcomes: Outcomes) throws -> Repair {
    switch method {
    case .calibratedEqualizedOdds:
      var options = CalibratedEqualizedOddsOptions()
      options.calibration = .platt
      return try .calibratedEqualizedOdds(outcomes, options: options)
    case .equalizedOdds: return try .equalizedOdds(outcomes)
    case .thresholds: return try .groupThresholds(outcomes)
    case .rejectOption: return try .rejectOption(outcomes)
    case .groupBlind: return try .groupBlind(outcomes, options: GroupBlindOptions(target: 0.4))
    }
  }

  private let outcomes = drawnRows(seed: 3, 600, groups: 2, levels: 300)

  private func rates(_ repair: Repair, _ rows: Outcomes) throws -> [Counts] {
    Tally(
      probabilities: try repair.probabilities(scores: rows.scores, groups: rows.groups),
      labels: rows.labels, groups: rows.groups
    ).counts
  }

  @Test(arguments: Repair.Method.allCases)
  func `what is written is read back, and means the same`(_ method: Repair.Method) throws {
    let repair = try Self.fitted(method, outcomes)
    let encoder = JSONEncoder()
    let read = try JSONDecoder().decode(Repair.self, from: encoder.encode(repair))
    #expect(read == repair)
    #expect(read.needsGroup == (method != .groupBlind))
    #expect(
      try read.probabilities(scores: outcomes.scores, groups: outcomes.groups)
        == repair.probabilities(scores: outcomes.scores, groups: outcomes.groups))
  }

  @Test(arguments: Repair.Method.allCases)
  func `the fit's rates are those of its rules`(_ method: Repair.Method) throws {
    let repair = try Self.fitted(method, outcomes)
    let counts = try rates(repair, outcomes)
    for (cell, counts) in zip(repair.fit.cells, counts) {
      #expect(isClose(cell.truePositiveRate.after, counts.rate(.truePositiveRate).value))
      #expect(isClose(cell.falsePositiveRate.after, counts.rate(.falsePositiveRate).value))
    }
  }

  @Test(arguments: [4, 5, 6] as [UInt64])
  func `equalized odds equalizes both rates, for three groups too`(seed: UInt64) throws {
    for groups in [2, 3] {
      let rows = drawnRows(seed: seed, 500, groups: groups, levels: 50)
      for repair in [try Repair.equalizedOdds(rows), try .groupThresholds(rows)] {
        let found = try rates(repair, rows)
        for measure in [Measure.truePositiveRate, .falsePositiveRate] {
          let values = found.compactMap { $0.rate(measure).value }
          #expect((values.max() ?? 1) - (values.min() ?? 0) < 1e-9)
        }
      }
    }
  }

  /// The exact corners are at least as good as any grid, and keep the constraint exactly.
  @Test(arguments: GroupThresholdsOptions.Parity.allCases)
  func `exact thresholds beat a grid`(_ parity: GroupThresholdsOptions.Parity) throws {
    func accuracy(_ grid: Int?, _ tolerance: Double) throws -> Double {
      var options = GroupThresholdsOptions()
      (options.parity, options.grid, options.tolerance) = (parity, grid, tolerance)
      let found = try rates(.groupThresholds(outcomes, options: options), outcomes)
      return found.reduce(0) { $0 + $1.truePositives + $1.trueNegatives } / 600
    }
    #expect(try accuracy(nil, 0) >= accuracy(1000, 0) - 1e-12)
    #expect(try accuracy(nil, 0) >= accuracy(7, 0) - 1e-12)
    if parity != .equalizedOdds {
      #expect(try accuracy(nil, 0.05) >= accuracy(1000, 0.05) - 1e-12)
      #expect(try accuracy(nil, 0.05) >= accuracy(nil, 0) - 1e-12)
    }
  }

  @Test func `calibrated equalized odds equalizes the cost`() throws {
    var options = CalibratedEqualizedOddsOptions()
    (options.cost, options.calibration) = (.fpr, .none)
    // Groups of different quality, so that giving up scores can level them.
    var random = Random(seed: 9)
    var (scores, labels, codes): ([Double], [Bool], [Int32]) = ([], [], [])
    for row in 0..<4000 {
      let group = row % 2
      let p = group == 0 ? 0.5 : 0.05 + 0.9 * random.uniform()
      let score = group == 0 ? 0.35 + 0.3 * random.uniform() : p
      scores.append(score)
      labels.append(random.uniform() < score)
      codes.append(Int32(group))
    }
    let rows = Outcomes(
      scores: scores, labels: labels,
      groups: Attribute("g", groups: ["flat", "sharp"], codes: codes))
    let repair = try Repair.calibratedEqualizedOdds(rows, options: options)
    #expect(repair.fit.isFeasible)
    let rule = repair.rules[1]
    let share = 1 - rule.steps[0].probability + rule.otherwise
    #expect(share > 0 && share < 1)
    func cost(_ group: Int32) -> Double {
      let own = scores.indices.filter { codes[$0] == group && !labels[$0] }
      return own.reduce(0) { $0 + scores[$1] } / Double(own.count)
    }
    let members = scores.indices.filter { codes[$0] == 1 }
    let rate = Double(members.count { labels[$0] }) / Double(members.count)
    #expect(abs((1 - share) * cost(1) + share * rate - cost(0)) < 1e-12)
  }

  @Test func `the group-blind repair restores the rate for everyone alike`() throws {
    let shifted = Outcomes(
      scores: outcomes.scores.map { $0 * $0 }, labels: outcomes.labels, groups: outcomes.groups)
    let before = Tally(outcomes).overall.rate(.selectionRate).value ?? 0
    let repair = try Repair.groupBlind(shifted, options: GroupBlindOptions(target: before))
    // The scores were moved but not mixed, so the decisions come back row by row.
    let after = try repair.probabilities(scores: shifted.scores, groups: shifted.groups)
    #expect(after == outcomes.scores.map { $0 >= 0.5 ? 1 : 0 })
    #expect(repair.fit.isFeasible && !repair.needsGroup)
    // An unseen group is no matter: nobody's group is looked at.
    _ = try repair.probabilities(scores: [0.3], groups: Attribute("g", of: ["new"]))
  }

  @Test(arguments: [Repair.Method.calibratedEqualizedOdds, .equalizedOdds, .thresholds])
  func `weights count as repeated rows`(_ method: Repair.Method) throws {
    let some = drawnRows(seed: 8, 200, groups: 2, levels: 30)
    let weights = (0..<200).map { Double(1 + $0 % 3) }
    let weighted = Outcomes(
      scores: some.scores, labels: some.labels, groups: some.groups, weights: weights)
    let places = (0..<200).flatMap { row in [Int](repeating: row, count: 1 + row % 3) }
    let repeated = Outcomes(
      scores: places.map { some.scores[$0] }, labels: places.map { some.labels[$0] },
      groups: Attribute("g", groups: ["0", "1"], codes: places.map { some.groups.codes[$0] }))
    let a = try Self.fitted(method, weighted)
    let b = try Self.fitted(method, repeated)
    for (x, y) in zip(
      try a.probabilities(scores: some.scores, groups: some.groups),
      try b.probabilities(scores: some.scores, groups: some.groups))
    { #expect(abs(x - y) < 1e-9) }
  }

  @Test(arguments: ScoreCalibration.Kind.allCases)
  func `a step finds the score that its calibration carries there`(
    _ kind: ScoreCalibration.Kind
  ) throws {
    let curve = ScoreCurve.curves(of: outcomes)[0]
    guard let map = try ScoreCalibration.fitted(kind, to: curve, group: "0") else { return }
    for value in [0.1, 0.4, 0.5, 0.73] {
      let least = map.leastScore(reaching: value)
      guard least.isFinite else { continue }
      #expect(map(least) >= value)
      #expect(map(least.nextDown) < value)
    }
  }

  @Test func `a lot belongs to its row, not to its place`() {
    let ids = (0..<2000).map { "\($0).jpg" }
    let p = [Double](repeating: 0.3, count: ids.count)
    let forwards = Repair.decisions(p, ids: ids, seed: 4)
    #expect(Repair.decisions(p, ids: ids.reversed(), seed: 4) == forwards.reversed())
    #expect(Repair.decisions(p, ids: ids, seed: 5) != forwards)
    #expect(forwards == ids.map { Repair.draw(seed: 4, id: $0) < 0.3 })
    #expect(abs(forwards.count { $0 } - 600) < 100)
    // Computed in Python from what the documentation says.
    #expect(Repair.draw(seed: 7, id: "000001.jpg") == 0.5111213453810457)
  }

  @Test func `groups that were not seen are refused`() throws {
    let repair = try Repair.equalizedOdds(outcomes)
    let error = #expect(throws: RepairError.self) {
      try repair.probabilities(
        scores: [0.1, 0.2], groups: Attribute("g", of: ["0", "other"]))
    }
    #expect(error == .unseenGroups(["other"], known: ["0", "1"]))
    // A group that is only a name takes part in nothing.
    let named = Attribute("g", groups: ["0", "1", "other"], codes: [0, 1])
    #expect(try repair.probabilities(scores: [0.1, 0.2], groups: named).count == 2)
  }

  @Test func `too few labels or groups are refused`() {
    let labels = [true, true, true, false]
    let rows = Outcomes(
      scores: [0.1, 0.4, 0.6, 0.7], labels: labels,
      groups: Attribute("g", of: ["a", "a", "b", "b"]))
    for method in Repair.Method.allCases where method != .groupBlind {
      let error = #expect(throws: RepairError.self) { try Self.fitted(method, rows) }
      #expect(error?.description == "group a has no row labelled negative to fit on")
    }
    #expect(throws: RepairError.self) {
      try Repair.calibratedEqualizedOdds(drawnRows(seed: 1, 300, groups: 3, levels: 20))
    }
  }

  @Test(
    arguments: [
      ("\"version\":1", "\"version\":2"), ("\"kind\":\"equant repair\"", "\"kind\":\"x\""),
      ("\"method\":\"equalized-odds\"", "\"method\":\"x\""),
      ("\"otherwise\":0,", "\"otherwise\":-1,"), ("\"otherwise\":0,", "\"otherwise\":2,"),
      ("\"probability\":1", "\"probability\":1.5"), ("\"group\":\"1\"", "\"group\":\"0\""),
      ("\"needsGroup\":true", "\"needsGroup\":false"), ("\"atLeast\":0.5", "\"atLeast\":\"x\""),
      (
        "\"rules\":[{",
        "\"rules\":[{\"calibration\":{\"kind\":\"logistic\",\"slope\":-1,\"bias\":0},"
      ),
    ])
  func `an unsound repair is refused`(_ from: String, _ to: String) throws {
    let rules = ["0", "1"].map {
      Repair.Rule(group: $0, otherwise: 0, steps: [.init(atLeast: 0.5, 1)])
    }
    let repair = Repair(
      method: .equalizedOdds, attribute: "g", rules: rules,
      fit: try RepairFit(
        outcomes, rules: rules, threshold: 0.5, settings: [:], isFeasible: true, notes: []))
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(repair), as: UTF8.self)
    #expect(text.contains(from), "\(text)")
    #expect(try JSONDecoder().decode(Repair.self, from: Data(text.utf8)) == repair)
    #expect(throws: (any Error).self) {
      try JSONDecoder().decode(Repair.self, from: Data(text.replacing(from, with: to).utf8))
    }
  }

  @Test func `Student's reach is the table's`() {
    for (degrees, reach) in [(1, 12.7062), (2, 4.30265), (4, 2.77645), (30, 2.04227)] {
      #expect(abs(Student.reach(0.95, degrees: degrees) - reach) < 1e-4)
    }
    let mean = Estimate.mean(of: [1, 2, 3])
    #expect(isClose(mean?.interval.high, 2 + 4.302652729749464 / 3.0.squareRoot(), 1e-9))
    #expect(Estimate.mean(of: [1]) == nil)
  }
}
