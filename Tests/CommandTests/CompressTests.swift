import Files
import TestSupport
import Testing

@Suite struct CompressTests {
  @Test func `bad input is one line and leaves what exists alone`() throws {
    let folder = try temporaryFolder()
    let out = "\(folder)/int8.onnx"
    try Files.replace(out, with: "precious")
    try Files.replace("\(folder)/broken.onnx", with: "not a model")
    for (model, scheme) in [("missing", "int8"), ("broken", "int8"), ("broken", "int9")] {
      let result = try equant(
        "compress", "\(folder)/\(model).onnx", "--data", folder, "--out", out, "--scheme", scheme)
      #expect(result.status == 1)
      #expect(result.output.isEmpty)
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
      #expect(try Files.readText(out) == "precious")
    }
  }

  @Test(arguments: [
    ["--max-gap", "equalOpportunity=0.05"], ["--explain"], ["--choice", "kmeans:4"],
    ["--tune-entries-only"], ["--gradual"], ["--tune-scales"], ["--tune-ranges"],
    ["--adversary", "1"], ["--tune", "1", "--adversary", "0"],
    ["--budget", "1MB", "--tune", "1", "--tune-ranges"],
    ["--budget", "much"], ["--budget", "-3MB"],
    ["--budget", "1MB", "--max-drift", "equalOpportunity"],
    ["--budget", "1MB", "--max-drift", "luck=0.1"],
    ["--budget", "1MB", "--max-accuracy-drop", "2"],
    ["--budget", "1MB", "--confidence", "1"],
    ["--budget", "1MB", "--scheme", "int8"],
    ["--budget", "1MB", "--selection-count", "0"],
    ["--budget", "1MB", "--tune", "1", "--gradual"],
    ["--dry-run"], ["--budget", "1MB", "--dry-run", "--tune", "1"],
    ["--budget", "1MB", "--rounding", "gptq"], ["--budget", "1MB", "--sensitivity", "minimax"],
    ["--rounding", "up"], ["--scheme", "filters:0.5", "--filter-score", "luck"],
  ])
  func `limits that make no sense are refused`(arguments: [String]) throws {
    let result = try RunningCommand(["compress", "m.onnx", "--out", "o.onnx"] + arguments).wait()
    #expect(result.status == 64 && result.output.isEmpty, "\(result)")
    #expect(result.errors.split(separator: "\n").filter { $0.hasPrefix("Error: ") }.count == 1)
  }
}
