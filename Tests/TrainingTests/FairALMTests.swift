import Foundation
import Tensors
import TestSupport
import Testing

@testable import Training

/// One case of `Golden/fairalm.json`, written by `Scripts/golden/fairalm.py` with PyTorch.
struct FairALMCase: Decodable, Sendable, CustomTestStringConvertible {
  var form: FairALMSettings.Form
  var constraint: FairnessConstraint
  var surrogate: FairALMSettings.Surrogate
  var eta: Double
  var penalty: Double
  var labelSmoothing: Double
  var groups: [String]
  var counts: [[Int]]
  var multipliers: [Double]
  var logits: [Float]
  var labels: [Int32]
  var rowGroups: [Int32]
  var value: Double
  var gradients: [Double]
  var multipliersAfter: [Double]?

  var testDescription: String {
    "\(form) \(constraint) \(surrogate), \(groups.count) groups"
  }

  var batch: LabelledLogits {
    LabelledLogits(logits: logits, classes: 2, labels: labels, groups: rowGroups)
  }

  func objective() throws -> any Objective {
    var settings = FairALMSettings(form)
    settings.constraint = constraint
    settings.surrogate = surrogate
    settings.eta = eta
    settings.penalty = penalty
    settings.minimumCell = 1
    var objective: any Objective =
      form == .equant
      ? try FairALM(settings, groups: groups, counts: counts, labelSmoothing: labelSmoothing)
      : try PublishedFairALM(
        settings, groups: groups, counts: counts, labelSmoothing: labelSmoothing)
    objective.state["multipliers"] = multipliers
    return objective
  }
}

@Suite struct FairALMTests {
  @Test(arguments: try golden([FairALMCase].self, "fairalm", in: .module))
  func `value, gradient and dual step are PyTorch's`(expected: FairALMCase) throws {
    var objective = try expected.objective()
    let (value, gradients) = objective.evaluate(expected.batch)
    #expect(abs(value - expected.value) <= 1e-10 * max(1, abs(expected.value)))
    #expect(gradients.count == expected.gradients.count)
    for (found, wanted) in zip(gradients, expected.gradients) {
      #expect(abs(Double(found) - wanted) <= 1e-6 * max(abs(wanted), 1e-2))
    }
    guard let after = expected.multipliersAfter else { return }
    objective.finishBatch(expected.batch)
    for (found, wanted) in zip(objective.logged["multipliers"] ?? [], after) {
      #expect(abs(found - wanted) <= 1e-10 * max(1, abs(wanted)))
    }
  }

  private static func randomBatch(_ random: inout SplitMix64, rows: Int, groups: Int)
    -> LabelledLogits
  {
    LabelledLogits(
      logits: (0..<rows * 2).map { _ in Float(random.normal() * 2) }, classes: 2,
      labels: (0..<rows).map { _ in Int32(random.below(2)) },
      groups: (0..<rows).map { _ in Int32(random.below(groups)) })
  }

  private static let counts = [[50, 80], [70, 20], [10, 30]]
  private static let names = ["a", "b", "c"]

