import Files
import Foundation
import TestSupport
import Testing

@Suite struct RepairCommandTests {
  /// Predictions of two groups that are treated differently.
  private func write(_ path: String, rows: Int, groups: [String] = ["female", "male"]) throws {
    var text = "id,label,score,group\n"
    var state: UInt64 = UInt64(rows)
    func next() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) * 0x1p-53
    }
    for row in 0..<rows {
      let group = row % groups.count
      let label = next() < 0.4 + 0.2 * Double(group)
      let score = min(0.999, 0.15 * Double(group) + 0.3 * (label ? 1 : 0) + 0.5 * next())
      text += "\(row).jpg,\(label ? 1 : 0),\(score),\(groups[group])\n"
    }
    try Files.replace(path, with: text)
  }

  @Test(
    arguments: [
      ["calibrated-equalized-odds", "--cost", "fpr", "--calibration", "isotonic"],
      ["equalized-odds", "--objective", "youden"], ["thresholds", "--parity", "tpr"],
      ["reject-option", "--metric", "equal-opportunity"], ["group-blind", "--target", "0.3"],
    ])
  func `a repair is fitted, applied, audited and compared`(_ method: [String]) throws {
    let folder = try temporaryFolder()
    try write("\(folder)/validation.csv", rows: 1000)
    try write("\(folder)/test.csv", rows: 800)
    let arguments =
      ["repair", "fit", "--on", "validation.csv", "--out", "repair.json", "--method"] + method
    let fit = try RunningCommand(arguments, in: folder).wait()
    #expect(fit.status == 0, "\(fit.errors)")
    #expect(fit.output.contains("female") || method[0] == "group-blind")
    let apply = try equant(
      "repair", "apply", "repair.json", "test.csv", "--out", "repaired.csv", "--format", "json",
      in: folder)
    #expect(apply.status == 0, "\(apply.errors)")
    struct Result: Decodable {
      struct Audit: Decodable {
        struct Gap: Decodable { var value: Double? }
        var gaps: [String: Gap]
      }
      var rows: Int
      var needsGroup: Bool
      var expected: Audit
      var decided: Audit
    }
    let result = try JSONDecoder().decode(Result.self, from: Data(apply.output.utf8))
    #expect(result.rows == 800)
    #expect(result.needsGroup == (method[0] != "group-blind"))

    let audit = try equant("audit", "repaired.csv", "--format", "json", in: folder)
    let audited = try JSONDecoder().decode(Result.Audit.self, from: Data(audit.output.utf8))
    let expected = try equant(
      "audit", "repaired.csv", "--score-column", "probability", "--expected", "--format", "json",
      in: folder)
    let expectedAudit = try JSONDecoder().decode(
      Result.Audit.self, from: Data(expected.output.utf8))
    for gap in ["equalOpportunity", "fprDifference"] {
      #expect(audited.gaps[gap]?.value == result.decided.gaps[gap]?.value)
      let (a, b) = (expectedAudit.gaps[gap]?.value ?? 9, result.expected.gaps[gap]?.value ?? 8)
      #expect(abs(a - b) < 1e-12)
    }
    let compare = try equant("compare", "test.csv", "repaired.csv", in: folder)
    #expect(compare.status == 0, "\(compare.errors)")
  }

  @Test func `lots follow the seed and nothing else`() throws {
    let folder = try temporaryFolder()
    try write("\(folder)/v.csv", rows: 400)
    #expect(
      try equant(
        "repair", "fit", "--method", "equalized-odds", "--on", "v.csv", "--out", "r.json",
        in: folder
      )
      .status == 0)
    for (seed, out) in [("1", "a.csv"), ("1", "b.csv"), ("2", "c.csv")] {
      #expect(
        try equant("repair", "apply", "r.json", "v.csv", "--out", out, "--seed", seed, in: folder)
          .status == 0)
    }
    #expect(try Files.read("\(folder)/a.csv") == Files.read("\(folder)/b.csv"))
    #expect(try Files.read("\(folder)/a.csv") != Files.read("\(folder)/c.csv"))
  }

  @Test func `bad input is one line and leaves what exists alone`() throws {
    let folder = try temporaryFolder()
    try write("\(folder)/v.csv", rows: 200)
    try write("\(folder)/three.csv", rows: 200, groups: ["a", "b", "c"])
    try Files.replace("\(folder)/one.csv", with: "id,label,score,group\n1,1,0.5,a\n2,1,0.4,b\n")
    try Files.replace("\(folder)/broken.json", with: "{\"kind\": \"equant repair\"}")
    try Files.replace("\(folder)/out", with: "precious")
    #expect(
      try equant(
        "repair", "fit", "--method", "equalized-odds", "--on", "v.csv", "--out", "r.json",
        in: folder
      )
      .status == 0)
    let refused = [
      ["fit", "--method", "equalized-odds", "--on", "one.csv", "--out", "out"],
      ["fit", "--method", "calibrated-equalized-odds", "--on", "three.csv", "--out", "out"],
      ["fit", "--method", "thresholds", "--on", "missing.csv", "--out", "out"],
      ["apply", "broken.json", "v.csv", "--out", "out"],
      ["apply", "v.csv", "v.csv", "--out", "out"],
      ["apply", "r.json", "three.csv", "--out", "out"],
    ]
    for arguments in refused {
      let result = try RunningCommand(["repair"] + arguments, in: folder).wait()
      #expect(result.status == 1, "\(arguments)")
      #expect(result.output.isEmpty)
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
    #expect(try Files.readText("\(folder)/out") == "precious")
    #expect(
      try equant(
        "repair", "fit", "--method", "group-blind", "--on", "v.csv", "--out", "x", in: folder
      )
      .status == 64)
  }
}
