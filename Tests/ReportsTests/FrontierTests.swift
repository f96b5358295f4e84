import Fairness
import Foundation
@testable import Reports
@testable import Study
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite struct FrontierTests {
  /// A first model, one a quarter as large under limits that loses positives of group a, and as many
  /// seeds as numbers of losses.
  private func result(lost: [Int], certified: [Bool?]) throws -> StudyResult {
    let labels = (0..<400).map { $0 % 2 == 0 }
    let groups = Attribute("group", of: (0..<400).map { $0 < 200 ? "a" : "b" })
    var (rows, pairs): ([StudyResult.Row], [StudyResult.Pair]) = ([], [])
    for (seed, lost) in lost.enumerated() {
      let before = labels.map { $0 ? 0.9 : 0.1 }
      var after = before
      for i in 0..<lost { after[2 * i] = 0.2 }
      let outcomes = [before, after].map {
        Outcomes(scores: $0, labels: labels, groups: groups)
      }
      for (model, found, bytes) in [("one", outcomes[0], 400), ("two", outcomes[1], 100)] {
        let audit = try Audit(found)
        rows.append(
          StudyResult.Row(
            model: model, title: model, seed: UInt64(seed), file: "", sha256: "", bytes: bytes,
            predictions: "", rows: 400, accuracy: try #require(audit.overall[.accuracy]),
            groups: audit.groups, gaps: audit.gaps,
            isCertified: model == "two" ? certified[seed] : nil))
      }
      pairs.append(
        StudyResult.Pair(
          model: "two", title: "two", base: "one", seed: UInt64(seed),
          comparison: try Comparison(before: outcomes[0], after: outcomes[1])))
    }
    return StudyResult(
      models: [
        .init(model: "one", title: "one", kind: .trained),
        .init(model: "two", title: "two", kind: .compressed, base: "one", series: "a < b"),
      ],
      rows: rows, comparisons: pairs,
      provenance: Provenance(
        versions: [:], processor: "", threads: 1, seeds: lost.indices.map { UInt64($0) },
        data: [:], settings: [:], files: [:]))
  }

  @Test func `a point has its size, its changes and what became of its limits`() throws {
    let point = try #require(FrontierPoint.all(of: result(lost: [20], certified: [true])).first)
    #expect(point.ratio == 4 && point.verdict == "certified" && !point.isFair)
    // 20 of 100 positives of group a.
    #expect(abs(try #require(point.changes["equalOpportunity"]?.mean) - 0.2) < 1e-12)
    #expect(abs(try #require(point.changes["accuracy"]?.mean) + 0.05) < 1e-12)
    #expect(abs(try #require(point.changes["worstGroupAccuracy"]?.mean) + 0.1) < 1e-12)
    let several = try #require(
      FrontierPoint.all(of: result(lost: [20, 10, 0], certified: [true, false, true])).first)
    #expect(several.verdict == "2 of 3 certified")
    #expect(abs(try #require(several.changes["equalOpportunity"]?.mean) - 0.1) < 1e-12)
    let plain = try #require(FrontierPoint.all(of: result(lost: [3], certified: [nil])).first)
    #expect(plain.verdict == "")
  }

  @Test func `the table says all of it, and is there only for frontiers`() throws {
    let tables = StudyTables(try result(lost: [20], certified: [false]))
    let frontier = try #require(tables.frontier)
    let row = frontier.rows[0]
    #expect(row[0] == "two" && row[1] == "4.00" && row.last == "refused")
    #expect(row[2].hasPrefix("-5.00 (") && row[4].hasPrefix("+20.00 ("))
    #expect(row[6] == "0.200")
    #expect(tables.all.last?.title == frontier.title)
    var plain = try result(lost: [20], certified: [nil])
    plain.models = nil
    #expect(StudyTables(plain).frontier == nil && FrontierFigure(plain) == nil)
  }

  @Test func `the figure is one document that shows every line`() throws {
    let figure = try #require(
      FrontierFigure(try result(lost: [20, 10], certified: [true, false])))
    let document = try XMLDocument(xmlString: figure.svg)
    let root = try #require(document.rootElement())
    #expect(root.name == "svg")
    #expect(figure.svg.contains("a &lt; b"))
    // One line and one mark in each of three panels; the mark is hollow, one seed being refused.
    #expect(figure.svg.components(separatedBy: "<polyline").count == 4)
    #expect(figure.svg.components(separatedBy: "fill=\"white\"/>").count == 5)
  }
}
