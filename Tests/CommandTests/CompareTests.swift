import Files
import Foundation
import TestSupport
import Testing

@Suite struct CompareTests {
  @Test func `help lists every option`() throws {
    let help = try equant("compare", "--help")
    #expect(
      options(in: help.output) == [
        "--id-column", "--label-column", "--score-column", "--by", "--cluster",
        "--weight-column", "--separator", "--positive", "--negative", "--skip-missing",
        "--threshold", "--reference", "--confidence", "--threshold-after", "--margin", "--draws",
        "--seed", "--format", "--flips", "--version", "--help",
      ])
  }

  @Test func `JSON has the names that others read`() throws {
    let files = try PredictionFiles()
    let result = try equant("compare", files.base, files.after, "--format", "json")
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    let json =
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
    #expect(json?["rows"] as? Int == 800)
    #expect(json?["margin"] as? Double == 0.01)
    let flips = json?["flips"] as? [[String: Any]]
    #expect(flips?.count == 4)
    #expect(flips?.last?["group"] as? String == "male")
    #expect(flips?.last?["label"] as? Int == 1)
    #expect(flips?.last?["count"] as? Int == 200)
    #expect(flips?.last?["gained"] as? Int == 0)
    #expect((flips?.last?["lost"] as? Int ?? 0) > 20)
    let drift = (json?["drift"] as? [String: [String: Any]])?["equalOpportunity"]
    #expect((drift?["value"] as? Double ?? 0) < -0.1)
    #expect(drift?["low"] is Double && drift?["high"] is Double)
    #expect(drift?["verdict"] as? String == "worse")
  }

  @Test func `the same predictions twice are preserved or undecided, and say so`() throws {
    let files = try PredictionFiles(rows: 4000)
    let result = try equant("compare", files.base, files.base)
    #expect(result.status == 0)
    #expect(result.output.contains("no decision flipped"))
    #expect(result.output.contains("preserved"))
    #expect(!result.output.contains("worse") && !result.output.contains("better"))
    let few = try equant("compare", files.base, files.base, "--margin", "0.0001").output
    #expect(few.contains("undecided") && few.contains("needs about"))
  }

  @Test func `equal seeds give equal bytes`() throws {
    let files = try PredictionFiles(groups: ["a", "b", "c"])
    let first = try equant("compare", files.base, files.after, "--seed", "3").output
    #expect(try equant("compare", files.base, files.after, "--seed", "3").output == first)
    #expect(try equant("compare", files.base, files.after, "--seed", "4").output != first)
  }

  @Test func `weighted rows are compared, and a weight that differs is refused`() throws {
    let files = try PredictionFiles()
    func weighted(_ path: String, _ name: String, weight: (Int) -> String) throws -> String {
      let lines = try Files.readText(path).split(separator: "\n")
      let rows = lines.dropFirst().map { line in
        "\(line),\(weight(Int(line.prefix { $0 != "." }) ?? 0))"
      }
      let out = "\(files.folder)/\(name).csv"
      try Files.replace(out, with: ([lines[0] + ",w"] + rows).joined(separator: "\n") + "\n")
      return out
    }
    func drift(_ first: String, _ second: String) throws -> [String: Any] {
      let result = try equant(
        "compare", first, second, "--weight-column", "w", "--format", "json")
      #expect(result.status == 0, "\(result.errors)")
      let json =
        try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
      let drifts = json?["drift"] as? [String: [String: Any]]
      return try #require(drifts?["equalOpportunity"])
    }
    let ones = try drift(
      weighted(files.base, "a") { _ in "2.5" }, weighted(files.after, "b") { _ in "2.5" })
    let plain = try equant("compare", files.base, files.after, "--format", "csv").output
    let line = plain.split(separator: "\n").first { $0.hasPrefix("drift,equalOpportunity") }
    let low = try #require(line).split(separator: ",", omittingEmptySubsequences: false)[7]
    #expect(abs((ones["low"] as? Double ?? 0) - (Double(low) ?? 1)) < 1e-3)
    let first = try weighted(files.base, "c") { $0 % 3 == 0 ? "5" : "0.5" }
    let uneven = try drift(first, weighted(files.after, "d") { $0 % 3 == 0 ? "5" : "0.5" })
    let width = (uneven["high"] as? Double ?? 0) - (uneven["low"] as? Double ?? 0)
    #expect(width > 1.2 * ((ones["high"] as? Double ?? 0) - (ones["low"] as? Double ?? 0)))
    let other = try weighted(files.after, "e") { $0 == 7 ? "1" : "0.5" }
    let refused = try equant("compare", first, other, "--weight-column", "w")
    #expect(isRefusal(refused, naming: "e.csv", "another weight for"))
  }

  @Test func `flipped rows are listed`() throws {
    let files = try PredictionFiles(groups: ["x", "a,b"])
    let path = "\(files.folder)/flips.csv"
    let result = try equant("compare", files.base, files.after, "--flips", path)
    #expect(result.status == 0, "\(result.errors)")
    let lines = try Files.readText(path).split(separator: "\n")
    #expect(lines.first == "id,label,group,before,after")
    #expect(lines.count > 20)
    #expect(lines.dropFirst().allSatisfy { $0.hasSuffix(",\"a,b\",0.75,0.125") })
  }

  @Test func `levelling down is called by its name`() throws {
    let folder = try temporaryFolder()
    var (first, second) = ("id,label,score,group\n", "id,label,score,group\n")
    for row in 0..<2000 {
      let (group, label) = (row % 2, row / 2 % 2)
      let number = row / 4 % 10
      let before = label == 1 && number < (group == 0 ? 9 : 7)
      let after = label == 1 && number < (group == 0 ? 6 : 6)
      first += "\(row),\(label),\(before ? 0.9 : 0.1),\(group == 0 ? "a" : "b")\n"
      second += "\(row),\(label),\(after ? 0.9 : 0.1),\(group == 0 ? "a" : "b")\n"
    }
    try Files.replace("\(folder)/1.csv", with: first)
    try Files.replace("\(folder)/2.csv", with: second)
    let text = try equant("compare", "\(folder)/1.csv", "\(folder)/2.csv").output
    #expect(text.contains("levelling down: the gap of equal opportunity (TPR) shrank"))
    #expect(text.contains("better"))
  }

  @Test func `other people are refused: how many, and three of them`() throws {
    let files = try PredictionFiles()
    let other = "\(files.folder)/other.csv"
    try Files.replace(
      other,
      with: try Files.readText(files.after).replacing("\n10", with: "\nx10"))
    let result = try equant("compare", files.base, other)
    #expect(
      isRefusal(result, naming: "other.csv", "ids (10.jpg, 100.jpg, 101.jpg, …)"), "\(result)")
    try Files.replace(other, with: try Files.readText(files.after) + "0.jpg,0,0.25,female\n")
    #expect(
      isRefusal(try equant("compare", files.base, other), naming: "1 id (0.jpg) more than once"))
    try Files.replace(
      other, with: try Files.readText(files.after).replacing("\n0.jpg,0", with: "\n0.jpg,1"))
    #expect(
      isRefusal(try equant("compare", files.base, other), naming: "another label for 1 id"))
    #expect(isRefusal(try equant("compare", files.base, "/nowhere"), naming: "/nowhere"))
  }

  @Test func `bad usage is status 64`() throws {
    for arguments in [["a.csv"], ["a", "b", "--margin", "0"], ["a", "b", "--draws", "2"]] {
      let result = try RunningCommand(["compare"] + arguments).wait()
      #expect(result.status == 64 && result.output.isEmpty, "\(arguments): \(result.errors)")
    }
  }
}
