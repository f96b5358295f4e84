import Foundation
import Testing

@testable import Fairness

@Suite struct ComparisonTests {
  /// 1000 men and 1000 women, half of each positive; men lose 30 true positives, women gain 5.
  static let tally: PairedTally = {
    var tally = PairedTally(names: ["female", "male"])
    tally.cells = [
      [400, 0, 0, 100], [50, 5, 0, 445],
      [450, 0, 0, 50], [150, 0, 30, 320],
    ]
    return tally
  }()

  @Test func `drift of equal opportunity by hand`() throws {
    let comparison = try Comparison(Self.tally)
    #expect(comparison.rows == 2000)
    let drift = try #require(comparison.drift[.equalOpportunity])
    #expect(isClose(drift.before, 0.7 - 0.89))
    #expect(isClose(drift.after, 0.64 - 0.9))
    #expect(isClose(drift.value, -0.06 - 0.01))
    #expect(isClose(drift.growth, 0.07))
    #expect(drift.verdict == .worse)
    #expect(drift.p == 1.0 / 2000)
    #expect(drift.adjustedP == 4.0 / 2000)
    let flips = try #require(comparison.flips.first { $0.group == "male" && $0.label == 1 })
    #expect(flips.count == 500 && flips.gained == 0 && flips.lost == 30)
  }

  @Test func `no flip at all is preserved or undecided, never certain`() throws {
    var tally = Self.tally
    for i in tally.cells.indices { (tally.cells[i][1], tally.cells[i][2]) = (0, 0) }
    let large = try Comparison(tally)
    for (kind, drift) in large.drift where drift.value != nil {
      let interval = try #require(drift.interval, "\(kind)")
      #expect(drift.value == 0)
      #expect(interval.low < 0 && interval.high > 0, "\(kind)")
    }
    #expect(large.drift[.equalOpportunity]?.verdict == .preserved)
    tally.cells = tally.cells.map { ($0 / 10).rounded(.down) }
    let small = try Comparison(tally)
    #expect(small.drift[.equalOpportunity]?.verdict == .undecided)
    #expect((small.drift[.equalOpportunity]?.rowsNeeded ?? 0) > 200)
    #expect(
      small.warnings.contains(
        "no decision flipped: the two models decide alike on these rows"))
  }

  @Test func `a gap that shrank because nobody gained is called levelling down`() throws {
    var tally = Self.tally
    tally.cells[1] = [50, 0, 60, 390]
    let comparison = try Comparison(tally)
    #expect(comparison.drift[.equalOpportunity]?.levellingDown == true)
    #expect(comparison.drift[.equalOpportunity]?.verdict == .better)
    #expect(
      comparison.warnings.contains { $0.hasPrefix("levelling down: the gap of equal opportunity") })
  }

  @Test func `equal runs give equal JSON, and it reads back`() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let first = try encoder.encode(Comparison(Self.tally))
    #expect(try encoder.encode(Comparison(Self.tally)) == first)
    #expect(try JSONDecoder().decode(Comparison.self, from: first) == Comparison(Self.tally))
    let text = String(decoding: first, as: UTF8.self)
    #expect(text.contains(#""drift":{"accuracy":{"adjustedP":"#))
    #expect(text.contains(#""verdict":"worse""#))
  }

  @Test func `counting two models equals counting row by row`() throws {
    var random = Random(seed: 5)
    let n = 270_001
    let codes = (0..<n).map { _ in Int32(random.below(3)) }
    let groups = Attribute("g", groups: ["a", "b", "c"], codes: codes)
    let labels = (0..<n).map { _ in random.below(2) == 0 }
    let first = (0..<n).map { _ in random.uniform() }
    let second = (0..<n).map { _ in random.uniform() }
    let tally = try PairedTally(
      before: Outcomes(scores: first, labels: labels, groups: groups),
      after: Outcomes(scores: second, labels: labels, groups: groups), threshold: 0.3,
      thresholdAfter: 0.6)
    var plain = PairedTally(names: groups.groups)
    for i in 0..<n {
      let cell = (first[i] >= 0.3 ? 2 : 0) + (second[i] >= 0.6 ? 1 : 0)
      plain.cells[2 * Int(codes[i]) + (labels[i] ? 1 : 0)][cell] += 1
    }
    #expect(tally == plain)
    #expect(
      tally.tally(after: true)
        == Tally(
          Outcomes(scores: second, labels: labels, groups: groups), threshold: 0.6))
    #expect(
      tally.tally(after: false)
        == Tally(Outcomes(scores: first, labels: labels, groups: groups), threshold: 0.3))
  }

  @Test func `fast gaps of resamples equal the gaps of an audit`() throws {
    var random = Random(seed: 9)
    for round in 0..<60 {
      let groups = 2 + round % 4
      let tally = Tally(
        (0..<groups).map { group in
          (
            "g\(group)",
            Counts(
              truePositives: random.below(30), falsePositives: random.below(30),
              falseNegatives: random.below(30), trueNegatives: random.below(3))
          )
        })
      for reference in [nil, 0, 1] {
        var options = AuditOptions()
        options.reference = reference.map { "g\($0)" }
        let audit = try Audit(tally, options: options)
        let table = GapTable(groups: groups, reference: reference)
        for kind in GapKind.ofDecisions {
          let value = table.value(kind, tally.counts.map(\.cells))
          let gap = audit.gaps[kind]
          let expected = table.isSigned(kind) ? gap?.value : gap?.absolute
          #expect(isClose(value.isNaN ? nil : value, expected), "\(kind) \(round)")
        }
      }
    }
  }

  @Test func `rows that differ are refused`() {
    let groups = Attribute("g", of: ["a", "b"])
    let first = Outcomes(decisions: [true, false], labels: [true, true], groups: groups)
    let second = Outcomes(decisions: [true, false], labels: [true, false], groups: groups)
    #expect(throws: FairnessError.mismatch("the labels before and after differ")) {
      try Comparison(before: first, after: second)
    }
  }

  @Test func `one cluster a row changes nothing, and copies of rows do`() throws {
    var random = Random(seed: 3)
    let n = 4000
    let labels = (0..<n).map { _ in random.below(2) == 0 }
    let groups = Attribute("g", of: (0..<n).map { $0 % 2 == 0 ? "a" : "b" })
    let first = (0..<n).map { _ in random.uniform() }
    let second = first.map { random.below(50) == 0 ? 1 - $0 : $0 }
    func drift(_ copies: Int, _ clusters: Bool) throws -> Interval {
      let rows = (0..<n * copies).map { $0 / copies }
      let columns = Attribute("g", groups: groups.groups, codes: rows.map { groups.codes[$0] })
      let ids = clusters ? rows.map { Int32($0) } : nil
      var options = ComparisonOptions()
      options.draws = 200
      let comparison = try Comparison(
        before: Outcomes(
          scores: rows.map { first[$0] }, labels: rows.map { labels[$0] }, groups: columns,
          clusters: ids),
        after: Outcomes(
          scores: rows.map { second[$0] }, labels: rows.map { labels[$0] }, groups: columns),
        options: options)
      return try #require(comparison.drift[.equalOpportunity]?.interval)
    }
    let plain = try drift(1, false)
    let single = try drift(1, true)
    #expect(isClose(plain.low, single.low, 1e-3) && isClose(plain.high, single.high, 1e-3))
    let copied = try drift(4, true)
    #expect(isClose(plain.low, copied.low, 1e-3) && isClose(plain.high, copied.high, 1e-3))
    let fooled = try drift(4, false)
    #expect(fooled.high - fooled.low < 0.6 * (plain.high - plain.low))
  }
}
