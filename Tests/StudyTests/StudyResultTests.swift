import Fairness
import Files
import Foundation
@testable import Study
import TestSupport
import Testing

@Suite struct StudyResultTests {
  /// A result of two models over six rows of two groups.
  static func result() throws -> StudyResult {
    let labels = [true, true, false, true, true, false]
    let groups = Attribute("group", of: ["a", "a", "a", "b", "b", "b"])
    func outcomes(_ scores: [Double]) -> Outcomes {
      Outcomes(scores: scores, labels: labels, groups: groups)
    }
    let before = outcomes([0.9, 0.8, 0.1, 0.9, 0.2, 0.6])
    let after = outcomes([0.9, 0.2, 0.1, 0.9, 0.2, 0.6])
    let rows = try [("fine-tuned", before, 400), ("int8", after, 100)].map { model, found, bytes in
      let audit = try Audit(found)
      return StudyResult.Row(
        model: model, title: model, seed: 0, file: "\(model).onnx", sha256: "", bytes: bytes,
        predictions: "\(model).csv", rows: 6,
        accuracy: try #require(audit.overall[.accuracy]), groups: audit.groups, gaps: audit.gaps)
    }
    return StudyResult(
      rows: rows,
      comparisons: [
        StudyResult.Pair(
          model: "int8", title: "int8", base: "fine-tuned", seed: 0,
          comparison: try Comparison(before: before, after: after))
      ],
      provenance: Provenance(
        versions: [:], processor: "", threads: 1, seeds: [0], data: [:], settings: [:], files: [:]))
  }

  @Test func `what is written is read back`() throws {
    let path = try temporaryFolder() + "/study.json"
    let result = try Self.result()
    try result.write(to: path)
    let read = try StudyResult(contentsOf: path)
    #expect(read.rows.map(\.accuracy) == result.rows.map(\.accuracy))
    #expect(read.rows.map(\.groups) == result.rows.map(\.groups))
    try read.write(to: path + ".again")
    #expect(try Files.read(path) == Files.read(path + ".again"))
  }

  @Test func `damage is named in one line`() throws {
    let path = try temporaryFolder() + "/study.json"
    try Files.replace(path, with: "{\"rows\": [{}]}")
    let error = #expect(throws: FileError.self) { try StudyResult(contentsOf: path) }
    #expect(error?.description.hasPrefix("\(path): is not a study.json: ") == true)
    #expect(error?.description.contains("\n") == false)
    try Files.replace(path, with: "{")
    #expect(throws: FileError.self) { try StudyResult(contentsOf: path) }
  }
}
