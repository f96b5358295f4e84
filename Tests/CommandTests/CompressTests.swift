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
}