  /// Property: the gradient of the whole objective is what finite differences say, for every form,
  /// constraint, surrogate and number of groups, whatever the multipliers.
  @Test(arguments: FairALMSettings.Form.allCases, FairnessConstraint.allCases)
  func `gradients agree with finite differences`(
    form: FairALMSettings.Form, constraint: FairnessConstraint
  ) throws {
    for seed in 0..<6 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let groups = form == .equant ? 2 + Int(seed % 2) : 2
      var settings = FairALMSettings(form)
      settings.constraint = constraint
      if form == .equant && constraint != .demographicParity && seed % 3 == 0 {
        settings.surrogate = .crossEntropy
      }
      settings.minimumCell = 1 + Int(seed % 3)
      settings.penalty = 2.5
      settings.eta = 0.7
      settings.heldOut = form == .equant ? 0.1 : 0
      guard (try? settings.validate()) != nil else { continue }
      let (names, counts) = (Array(Self.names.prefix(groups)), Array(Self.counts.prefix(groups)))
      let smoothing = 0.1 * Double(seed % 2)
      var objective: any Objective =
        form == .equant
        ? try FairALM(settings, groups: names, counts: counts, labelSmoothing: smoothing)
        : try PublishedFairALM(settings, groups: names, counts: counts, labelSmoothing: smoothing)
      objective.state["multipliers"] = objective.state["multipliers"]?.map { _ in random.normal() }
      let batch = Self.randomBatch(&random, rows: 24, groups: groups)
      let (_, gradients) = objective.evaluate(batch)
      for i in batch.logits.indices {
        var (up, down) = (batch, batch)
        up.logits[i] += 0x1p-9
        down.logits[i] -= 0x1p-9
        let width = Double(up.logits[i]) - Double(down.logits[i])
        let slope = (objective.evaluate(up).value - objective.evaluate(down).value) / width
        #expect(abs(slope - Double(gradients[i])) < 2e-5, "seed \(seed), logit \(i)")
      }
    }
  }

  /// A batch with given losses in the positives: logit of class 1 against 0, one row a group.
  private func batch(_ losses: [Double]) -> LabelledLogits {
    // softplus(-z) = loss  =>  z = -log(exp(loss) - 1)
    let logits = losses.flatMap { loss in [Float(0), Float(-log(exp(loss) - 1))] }
    return LabelledLogits(logits: logits, classes: 2, labels: [1, 1], groups: [0, 1])
  }

  /// With a gap that stays 1 and `eta` 1 the pair of multipliers settles into steps of 2/3 and
  /// drifts to a sum of -1/3.
  @Test func `the released dual step is two thirds of eta times the gap`() throws {
    var settings = FairALMSettings(.released)
    settings.eta = 1
    var objective = try PublishedFairALM(
      settings, groups: ["a", "b"], counts: [[1, 1], [1, 1]])
    var effective: [Double] = [0]
    for _ in 0..<40 {
      objective.finishBatch(batch([1.5, 0.5]))
      let pair = try #require(objective.logged["multipliers"])
      effective.append((pair[0] - pair[1]) / 2)
    }
    // First step by hand: l0 = 1/2, l1 = -1/4 - 1/2 = -3/4, so (l0 - l1) / 2 = 5/8.
    #expect(abs(effective[1] - 0.625) < 1e-6)
    let step = effective[40] - effective[39]
    #expect(abs(step - 2.0 / 3) < 1e-6)
    let pair = try #require(objective.logged["multipliers"])
    #expect(abs(pair[0] + pair[1] + 1.0 / 3) < 1e-6)
  }

  @Test func `the paper's dual step is eta times the gap, without a bound`() throws {
    var settings = FairALMSettings(.paper)
    settings.eta = 0.25
    var objective = try PublishedFairALM(
      settings, groups: ["a", "b"], counts: [[1, 1], [1, 1]])
    for _ in 0..<100 { objective.finishBatch(batch([1.5, 0.5])) }
    #expect(abs((objective.logged["multipliers"]?[0] ?? 0) - 25) < 1e-5)
    #expect(objective.judgesAfterStep)
  }

  @Test func `eta grows by one percent an epoch in the released form alone`() throws {
    for (form, wanted) in [(FairALMSettings.Form.released, 60 * 1.01 * 1.01), (.paper, 60)] {
      var settings = FairALMSettings(form)
      settings.eta = 60
      var objective = try PublishedFairALM(
        settings, groups: ["a", "b"], counts: [[1, 1], [1, 1]])
      for _ in 0..<2 { objective.beginEpoch() }
      #expect(abs((objective.logged["eta"]?[0] ?? 0) - wanted) < 1e-9)
    }
  }

  @Test func `a batch without one of the groups trains as if there were no constraint`() throws {
    let batch = LabelledLogits(
      logits: [0.2, 0.4, -1, 1, 0.5, -0.5], classes: 2, labels: [1, 1, 0], groups: [0, 0, 1])
    for form in FairALMSettings.Form.allCases {
      var settings = FairALMSettings(form)
      settings.constraint = .equalOpportunity
      settings.minimumCell = 1
      let names = ["a", "b"]
      let counts = [[5, 5], [5, 5]]
      var objective: any Objective =
        form == .equant
        ? try FairALM(settings, groups: names, counts: counts)
        : try PublishedFairALM(settings, groups: names, counts: counts)
      objective.state["multipliers"] = objective.state["multipliers"]?.map { _ in 0.5 }
      var plain = EmpiricalRisk()
      let (found, wanted) = (objective.evaluate(batch), plain.evaluate(batch))
      #expect(found.value == wanted.value)
      #expect(found.gradients == wanted.gradients)
      objective.finishBatch(batch)
      #expect(objective.logged["multipliers"]?.allSatisfy { $0 == 0.5 } ?? false)
      let record = try #require(objective.takeRecords(validation: nil).first)
      #expect(record.skippedBatches == 1)
      #expect(record.surrogate == nil)
      #expect(record.train == nil)
      #expect(record.validation == nil)
    }
  }

  /// Rows of group 0 are all found, one in four of group 1's positives is.
  private var unfair: LabelledLogits {
    let decisions: [[Float]] = [[-1], [1], [-1], [1, -1, -1, -1]].map { $0 }
    var (logits, labels, groups): ([Float], [Int32], [Int32]) = ([], [], [])
    for (cell, margins) in decisions.enumerated() {
      for margin in margins + margins {
        logits += [0, margin]
        labels.append(Int32(cell % 2))
        groups.append(Int32(cell / 2))
      }
    }
    return LabelledLogits(logits: logits, classes: 2, labels: labels, groups: groups)
  }

  @Test func `the dual step follows the hard gap beyond the tolerance and stays within bounds`()
    throws
  {
    var settings = FairALMSettings()
    settings.minimumCell = 2
    settings.eta = 0.1
    settings.tolerance = 0.05
    settings.largestMultiplier = 0.5
    var objective = try FairALM(settings, groups: ["a", "b"], counts: [[9, 9], [9, 9]])
    objective.observe(heldOut: unfair)
    // TPR b - a is 1/4 - 1 = -3/4, FPR b - a is 0.
    let first = try #require(objective.logged["multipliers"])
    #expect(abs(first[0] + 0.1 * 0.7) < 1e-12)
    #expect(first[1] == 0)
    for _ in 0..<20 { objective.observe(heldOut: unfair) }
    #expect(objective.logged["multipliers"] == [-0.5, 0])
    let records = objective.takeRecords(validation: unfair)
    #expect(records.map(\.name) == ["TPR b - a", "FPR b - a"])
    #expect(records[0].heldOut == -0.75)
    #expect(records[0].validation == -0.75)
    #expect(records[0].train == nil)
    #expect(records[1].validation == 0)
    #expect(objective.takeRecords(validation: nil)[0].heldOut == nil)
  }

  @Test func `the multiplier pushes against the gap`() throws {
    var settings = FairALMSettings()
    settings.minimumCell = 1
    settings.penalty = 0
    var objective = try FairALM(settings, groups: ["a", "b"], counts: [[9, 9], [9, 9]])
    for _ in 0..<10 { objective.observe(heldOut: unfair) }
    var plain = EmpiricalRisk()
    let (fair, usual) = (objective.evaluate(unfair), plain.evaluate(unfair))
    for row in 0..<unfair.count where unfair.labels[row] == 1 {
      let change = fair.gradients[2 * row + 1] - usual.gradients[2 * row + 1]
      // Descent raises the logit of the group that is found less often, and lowers the other's.
      #expect(unfair.groups[row] == 1 ? change < 0 : change > 0)
    }
  }

  /// Property: what an audit calls the gap is what the constraint's gap is.
  @Test(arguments: 0..<20 as Range<UInt64>)
  func `gaps are those of the rows they are counted on`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let batch = Self.randomBatch(&random, rows: 120, groups: 3)
    var counts = [[Int]](repeating: [0, 0], count: 3)
    for row in 0..<batch.count { counts[Int(batch.groups[row])][Int(batch.labels[row])] += 1 }
    var tally = CellTally(groups: 3)
    tally.add(batch)
    func rate(_ group: Int?, _ isIn: (Int) -> Bool, _ hit: (Int) -> Bool) -> Double {
      let rows = (0..<batch.count).filter {
        isIn($0) && (group == nil || batch.groups[$0] == Int32(group ?? 0))
      }
      return Double(rows.count(where: hit)) / Double(rows.count)
    }
    func positive(_ row: Int) -> Bool { batch.logits[2 * row + 1] >= batch.logits[2 * row] }
    let rates: [(FairnessConstraint, (Int?) -> Double)] = [
      (.equalOpportunity, { rate($0, { batch.labels[$0] == 1 }, positive) }),
      (.fprDifference, { rate($0, { batch.labels[$0] == 0 }, positive) }),
      (.errorRate, { rate($0, { _ in true }, { positive($0) != (batch.labels[$0] == 1) }) }),
      (.demographicParity, { rate($0, { _ in true }, positive) }),
    ]
    for (kind, rate) in rates {
      let constraints = try RateConstraint.all(kind, groups: Self.names, counts: counts)
      #expect(constraints.count == 3)
      for (group, constraint) in constraints.enumerated() {
        let gap = try #require(constraint.gap(tally.rates()))
        #expect(abs(gap - (rate(group) - rate(nil))) < 1e-12)
      }
    }
  }

  @Test func `groups without the rows are left out, and one group alone is refused`() throws {
    let counts = [[5, 5], [5, 0], [5, 5]]
    let constraints = try RateConstraint.all(
      .equalizedOdds, groups: Self.names, counts: counts)
    #expect(
      constraints.map(\.name) == ["TPR c - a", "FPR a - all", "FPR b - all", "FPR c - all"])
    #expect(throws: TrainingError.self) {
      try RateConstraint.all(
        .equalOpportunity, groups: ["a", "b"], counts: [[5, 5], [5, 0]])
    }
  }

  @Test func `state taken up goes on as if nothing had happened`() throws {
    for heldOut in [0, 0.1] {
      var random = SplitMix64(seed: 5)
      var settings = FairALMSettings()
      settings.heldOut = heldOut
      settings.interval = 2
      var first = try FairALM(settings, groups: ["a", "b"], counts: [[9, 9], [9, 9]])
      for _ in 0..<3 {
        _ = first.evaluate(Self.randomBatch(&random, rows: 32, groups: 2))
        first.observe(heldOut: Self.randomBatch(&random, rows: 32, groups: 2))
      }
      var second = try FairALM(settings, groups: ["a", "b"], counts: [[9, 9], [9, 9]])
      second.state = first.state
      let batch = Self.randomBatch(&random, rows: 32, groups: 2)
      let (a, b) = (first.evaluate(batch), second.evaluate(batch))
      #expect(a.value == b.value)
      #expect(a.gradients == b.gradients)
      #expect(first.state == second.state)
      #expect(first.takeRecords(validation: batch) == second.takeRecords(validation: batch))
    }
  }

  @Test func `re-weighting makes group and label independent`() {
    let counts = [[30, 70], [80, 20]]
    let weights = EmpiricalRisk.independenceWeights(counts)
    // Kamiran and Calders: (100 * 110 / 200) / 30 for the first cell.
    #expect(abs(weights[0] - 55.0 / 30) < 1e-12)
    let weighted = [30 * weights[0], 70 * weights[1], 80 * weights[2], 20 * weights[3]]
    #expect(abs(weighted[0] / weighted[1] - weighted[2] / weighted[3]) < 1e-12)
    #expect(abs(weighted.reduce(0, +) - 200) < 1e-9)
    #expect(EmpiricalRisk.independenceWeights([[0, 5], [5, 5]])[0] == 1)
  }
}
