import ColourTask
import Files
import Foundation
import TestSupport
import Testing

/// Serialized, because every run computes on all threads.
@Suite(.serialized) struct TrainTests {
  let folder: String

  init() throws {
    folder = try ColourTask(count: 160).folder
  }

  private func arguments(_ out: String, _ more: [String] = []) -> [String] {
    [
      "train", "--data", folder, "--target", "Warm", "--out", "\(folder)/\(out)", "--size", "32",
      "--batch", "16", "--epochs", "2", "--precision", "f32",
    ] + more
  }

  private func train(_ out: String, _ more: String...) throws -> CommandResult {
    try RunningCommand(arguments(out, more)).wait()
  }

  /// Starts a run, waits for its first checkpoint, and sends `signal`.
  private func interrupt(_ out: String, with signal: Int32) throws -> CommandResult {
    let run = try RunningCommand(arguments(out, ["--checkpoint-every", "3"]))
    let checkpoint = "\(folder)/\(out).checkpoint"
    for _ in 0..<6000 where !Files.exists(checkpoint) { usleep(5000) }
    kill(run.identifier, signal)
    return try run.wait()
  }

  @Test func `killed and run again, it ends with the same bytes`() throws {
    let whole = try train("whole.onnx")
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(!Files.exists("\(folder)/whole.onnx.checkpoint"))
    let expected = try Files.read("\(folder)/whole.onnx")

    #expect(try interrupt("killed.onnx", with: SIGKILL).status == SIGKILL)
    #expect(!Files.exists("\(folder)/killed.onnx"))
    let resumed = try train("killed.onnx", "--checkpoint-every", "3")
    #expect(resumed.status == 0)
    #expect(resumed.errors.contains("going on from"))
    #expect(try Files.read("\(folder)/killed.onnx") == expected)

    let stopped = try interrupt("stopped.onnx", with: SIGINT)
    #expect(stopped.status == 130)
    #expect(stopped.errors.contains("the same command goes on from"))
    #expect(try train("stopped.onnx").status == 0)
    #expect(try Files.read("\(folder)/stopped.onnx") == expected)
  }

  @Test func `what it learned is logged and predicts`() throws {
    let result = try train("model.onnx", "--log", "\(folder)/log.json", "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    struct Summary: Decodable {
      var bytes: Int
      var bestEpoch: Int
    }
    let summary = try JSONDecoder().decode(Summary.self, from: Data(result.output.utf8))
    #expect(try Files.read("\(folder)/model.onnx").count == summary.bytes)
    let log = try JSONSerialization.jsonObject(with: Data(Files.read("\(folder)/log.json")))
    #expect((log as? [[String: Any]])?.count == 2)

    let predicted = try equant(
      "predict", "\(folder)/model.onnx", "--data", folder, "--out",
      "\(folder)/predictions.csv")
    #expect(predicted.status == 0, "\(predicted.errors)")
    let lines = try Files.readText("\(folder)/predictions.csv").split(separator: "\n")
    #expect(lines[0].hasPrefix("id,label,score,group"))
    let printed = try equant("predict", "\(folder)/model.onnx", "--data", folder)
    #expect(printed.output.split(separator: "\n") == lines)
  }

  /// One line, status 1, and what existed stays.
  private func expectRefusal(
    _ result: CommandResult, naming name: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    expectRefusal(
      status: result.status, result.errors, naming: name, sourceLocation: sourceLocation)
  }

  private func expectRefusal(
    status: Int32, _ errors: String, naming name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(status == 1, sourceLocation: sourceLocation)
    let lines = errors.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
    #expect(lines.count == 1, "\(errors)", sourceLocation: sourceLocation)
    #expect(errors.contains(name), "\(errors)", sourceLocation: sourceLocation)
    #expect(
      (try? Files.readText("\(folder)/model.onnx")) == "precious", sourceLocation: sourceLocation)
  }

  @Test func `bad input is named in one line and nothing is overwritten`() throws {
    try Files.replace("\(folder)/model.onnx", with: "precious")
    expectRefusal(
      try equant("train", "--data", "/nowhere", "--out", "\(folder)/model.onnx"),
      naming: "/nowhere")
    expectRefusal(try train("none/model.onnx"), naming: "none/model.onnx")
    expectRefusal(try train("model.onnx", "--batch", "100000"), naming: "100000")
    expectRefusal(try train("model.onnx", "--target", "Charming"), naming: "Charming")
    expectRefusal(
      try train("model.onnx", "--weights", "\(folder)/list_attr_celeba.txt"),
      naming: "list_attr_celeba.txt")
    expectRefusal(try train("model.onnx", "--lr", "1e6"), naming: "diverged")
    let image = "\(folder)/img_align_celeba/17.jpg"
    let bytes = try Files.read(image)
    try Files.replace(image, with: Array(bytes[..<(bytes.count / 2)]))
    expectRefusal(try train("model.onnx", "--fresh"), naming: "17.jpg")
    expectRefusal(
      try equant("predict", "\(folder)/model.onnx", "--data", folder),
      naming: "model.onnx")
  }

  @Test func `arithmetic that the processor lacks is refused`() throws {
    let doctor = try equant("doctor", "--format", "json")
    guard doctor.output.contains("\"runsBFloat16\" : false") else { return }
    try Files.replace("\(folder)/model.onnx", with: "precious")
    expectRefusal(try train("model.onnx", "--precision", "bf16"), naming: "precision bf16: needs")
    let result = try train("other.onnx", "--precision", "auto")
    #expect(result.status == 0, "\(result.errors)")
  }

  /// A limit on the size of files stands for a full disk: writing fails half-way.
  @Test func `when writing fails the old model stays`() throws {
    try Files.replace("\(folder)/model.onnx", with: "precious")
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let binary = (tests as NSString).deletingLastPathComponent + "/equant"
    let command = arguments("model.onnx").map { "'\($0)'" }.joined(separator: " ")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", "export EQUANT_STORE=off; trap '' XFSZ; ulimit -f 2000; exec '\(binary)' \(command)",
    ]
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    expectRefusal(
      status: process.terminationStatus, text,
      naming: "model.onnx.checkpoint: could not be written")
    let left = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(left.filter { $0.contains("tmp") || $0.contains("checkpoint") } == [])
  }
}
