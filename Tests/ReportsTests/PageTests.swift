import Fairness
import Files
import Foundation
import Predictions
@testable import Reports
@testable import Study
import TestSupport
import Testing

@Suite struct PageTests {
  static let hostile = "</script><b onclick=\"x\">&'"

  /// A study's folder of two models over eight people, one of whom flips; `female` may be renamed.
  private func folder(_ female: String = "female") throws -> String {
    let folder = try temporaryFolder()
    let labels = [true, true, false, false, true, true, false, false]
    let names = (0..<8).map { $0 < 4 ? female : "male" }
    let found = [
      ("fine-tuned", [0.9, 0.8, 0.1, 0.5, 0.9, 0.2, 0.6, 0.0]),
      ("int8", [0.9, 0.3, 0.1, 0.5, 0.9, 0.2, 0.6, 1.0]),
    ].map { model, scores in
      (
        model,
        Predictions(
          ids: (0..<8).map { "\($0).jpg" }, labels: labels, scores: scores,
          attributes: [Attribute("group", of: names)])
      )
    }
    var rows: [StudyResult.Row] = []
    var hashes: [String: String] = [:]
    for (model, predictions) in found {
      try predictions.write(to: "\(folder)/\(model).csv")
      hashes["\(model).csv"] = SHA256.hex(try Files.read("\(folder)/\(model).csv"))
      let audit = try Audit(predictions.outcomes)
      rows.append(
        StudyResult.Row(
          model: model, title: model, seed: 0, file: "\(model).onnx", sha256: "",
          bytes: model == "int8" ? 100 : 400, predictions: "\(model).csv", rows: 8,
          accuracy: try #require(audit.overall[.accuracy]), groups: audit.groups, gaps: audit.gaps))
    }
    let comparison = try Comparison(before: found[0].1.outcomes, after: found[1].1.outcomes)
    try StudyResult(
      rows: rows,
      comparisons: [
        StudyResult.Pair(
          model: "int8", title: "int8", base: "fine-tuned", seed: 0, comparison: comparison)
      ],
      provenance: Provenance(
        versions: [:], processor: "", threads: 1, seeds: [0], data: ["folder": folder],
        settings: [:], files: hashes)
    ).write(to: "\(folder)/study.json")
    return folder
  }

  @Test func `histograms give every threshold's counts`() throws {
    let study = try StudyFolder(try folder())
    let scores = try #require(study.scores.first)
    for threshold in [0, 0.2, 0.5, 0.6, 0.9, 0.901] {
      let audit = try Audit(
        Predictions.reading(try folder() + "/fine-tuned.csv").predictions.outcomes,
        options: {
          var options = AuditOptions()
          options.threshold = threshold
          return options
        }())
      let first = Int((threshold * 1000).rounded())
      for (group, expected) in zip(scores.groups, audit.groups) {
        #expect(Double(group.positives[first...].reduce(0, +)) == expected.counts.truePositives)
        #expect(Double(group.negatives[first...].reduce(0, +)) == expected.counts.falsePositives)
      }
    }
  }

  @Test func `a score that is a bin's lower end is in that bin`() {
    for bin in 0..<1000 { #expect(ScoreHistogram.bin(of: Double(bin) / 1000, 1000) == bin) }
    #expect(ScoreHistogram.bin(of: 1, 1000) == 999)
    #expect(ScoreHistogram.bin(of: (0.57).nextDown, 100) == 56)
  }

  @Test func `flips are found by id and counted`() throws {
    let flips = try #require(try StudyFolder(try folder()).flips.first)
    #expect(flips.total == 2)
    #expect(flips.people.map(\.id).sorted() == ["1.jpg", "7.jpg"])
    #expect(flips.people.allSatisfy { $0.picture == nil })
  }

  @Test func `names are shown and never markup`() throws {
    let study = try StudyFolder(try folder(Self.hostile))
    let page = String(decoding: try ReportPage([study]).html(.linked("p.js")), as: UTF8.self)
    #expect(!page.contains("<b onclick"))
    #expect(page.contains("&lt;/script&gt;&lt;b onclick=&quot;x&quot;&gt;&amp;&#39;"))
    #expect(page.components(separatedBy: "</script").count == 4, "data, page and library")
    #expect(page.contains("default-src 'none'"))
  }

  @Test func `equal studies give equal pages`() throws {
    let folder = try folder()
    let pages = try (0..<2).map { _ in try ReportPage([StudyFolder(folder)]).html() }
    #expect(pages[0] == pages[1])
    #expect(pages[0].count < 8_000_000)
    #expect(pages[0].count > ReportPage.plotly.count)
  }

  @Test func `what is not what the study measured is left out and said`() throws {
    let folder = try folder()
    try Files.replace("\(folder)/int8.csv", with: "id,label,score,group\n")
    let study = try StudyFolder(folder)
    #expect(study.scores.map(\.model) == ["fine-tuned"])
    #expect(study.flips.isEmpty)
    #expect(study.missing.contains { $0.hasPrefix("int8.csv is not the file") })
    #expect(study.missing.contains { $0.hasPrefix("int8.onnx is no longer there") })
  }

  @Test func `a half-written study is one line`() throws {
    let folder = try folder()
    let whole = try Files.read("\(folder)/study.json")
    try Files.replace("\(folder)/study.json", with: Array(whole[..<(whole.count / 2)]))
    let error = #expect(throws: FileError.self) { try StudyFolder(folder) }
    #expect(error?.description.contains("study.json") == true)
    #expect(error?.description.contains("\n") == false)
  }

  @Test func `files outside of the folder are not read`() throws {
    let folder = try folder()
    var result = try StudyResult(contentsOf: "\(folder)/study.json")
    result.rows[0].predictions = "../\((folder as NSString).lastPathComponent)/fine-tuned.csv"
    try result.write(to: "\(folder)/study.json")
    let missing = try StudyFolder(folder).missing
    #expect(missing.contains { $0.contains("outside of the study's folder") })
    #expect(Pictures(of: folder, beside: folder).thumbnail("../x.jpg") == nil)
  }

  @Test func `the verdict says what, how much and how sure`() throws {
    let verdict = try StudyFolder(try folder()).verdict
    #expect(verdict.headline.count == 2)
    #expect(verdict.headline[0].contains("4.00 times smaller"))
    #expect(verdict.headline[0].contains("25.0 % of 8 people"))
    #expect(verdict.headline[1].contains("open"))
  }

  @Test func `the headline asks about compressions, not about repairs`() throws {
    var result = try StudyFolder(try folder()).result
    let pair = result.comparisons[0]
    result.models = []
    result.comparisons = []
    let kinds: [(String, StudyResult.Kind)] = [
      ("small", .compressed), ("smaller", .compressed), ("mended", .repaired),
    ]
    for (model, kind) in kinds {
      var another = pair
      another.model = model
      result.comparisons.append(another)
      result.models?.append(
        StudyResult.Model(model: model, title: model, kind: kind, base: pair.base))
    }
    let verdict = StudyVerdict(result)
    #expect(verdict.entries.count == 3)
    #expect(verdict.headline[0].hasPrefix("Of 2 compressed models"), "\(verdict.headline)")
  }

  @Test func `cells say what is behind them`() throws {
    let table = StudyTables(try StudyFolder(try folder()).result).ratesByGroup
    #expect(table.explanations.count == table.rows.count)
    #expect(table.explanations[0][1].hasPrefix("TPR of female: 2 of 2 rows"))
  }

  @Test func `every cell of every table says what is behind it`() throws {
    for table in StudyTables(try StudyFolder(try folder()).result).all {
      #expect(table.explanations.count == table.rows.count && !table.rows.isEmpty)
      for row in table.explanations {
        #expect(row.count == table.columns.count, "\(table.title)")
        #expect(row.dropFirst().allSatisfy { !$0.isEmpty }, "\(table.title): \(row)")
      }
    }
  }
}
