import Fairness
import Reports
@testable import Study
import Testing

/// What the headline says must be what Table 4 says.
@Suite struct StudyVerdictTests {
  private static let groups = ["female", "male"]

  /// Outcomes in which so many of each group's 500 positives are found, and no negative is.
  private func outcomes(_ found: [Int]) -> Outcomes {
    var scores: [Double] = []
    for hits in found { scores += (0..<1000).map { $0 < hits ? 0.9 : 0.1 } }
    return Outcomes(
      scores: scores, labels: (0..<2000).map { $0 % 1000 < 500 },
      groups: Attribute("group", of: (0..<2000).map { Self.groups[$0 / 1000] }))
  }

  /// A study of compressed models, each of which finds so many positives of each group.
  private func study(_ found: [(String, [Int])], before: [Int] = [450, 200]) throws -> StudyResult {
    let rows = try ([("base", before)] + found).map { model, hits in
      let audit = try Audit(outcomes(hits))
      return StudyResult.Row(
        model: model, title: model, seed: 0, file: "", sha256: "",
        bytes: model == "base" ? 400 : 100, predictions: "", rows: 2000,
        accuracy: try #require(audit.overall[.accuracy]), groups: audit.groups, gaps: audit.gaps)
    }
    var result = StudyResult(
      rows: rows,
      comparisons: try found.map { model, hits in
        StudyResult.Pair(
          model: model, title: model, base: "base", seed: 0,
          comparison: try Comparison(before: outcomes(before), after: outcomes(hits)))
      },
      provenance: Provenance(
        versions: [:], processor: "", threads: 1, seeds: [0], data: [:], settings: [:], files: [:]))
    result.models = found.map {
      StudyResult.Model(model: $0.0, title: $0.0, kind: .compressed, base: "base")
    }
    return result
  }

  @Test func `a gap that shrank by levelling down is not called better`() throws {
    let result = try study([
      ("careful", [448, 200]), ("coarse", [250, 30]), ("kind", [450, 300]),
    ])
    let verdict = StudyVerdict(result)
    let table = StudyTables(result).drifts.rows.map { $0[4] }
    #expect(table[0].hasPrefix("undecided"))
    #expect(table[1...] == ["better, by levelling down", "better"])
    #expect(verdict.entries.map(\.judgement) == [.undecided, .levelledDown, .better])
    #expect(
      verdict.headline[0]
        == "Of 3 compressed models, each held against the one it was made from: "
        + "none shown to keep both gaps, 1 with a narrower gap, "
        + "1 with a gap that is narrower only by levelling down, 1 undecided.")
    #expect(verdict.headline[1].hasPrefix("The worst: coarse is 4.00 times smaller"))
    #expect(verdict.headline[1].contains("only by levelling down: no group gained"))
    #expect(verdict.headline[1].contains("the TPR of female went from 0.900 to 0.500, "))
    #expect(verdict.headline[1].contains("that of male from 0.400 to 0.060"))
  }

  @Test func `refusing everybody is levelling down and worse than a slightly wider gap`() throws {
    let result = try study([("wider", [450, 150]), ("refusing", [0, 0])])
    let verdict = StudyVerdict(result)
    #expect(verdict.entries.map(\.judgement) == [.worse, .levelledDown])
    #expect(verdict.headline[1].hasPrefix("The worst: refusing"))
    let other = StudyVerdict(try study([("wider", [450, 50]), ("slightly", [440, 195])]))
    #expect(other.headline[1].hasPrefix("The worst: wider"))
  }

  @Test func `every judgement is the one of Table 4`() throws {
    let result = try study([
      ("same", [450, 200]), ("wider", [450, 100]), ("coarse", [250, 30]), ("kind", [450, 300]),
    ])
    let rows = StudyTables(result).drifts.rows
    for (judged, row) in zip(StudyVerdict(result).judgements, rows) {
      #expect(row[4].hasPrefix(try #require(judged[.equalOpportunity]).rawValue))
      #expect(row[6].hasPrefix(try #require(judged[.fprDifference]).rawValue))
    }
    #expect(rows.map { $0[4] } == ["preserved", "worse", "better, by levelling down", "better"])
  }

  @Test func `a gap that is undefined is no open question`() throws {
    let nobody = Outcomes(
      scores: [0.9, 0.1], labels: [true, false], groups: Attribute("group", of: Self.groups))
    var result = try study([("small", [450, 200])])
    result.comparisons[0].comparison = try Comparison(before: nobody, after: nobody)
    let verdict = StudyVerdict(result)
    #expect(verdict.entries.map(\.judgement) == [.undefined])
    #expect(verdict.headline[1].hasPrefix("Who was affected cannot be told"))
    #expect(StudyTables(result).drifts.rows[0][4] == "undefined")
  }
}
