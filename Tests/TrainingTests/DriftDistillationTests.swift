import Foundation
import Tensors
import Testing

@testable import Training

@Suite struct DriftDistillationTests {
  private static let counts = [[50, 80], [70, 20], [10, 30]]
  private static let names = ["a", "b", "c"]

  private func batch(_ random: inout SplitMix64, rows: Int, groups: Int) -> LabelledLogits {
    LabelledLogits(
      logits: (0..<rows * 2).map { _ in Float(random.normal() * 2) }, classes: 2,
      labels: (0..<rows).map { _ in Int32(random.below(2)) },
      groups: (0..<rows).map { _ in Int32(random.below(groups)) })
  }

  private func distillation(
    _ groups: Int, closes: Bool = true, _ change: (inout FairALMSettings) -> Void = { _ in }
  ) throws -> DriftDistillation {
    var settings = FairALMSettings()
    settings.minimumCell = 1
    settings.penalty = 3
    change(&settings)
    var limits: [DriftDistillation.Limit] = [
      .init(.equalizedOdds, tolerance: 0.01), .init(.demographicParity, tolerance: 0.02),
      .init(.errorRate, tolerance: 0),
    ]
    if closes { limits.append(.init(.equalOpportunity, tolerance: 0.1, from: .equality)) }
    return try DriftDistillation(
      limits,
      settings: settings, groups: Array(Self.names.prefix(groups)),
      counts: Array(Self.counts.prefix(groups)))
  }

  /// Property: the gradient is what finite differences say, with multipliers that have moved.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func `gradients agree with finite differences`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let groups = 2 + Int(seed % 2)
    var distillation = try distillation(groups) { $0.eta = 2 }
    let teacher = batch(&random, rows: 30, groups: groups).logits
    let rows = batch(&random, rows: 30, groups: groups)
    // One group's decisions have all become positive.
    var moved = rows
    for row in 0..<30 where moved.groups[row] == 0 { moved.logits[2 * row + 1] += 9 }
    distillation.observe(heldOut: moved, teacher: teacher)
    #expect(distillation.summary.contains { $0.multiplier != 0 })
    let (_, gradients) = distillation.evaluate(rows, teacher: teacher)
    for i in rows.logits.indices {
      var (up, down) = (rows, rows)
      up.logits[i] += 0x1p-9
      down.logits[i] -= 0x1p-9
      let width = Double(up.logits[i]) - Double(down.logits[i])
      let values = [up, down].map { distillation.evaluate($0, teacher: teacher).value }
      #expect(abs((values[0] - values[1]) / width - Double(gradients[i])) < 2e-5)
    }
  }

  @Test func `a student that answers as the teacher does has nothing to learn`() throws {
    var random = SplitMix64(seed: 1)
    let rows = batch(&random, rows: 40, groups: 2)
    var distillation = try distillation(2, closes: false)
    distillation.observe(heldOut: rows, teacher: rows.logits)
    let (value, gradients) = distillation.evaluate(rows, teacher: rows.logits)
    #expect(value == 0)
    #expect(gradients.allSatisfy { $0 == 0 })
    #expect(distillation.summary.allSatisfy { $0.multiplier == 0 && $0.drift == 0 })
  }

  @Test func `the multiplier follows the drift beyond the tolerance`() throws {
    // The teacher finds every positive; the student loses one in two of group b's.
    func repeated<Element>(_ values: [Element]) -> [Element] {
      (0..<50).flatMap { _ in values }
    }
    let labels = repeated([1, 1, 0, 1, 1, 0] as [Int32])
    let groups = repeated([0, 0, 0, 1, 1, 1] as [Int32])
    let teacher = repeated([0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0] as [Float])
    let logits = repeated([0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0] as [Float])
    var settings = FairALMSettings()
    settings.minimumCell = 1
    settings.eta = 1
    var distillation = try DriftDistillation(
      [.init(.equalOpportunity, tolerance: 0.1)], settings: settings, groups: ["a", "b"],
      counts: [[1, 2], [1, 2]])
    distillation.observe(
      heldOut: LabelledLogits(logits: logits, classes: 2, labels: labels, groups: groups),
      teacher: teacher)
    let summary = distillation.summary[0]
    #expect(summary.name == "TPR b - a")
    #expect(summary.drift == -0.5)
    // 50 of 100 positives of group b flipped.
    let error = 1.645 * (0.5 / 100).squareRoot()
    #expect(abs(summary.multiplier + 0.5 - 0.1 - error) < 1e-12)
  }

  /// Decisions that flip in every cell alike are no drift, and hardly move a multiplier.
  @Test(arguments: 0..<4 as Range<UInt64>) func `chance is not followed`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var settings = FairALMSettings()
    settings.minimumCell = 1
    settings.eta = 1
    var distillation = try DriftDistillation(
      [.init(.equalizedOdds, tolerance: 0.005)], settings: settings, groups: ["a", "b"],
      counts: [[50, 50], [50, 50]])
    for _ in 0..<60 {
      let rows = batch(&random, rows: 64, groups: 2)
      var student = rows
      for row in 0..<64 where random.below(100) < 6 {
        student.logits.swapAt(2 * row, 2 * row + 1)
      }
      distillation.observe(heldOut: student, teacher: rows.logits)
    }
    #expect(
      distillation.summary.allSatisfy { abs($0.multiplier) < 0.25 }, "\(distillation.summary)")
    // The same flips in one cell alone are.
    for _ in 0..<60 {
      let rows = batch(&random, rows: 64, groups: 2)
      var student = rows
      for row in 0..<64 where rows.cell(row) == 3 && random.below(100) < 20 {
        (student.logits[2 * row], student.logits[2 * row + 1]) = (1, 0)
      }
      distillation.observe(heldOut: student, teacher: rows.logits)
    }
    #expect(distillation.summary[0].multiplier < -1)
  }

  /// A gap that is to be closed counts whole, whatever the teacher's is.
  @Test func `a gap of the teacher's is closed where equality is asked for`() throws {
    let labels: [Int32] = [1, 1, 1, 1]
    let logits: [Float] = [0, 1, 0, 1, 1, 0, 1, 0]
    var settings = FairALMSettings()
    settings.minimumCell = 1
    settings.eta = 1
    var distillation = try DriftDistillation(
      [
        .init(.equalOpportunity, tolerance: 0.1),
        .init(.equalOpportunity, tolerance: 0.1, from: .equality),
      ], settings: settings, groups: ["a", "b"], counts: [[1, 2], [1, 2]])
    let batch = LabelledLogits(logits: logits, classes: 2, labels: labels, groups: [0, 0, 1, 1])
    distillation.observe(heldOut: batch, teacher: logits)
    #expect(distillation.summary.map(\.drift) == [0, -1])
    #expect(distillation.summary.map(\.multiplier) == [0, -0.9])
    // The step against the gradient makes group b's positives more likely.
    let gradients = distillation.evaluate(batch, teacher: logits).gradients
    #expect(gradients[5] < 0 && gradients[7] < 0 && gradients[1] > 0)
  }
}
