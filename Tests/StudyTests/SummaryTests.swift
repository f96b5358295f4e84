import Fairness
import Foundation
@testable import Study
import Testing

@Suite struct SummaryTests {
  /// Three seeds of two models: the second loses true positives of group a.
  private func result(lost: [Int], balanced: Bool = false, refused: Int = 0) throws -> StudyResult {
    let n = 400
    let labels = (0..<n).map { $0 % 2 == 0 }
    let groups = Attribute("group", of: (0..<n).map { $0 < n / 2 ? "a" : "b" })
    var (rows, pairs): ([StudyResult.Row], [StudyResult.Pair]) = ([], [])
    for (seed, lost) in lost.enumerated() {
      var before = labels.map { $0 ? 0.9 : 0.1 }
      // One more mistake a seed, alike before and after.
      before[1 + 2 * seed] = 0.8
      var after = before
      for i in 0..<lost { after[2 * i] = 0.2 }
      // Mistakes of the other group that are taken back keep the accuracy.
      for i in 0..<(balanced ? lost : 0) { after[n / 2 + 1 + 2 * i] = 0.1 }
      for i in 0..<(balanced ? lost : 0) { before[n / 2 + 1 + 2 * i] = 0.9 }
      // Positives of the other group that are refused, all but ten of them before already.
      for i in 0..<refused { after[n / 2 + 2 * i] = 0.2 }
      for i in 0..<max(0, refused - 10) { before[n / 2 + 2 * i] = 0.2 }
      let outcomes = [before, after].map {
        Outcomes(scores: $0, labels: labels, groups: groups)
      }
      for (model, found, bytes) in [("one", outcomes[0], 400), ("two", outcomes[1], 100)] {
        let audit = try Audit(found)
        rows.append(
          StudyResult.Row(
            model: model, title: "The \(model)", seed: UInt64(seed), file: "", sha256: "",
            bytes: bytes, predictions: "", rows: n,
            accuracy: try #require(audit.overall[.accuracy]), groups: audit.groups,
            gaps: audit.gaps))
      }
      pairs.append(
        StudyResult.Pair(
          model: "two", title: "The two", base: "one", seed: UInt64(seed),
          comparison: try Comparison(before: outcomes[0], after: outcomes[1])))
    }
    return StudyResult(
      rows: rows, comparisons: pairs,
      provenance: Provenance(
        versions: [:], processor: "", threads: 1, seeds: lost.indices.map { UInt64($0) },
        data: [:], settings: [:], files: [:]))
  }

  @Test func `one seed has the rows' interval`() throws {
    let result = try result(lost: [10])
    let cell = try #require(result.summary?[1].cells["equalOpportunity"])
    #expect(cell.method == .rows && cell.seeds == 1)
    #expect(cell.mean == result.rows[1].gaps[.equalOpportunity]?.absolute)
    #expect(cell.low == result.rows[1].gaps[.equalOpportunity]?.absoluteInterval?.low)
  }

  @Test func `several seeds have Student's interval, within seeds too`() throws {
    let result = try result(lost: [9, 10, 11])
    let cell = try #require(result.summary?[1].cells["equalOpportunity"])
    #expect(cell.method == .seeds && cell.seeds == 3)
    // The gaps are 0.09, 0.10, 0.11: standard error 0.01 / √3.
    let half = 4.302652729749464 * 0.01 / 3.0.squareRoot()
    #expect(abs((cell.mean ?? 0) - 0.1) < 1e-12)
    #expect(abs((cell.high ?? 0) - 0.1 - half) < 1e-9)
    let effect = try #require(
      result.effects?.first { $0.measure == "equalOpportunity" && $0.model == "two" })
    #expect(effect.isReal)
    #expect(zip(effect.values, [0.09, 0.10, 0.11]).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test func `no difference over the seeds is said to be none that can be told`() throws {
    let sentences = try #require(try result(lost: [0, 0, 1]).findings)
    #expect(sentences.contains { $0.contains("no difference of EO can be told from none") })
  }

  @Test func `a gap that moved while the accuracy stayed is called by its name`() throws {
    // Two mistakes of 400 rows are half a point of accuracy, and two points of TPR: not enough.
    let few = try #require(try result(lost: [2]).findings)
    #expect(!few.contains { $0.contains("accuracy alone") })
    // 6 points of the TPR of one group are 1.5 points of accuracy: the accuracy moved as well.
    let more = try #require(try result(lost: [6]).findings)
    #expect(!more.contains { $0.contains("accuracy alone") })
    let hidden = try #require(try result(lost: [30], balanced: true).findings)
    #expect(hidden.contains { $0.contains("accuracy alone") }, "\(hidden)")
  }

  @Test func `a gap that shrinks because everybody is refused is called that`() throws {
    let refused = try #require(try result(lost: [70], refused: 70).findings)
    #expect(refused.contains { $0.contains("really shrank, by levelling down") }, "\(refused)")
    let repaired = try #require(try result(lost: [30]).findings)
    #expect(!repaired.contains { $0.contains("levelling down") }, "\(repaired)")
  }

  @Test func `figures are bounded and add up`() throws {
    let n = 3000
    let labels = (0..<n).map { $0 % 3 == 0 }
    let scores = (0..<n).map { (Double($0 * 7919 % n) + 0.5) / Double(n) }
    let outcomes = Outcomes(
      scores: scores, labels: labels, groups: Attribute("g", of: (0..<n).map { "\($0 % 2)" }))
    let row = try result(lost: [0]).rows[0]
    for group in AuditCounts(outcomes).groups {
      let curve = StudyResult.Figures.Curve(row, group, threshold: 0.5, hasPoints: true)
      #expect(curve.points.count <= StudyResult.Figures.Curve.most)
      #expect(curve.points.count > 30)
      #expect(curve.points.last?.truePositiveRate == 1 && curve.points.last?.falsePositiveRate == 1)
      #expect(curve.operating?.truePositiveRate == group.counts.rate(.truePositiveRate).value)
      let histogram = StudyResult.Figures.Histogram(row, group, threshold: 0.5)
      #expect(histogram.bins == 100 && histogram.negatives.count == 100)
      #expect(histogram.positives.reduce(0, +) == group.counts.positives)
      // A threshold slider at 0.5 shows what was decided.
      #expect(histogram.positives[50...].reduce(0, +) == group.counts.truePositives)
    }
  }
}
