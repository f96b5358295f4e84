import Files
import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite struct GateTests {
  @Test func `help lists every option`() throws {
    let help = try equant("gate", "--help")
    #expect(
      options(in: help.output) == [
        "--id-column", "--label-column", "--score-column", "--by", "--cluster",
        "--weight-column", "--separator", "--positive", "--negative", "--skip-missing",
        "--threshold", "--reference", "--confidence", "--threshold-after", "--margin", "--draws",
        "--seed", "--max-drift", "--max-gap", "--min-accuracy-change",
        "--min-group-accuracy-change", "--allow-undecided", "--policy", "--junit", "--summary",
        "--format", "--quiet", "--version", "--help",
      ])
  }

  @Test func `kept limits are status 0, crossed ones 2, undecided ones 2 unless allowed`() throws {
    let files = try PredictionFiles()
    func gate(_ arguments: String...) throws -> CommandResult {
      try RunningCommand(["gate", files.base, files.after] + arguments).wait()
    }
    let kept = try gate("--max-drift", "equalOpportunity=0.9", "--min-accuracy-change", "-0.5")
    #expect(kept.status == 0 && kept.output.hasSuffix("passed\n"), "\(kept)")
    let crossed = try gate(
      "--max-drift", "equalOpportunity=0.01", "--max-drift", "fprDifference=0.9")
    #expect(crossed.status == 2, "\(crossed)")
    #expect(crossed.output.contains("CROSSED   maxDrift equalOpportunity"))
    #expect(crossed.output.contains("kept      maxDrift fprDifference"))
    #expect(crossed.output.hasSuffix("failed\n"))
    // The accuracy fell by about 0.04; its bound is a little lower.
    let narrow = ["--min-accuracy-change", "-0.06"]
    let undecided = try RunningCommand(["gate", files.base, files.after] + narrow).wait()
    #expect(undecided.status == 2 && undecided.output.contains("undecided"), "\(undecided)")
    #expect(undecided.output.contains("rows would decide it"))
    let allowed = try RunningCommand(
      ["gate", files.base, files.after, "--allow-undecided"] + narrow
    ).wait()
    #expect(allowed.status == 0, "\(allowed)")
  }

  @Test func `JUnit and summary tell the same`() throws {
    let files = try PredictionFiles(groups: ["<script>&\"", "m|n"])
    let (junit, summary) = ("\(files.folder)/gate.xml", "\(files.folder)/summary.md")
    let result = try equant(
      "gate", files.base, files.after, "--max-drift", "equalOpportunity=0.01",
      "--min-group-accuracy-change", "-0.9", "--junit", junit, "--summary", summary)
    #expect(result.status == 2, "\(result)")
    final class Cases: NSObject, XMLParserDelegate {
      var names: [String] = []
      var failures = 0
      func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
      ) {
        if name == "testcase" { names.append(attributes["name"] ?? "") }
        if name == "failure" { failures += 1 }
      }
    }
    let cases = Cases()
    let parser = XMLParser(data: Data(try Files.read(junit)))
    parser.delegate = cases
    #expect(parser.parse())
    #expect(
      cases.names == [
        "maxDrift equalOpportunity", "minGroupAccuracyChange <script>&\"",
        "minGroupAccuracyChange m|n",
      ])
    #expect(cases.failures == 1)
    let markdown = try Files.readText(summary)
    #expect(markdown.hasPrefix("**Fairness gate: failed**"))
    #expect(!markdown.contains("<script>") && markdown.contains("m\\|n"))
    #expect(markdown.contains("**Drift of gaps**"))
  }

  @Test func `a policy file sets limits, and what is wrong with it is told with its place`() throws
  {
    let files = try PredictionFiles()
    let policy = "\(files.folder)/policy.json"
    func gate(_ text: String) throws -> CommandResult {
      try Files.replace(policy, with: text)
      return try equant("gate", files.base, files.after, "--policy", policy)
    }
    #expect(try gate(#"{"maxDrift": {"equalOpportunity": 0.9}}"#).status == 0)
    #expect(try gate(#"{"maxGap": {"equalOpportunity": 0.01}}"#).status == 2)
    let misspelt = try gate("{\"maxDrift\": {\n  \"equalOportunity\": 0.9}}")
    #expect(
      isRefusal(misspelt, naming: "policy.json", "equalOportunity", "line 2, column 22"),
      "\(misspelt)")
    let unknown = try gate("{\"maxDrift\": {\"accuracy\": 1},\n\"maxDirft\": {}}")
    #expect(isRefusal(unknown, naming: "maxDirft", "line 2, column 13"), "\(unknown)")
    let typed = try gate("{\n\"minAccuracyChange\": \"-0.01\"}")
    #expect(isRefusal(typed, naming: "minAccuracyChange", "line 2, column 22"), "\(typed)")
    #expect(isRefusal(try gate("{\"maxDrift\": {,}}"), naming: "line 1, column 15"))
    #expect(isRefusal(try gate("{}"), naming: "sets no limit"))
    #expect(isRefusal(try equant("gate", "a", "b", "--policy", "/nowhere"), naming: "/nowhere"))
  }

  @Test func `bad usage is status 64`() throws {
    for arguments in [
      ["a", "b"], ["a", "b", "--max-drift", "equalOpportunity"],
      ["a", "b", "--max-drift", "nothing=0.1"], ["a", "b", "--max-drift", "accuracy=-1"],
    ] {
      let result = try RunningCommand(["gate"] + arguments).wait()
      #expect(result.status == 64 && result.output.isEmpty, "\(arguments): \(result.errors)")
    }
  }
}
