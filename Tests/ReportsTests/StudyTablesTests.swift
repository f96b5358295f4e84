import Fairness
import Reports
@testable import Study
import Testing

@Suite struct StudyTablesTests {
  /// Two models, two groups, ten rows each; the second model loses one true positive of group a.
  private func tables() throws -> StudyTables {
    let labels = (0..<20).map { $0 % 2 == 0 }
    let groups = Attribute("group", of: (0..<20).map { $0 < 10 ? "a" : "b" })
    let scores = labels.map { $0 ? 0.9 : 0.1 }
    var changed = scores
    changed[0] = 0.2
    let before = Outcomes(scores: scores, labels: labels, groups: groups)
    let after = Outcomes(scores: changed, labels: labels, groups: groups)
    let rows = try [("one", before, 400), ("two", after, 100)].map { model, found, bytes in
      let audit = try Audit(found)
      return StudyResult.Row(
        model: model, title: model, seed: 0, file: "", sha256: "", bytes: bytes, predictions: "",
        rows: 20, accuracy: try #require(audit.overall[.accuracy]), groups: audit.groups,
        gaps: audit.gaps)
    }
    return StudyTables(
      StudyResult(
        rows: rows,
        comparisons: [
          StudyResult.Pair(
            model: "two", title: "two", base: "one", seed: 0,
            comparison: try Comparison(before: before, after: after))
        ],
        provenance: Provenance(
          versions: [:], processor: "", threads: 1, seeds: [0], data: [:], settings: [:],
          files: [:])))
  }

  @Test func `a verdict says what it rests on, and a flip whose it is`() throws {
    let drifts = try tables().drifts
    #expect(
      drifts.explanations[0][2].hasPrefix(
        "a, label 0: 0 gained, 0 lost of 5; a, label 1: 0 gained, 1 lost of 5"))
    #expect(
      drifts.explanations[0][3].hasPrefix(
        "equal opportunity (TPR), b minus a: +0.000 before, +0.200 after. Growth of its size: +0.200"
      ))
    #expect(
      drifts.explanations[0][4].hasPrefix("undecided: neither a change nor its absence (within ±"))
    let sizes = try tables().sizes
    #expect(sizes.explanations[1][1] == "100 bytes of the ONNX file.")
    #expect(sizes.explanations[1][3] == "400 bytes of one, divided by 100.")
  }

  @Test func `cells carry the value and its interval`() throws {
    let tables = try tables()
    #expect(tables.overall.rows[0][1] == "100.00 (83.9–100.0)")
    #expect(tables.overall.rows[1][1].hasPrefix("95.00 ("))
    #expect(tables.overall.rows[1][2].hasPrefix("0.200 ("))
    #expect(tables.ratesByGroup.columns == ["model", "a TPR", "b TPR", "a FPR", "b FPR"])
    #expect(tables.ratesByGroup.rows[1][1].hasPrefix("0.800 ("))
  }

  @Test func `sizes are ratios to the first model`() throws {
    #expect(
      try tables().sizes.rows == [
        ["one", "400", "0.400", "1.00"], ["two", "100", "0.100", "4.00"],
      ])
  }

  @Test func `drift says how many flipped and what follows`() throws {
    let row = try tables().drifts.rows[0]
    #expect(row[1] == "one")
    #expect(row[2] == "1 (5.0 %)")
    #expect(row[3].hasPrefix("+0.200 ("))
    #expect(row[4].hasPrefix("undecided"))
  }
}
