import Files
import Foundation
import TestSupport
import Testing

@Suite struct AuditTests {
  @Test func `help lists every option`() throws {
    let help = try equant("audit", "--help")
    #expect(help.status == 0)
    #expect(!help.output.contains("default: 2"), "a split is shown by name")
    #expect(
      options(in: help.output) == [
        "--model", "--data", "--target", "--protected", "--split", "--precision",
        "--skip-damaged", "--quiet", "--preprocess", "--image-size", "--resize",
        "--interpolation", "--channel-order", "--layout", "--divisor", "--mean", "--deviation",
        "--outputs", "--output-name", "--positive-class", "--id-column", "--label-column",
        "--score-column", "--by",
        "--cluster", "--weight-column", "--separator", "--positive", "--negative", "--skip-missing",
        "--threshold", "--reference", "--confidence", "--minimum-cell", "--expected", "--format",
        "--sql", "--table", "--counts", "--save-counts", "--version", "--help",
      ])
  }

  @Test func `JSON has the names that others read`() throws {
    let files = try PredictionFiles()
    let result = try equant("audit", files.base, "--format", "json", "--reference", "male")
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    let json =
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
    #expect(json?["rows"] as? Int == 800)
    #expect(json?["threshold"] as? Double == 0.5)
    #expect(json?["warnings"] is [String])
    let overall = json?["overall"] as? [String: [String: Any]]
    let accuracy = overall?["accuracy"]
    #expect(accuracy?["value"] as? Double == 0.8)
    for name in ["low", "high", "numerator", "denominator"] {
      #expect(accuracy?[name] is Double, "\(name)")
    }
    let groups = json?["groups"] as? [[String: Any]]
    #expect(groups?.compactMap { $0["name"] as? String } == ["female", "male"])
    #expect(groups?.compactMap { $0["count"] as? Int } == [400, 400])
    let rates = groups?.first?["rates"] as? [String: Any]
    for name in [
      "accuracy", "truePositiveRate", "falsePositiveRate", "selectionRate", "precision",
      "baseRate",
    ] {
      #expect(rates?[name] is [String: Any], "\(name)")
    }
    let gaps = json?["gaps"] as? [String: [String: Any]]
    for name in [
      "equalOpportunity", "fprDifference", "equalizedOdds", "demographicParity", "accuracy",
    ] {
      #expect(gaps?[name]?["value"] is Double, "\(name)")
      #expect(gaps?[name]?["absolute"] is Double, "\(name)")
      #expect(gaps?[name]?["from"] as? String == "male", "\(name)")
      #expect(gaps?[name]?["to"] as? String == "female", "\(name)")
    }
    let extremes = json?["extremes"] as? [String: [String: [String: Any]]]
    #expect(extremes?["accuracy"]?["lowest"]?["group"] is String)
    #expect(json?["inequality"] is [String: Any])
  }

  @Test func `an undefined rate is null with a reason, in every format`() throws {
    let folder = try temporaryFolder()
    try Files.replace(
      "\(folder)/p.csv", with: "id,label,score,group\n1,1,0.9,a\n2,0,0.1,a\n3,0,0.2,b\n")
    let json = try equant("audit", "\(folder)/p.csv", "--format", "json")
    #expect(json.output.contains("\"reason\" : \"no row is labelled positive\""))
    let text = try equant("audit", "\(folder)/p.csv")
    #expect(text.output.contains("n/a"))
    #expect(text.output.contains("warning: group b has no positives: its TPR is undefined"))
    let csv = try equant("audit", "\(folder)/p.csv", "--format", "csv")
    #expect(csv.output.contains("rate,truePositiveRate,b,,,,,0.0,0.0,,no row is labelled positive"))
    #expect(csv.errors.contains("warning: group b has no positives"))
  }

  @Test func `awkward names break no format`() throws {
    let names = ["a,b", "c\"d", "<script>alert(1)</script>", "e|f", "line\nend", "50% & _x_"]
    let files = try PredictionFiles(rows: 1200, groups: names)
    let csv = try equant("audit", files.base, "--format", "csv").output
    #expect(csv.contains("\"a,b\"") && csv.contains("\"c\"\"d\"") && csv.contains("\"line\nend\""))
    let markdown = try equant("audit", files.base, "--format", "markdown").output
    #expect(!markdown.contains("<script>") && markdown.contains("e\\|f"))
    #expect(
      markdown.split(separator: "\n").filter { $0.hasPrefix("| line end |") }.count == 1)
    let latex = try equant("audit", files.base, "--format", "latex").output
    #expect(latex.contains("50\\% \\& \\_x\\_"))
    let text = try equant("audit", files.base).output
    #expect(text.contains("\nline end"))
  }

  @Test func `intersections keep groups that no row has`() throws {
    let folder = try temporaryFolder()
    var text = "label;score;sex;age\r\n"
    for row in 0..<120 {
      let sex = row % 2 == 0 ? "f" : "m"
      text +=
        "\(row % 3 == 0 ? "yes" : "no");0.\(row % 10);\(sex);\(row % 4 < 2 || sex == "m" ? "old" : "young")\r\n"
    }
    try Files.replace("\(folder)/p.csv", with: "\u{feff}" + text)
    let result = try equant("audit", "\(folder)/p.csv", "--by", "sex,age")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("group m & young has no rows: all its rates are undefined"))
  }

  @Test func `clusters widen intervals and a column of identities is not passed over`() throws {
    let folder = try temporaryFolder()
    var text = "id,label,score,group,identity\n"
    for row in 0..<400 {
      let person = row / 4
      text += "\(row),\(person % 2),0.\(person % 10),\(person % 4 < 2 ? "a" : "b"),\(person)\n"
    }
    try Files.replace("\(folder)/p.csv", with: text)
    func width(_ more: String...) throws -> Double {
      let result = try RunningCommand(
        ["audit", "\(folder)/p.csv", "--format", "json"] + more
      ).wait()
      let json =
        try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
      let overall = json?["overall"] as? [String: [String: Any]]
      let rate = try #require(overall?["accuracy"])
      return try #require(rate["high"] as? Double) - #require(rate["low"] as? Double)
    }
    #expect(try width("--cluster", "identity") > 1.8 * width())
    let plain = try equant("audit", "\(folder)/p.csv").output
    #expect(plain.contains("'--cluster identity' respects it"))
    let clustered = try equant("audit", "\(folder)/p.csv", "--cluster", "identity").output
    #expect(!clustered.contains("respects it"))
  }

  @Test func `counts of parts add up to the audit of the whole`() throws {
    let files = try PredictionFiles()
    let lines = try Files.readText(files.base).split(separator: "\n")
    let half = lines.count / 2
    try Files.replace(
      "\(files.folder)/1.csv", with: lines[..<half].joined(separator: "\n") + "\n")
    try Files.replace(
      "\(files.folder)/2.csv",
      with: ([lines[0]] + lines[half...]).joined(separator: "\n") + "\n")
    for part in ["1", "2"] {
      let result = try equant(
        "audit", "\(files.folder)/\(part).csv", "--save-counts", "\(files.folder)/\(part).json")
      #expect(result.status == 0, "\(result.errors)")
    }
    let merged = try equant(
      "audit", "--counts", "\(files.folder)/1.json", "--counts", "\(files.folder)/2.json",
      "--format", "csv")
    let whole = try equant("audit", files.base, "--format", "csv")
    func decided(_ text: String) -> [Substring] {
      text.split(separator: "\n").filter { $0.contains("truePositiveRate") }
    }
    #expect(decided(merged.output) == decided(whole.output))
    #expect(!decided(whole.output).isEmpty)
  }

  @Test func `the query is printed for every engine`() throws {
    for engine in ["postgresql", "sqlite", "duckdb", "spark"] {
      let result = try equant("audit", "--sql", engine, "--table", "scores.p")
      #expect(result.status == 0 && result.output.contains("GROUP BY"))
      #expect(result.output.contains(engine == "spark" ? "`scores`.`p`" : "\"scores\".\"p\""))
    }
  }

  @Test func `bad usage is status 64`() throws {
    for arguments in [
      [], ["p.csv", "--sql", "sqlite"], ["--model", "m.onnx"], ["--data", "d"],
      ["p.csv", "--confidence", "2"], ["p.csv", "--format", "pdf"], ["p.csv", "--by", ","],
      ["--sql", "oracle"], ["p.csv", "--separator", "xx"],
    ] {
      let result = try RunningCommand(["audit"] + arguments).wait()
      #expect(result.status == 64 && result.output.isEmpty, "\(arguments): \(result.errors)")
    }
  }

  @Test func `bad input is one line that names file, line and column`() throws {
    let folder = try temporaryFolder()
    func refused(_ text: String, _ parts: String...) throws {
      try Files.replace("\(folder)/p.csv", with: text)
      let result = try equant("audit", "\(folder)/p.csv")
      #expect(isRefusal(result, naming: "p.csv"), "\(result)")
      for part in parts { #expect(result.errors.contains(part), "\(result.errors)") }
    }
    try refused("", "is empty")
    try refused("id,label,score\n1,1,0.5\n", "line 1", "'group'")
    try refused("id,label,score,group\n1,1,0.5,a\n2,2,0.5,a\n", "line 3", "'label'", "'2'")
    try refused("id,label,score,group\n1,1,1.5,a\n", "line 2", "'score'", "'1.5'")
    try refused("id,label,score,group\n1,1,0.5\n", "line 2", "3 fields", "4")
    try refused("id,label,score,group\n1,1,,a\n", "line 2", "'score'")
    try refused("id,label,score,group\n\"1,1,0.5,a\n", "quote")
    #expect(isRefusal(try equant("audit", "/nowhere.csv"), naming: "/nowhere.csv"))
    #expect(isRefusal(try equant("audit", folder), naming: "folder"))
    let files = try PredictionFiles()
    #expect(
      isRefusal(try equant("audit", files.base, "--reference", "nobody"), naming: "nobody", "male"))
    try Files.replace("\(folder)/c.json", with: "{\"bins\": 2,\n \"threshold\": \"x\"}")
    #expect(
      isRefusal(
        try equant("audit", "--counts", "\(folder)/c.json"), naming: "c.json", "line 2",
        "column 15"))
  }
}
