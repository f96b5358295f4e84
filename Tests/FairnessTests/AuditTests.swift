import Foundation
import Testing

@testable import Fairness

@Suite struct AuditTests {
  /// Two groups by hand: male TP 3 FN 2 FP 1 TN 4, female TP 4 FN 0 FP 2 TN 2.
  static let tally = Tally([
    (
      "female",
      Counts(truePositives: 4, falsePositives: 2, falseNegatives: 0, trueNegatives: 2)
    ),
    (
      "male",
      Counts(truePositives: 3, falsePositives: 1, falseNegatives: 2, trueNegatives: 4)
    ),
  ])

  @Test func `rates and gaps of a table done by hand`() throws {
    let audit = try Audit(Self.tally)
    #expect(audit.rows == 18)
    #expect(audit.overall[.accuracy]?.value == 13.0 / 18)
    #expect(audit.groups[1].rates[.truePositiveRate]?.value == 0.6)
    #expect(audit.groups[0].rates[.precision]?.numerator == 4)
    let gap = try #require(audit.gaps[.equalOpportunity])
    #expect(gap.from == "female" && gap.to == "male")
    #expect(gap.value == 0.6 - 1)
    #expect(gap.absolute == 0.4)
    let odds = try #require(audit.gaps[.equalizedOdds])
    #expect(odds.value == 0.6 - 1)
    #expect(audit.gaps[.averageOdds]?.value == ((0.2 - 0.5) + (0.6 - 1)) / 2)
  }

  @Test func `counting rows gives the table`() {
    let rows = Outcomes(
      scores: [0.5, 0.4, 0.9, 0.1, 0.7], labels: [true, true, false, false, true],
      groups: Attribute("g", of: ["b", "a", "b", "a", "a"]))
    let tally = Tally(rows)
    #expect(tally.names == ["a", "b"])
    #expect(
      tally.counts[0]
        == Counts(truePositives: 1, falsePositives: 0, falseNegatives: 1, trueNegatives: 1))
    #expect(
      tally.counts[1]
        == Counts(truePositives: 1, falsePositives: 1, falseNegatives: 0, trueNegatives: 0))
  }

  @Test func `an undefined rate says why and an empty group stays`() throws {
    var tally = Self.tally
    tally.merge(Tally(names: ["other"]))
    let audit = try Audit(tally)
    let other = try #require(audit.groups.last)
    #expect(other.name == "other" && other.count == 0)
    #expect(other.rates[.truePositiveRate]?.value == nil)
    #expect(other.rates[.truePositiveRate]?.reason == "no row is labelled positive")
    #expect(audit.gaps[.equalOpportunity]?.leftOut == ["other"])
    #expect(audit.gaps[.equalOpportunity]?.absolute == 0.4)
    #expect(audit.warnings.contains("group other has no rows: all its rates are undefined"))
  }

  @Test func `two groups keep their order and one group has no gap`() throws {
    let audit = try Audit(Tally(names: ["only"]))
    #expect(audit.gaps[.accuracy]?.value == nil)
    #expect(audit.gaps[.accuracy]?.reason == "needs two groups with a value; only has none")
    var options = AuditOptions()
    options.reference = "male"
    let turned = try Audit(Self.tally, options: options)
    #expect(turned.gaps[.equalOpportunity]?.value == 1 - 0.6)
    options.reference = "martian"
    #expect(throws: FairnessError.unknownGroup("martian", known: ["female", "male"])) {
      try Audit(Self.tally, options: options)
    }
  }

  @Test func `JSON has the names that others read`() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var tally = Self.tally
    tally.merge(Tally(names: ["other"]))
    let data = try encoder.encode(Audit(tally))
    let text = String(decoding: data, as: UTF8.self)
    #expect(text.contains(#""gaps":{"accuracy":{"absolute":"#))
    #expect(text.contains(#""numerator":0,"reason":"no row is labelled positive","value":null"#))
    #expect(
      text.contains(#""groups":[{"count":8,"counts":{"falseNegatives":0,"falsePositives":2,"#))
    #expect(text.contains(#""name":"female","rates":{"accuracy":{"denominator":8,"high":"#))
    #expect(text.contains(#""from":"female""#))
    #expect(text.contains(#""overall":{"accuracy":{"denominator":18,"high":"#))
    #expect(try JSONDecoder().decode(Audit.self, from: data) == Audit(tally))
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `counting in blocks equals counting row by row`(seed: UInt64) {
    var random = Random(seed: seed)
    let n = 300_000 + random.below(7)
    let codes = (0..<n).map { _ in Int32(random.below(5)) }
    let scores = (0..<n).map { _ in random.uniform() }
    let labels = (0..<n).map { _ in random.below(3) == 0 }
    let weights = (0..<n).map { _ in Double(1 + random.below(3)) }
    let groups = Attribute("g", groups: ["a", "b", "c", "d", "e", "f"], codes: codes)
    var plain = Tally(names: groups.groups)
    var heavy = plain
    for i in 0..<n {
      let decision = scores[i] >= 0.3
      plain.counts[Int(codes[i])].add(label: labels[i], decision: decision)
      heavy.counts[Int(codes[i])].add(
        label: labels[i], decision: decision, weight: weights[i])
      plain.rows[Int(codes[i])] += 1
      heavy.rows[Int(codes[i])] += 1
    }
    #expect(
      Tally(Outcomes(scores: scores, labels: labels, groups: groups), threshold: 0.3) == plain)
    #expect(
      Tally(
        Outcomes(scores: scores, labels: labels, groups: groups, weights: weights),
        threshold: 0.3) == heavy)
  }

  @Test func `intersections keep combinations that no row has`() {
    let both = Attribute(crossing: [
      Attribute("sex", of: ["f", "m", "f"]), Attribute("age", of: ["old", "young", "young"]),
    ])
    #expect(both.name == "sex & age")
    #expect(both.groups == ["f & old", "f & young", "m & old", "m & young"])
    #expect(both.codes == [0, 3, 1])
  }
}
