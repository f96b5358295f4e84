import ColourTask
import Files
import Foundation
import TestSupport
import Testing

/// What commands record, seen through `equant runs`.
@Suite(.serialized) struct RunsTests {
  let folder: String
  let store: String

  init() throws {
    folder = try ColourTask(count: 160).folder
    store = "\(folder)/runs.sqlite"
  }

  private func train(_ out: String, _ more: String...) throws -> CommandResult {
    try RunningCommand(arguments(out) + more).wait()
  }

  private func arguments(_ out: String) -> [String] {
    [
      "train", "--data", folder, "--target", "Warm", "--out", "\(folder)/\(out)", "--size", "32",
      "--batch", "16", "--epochs", "1", "--precision", "f32", "--store", store, "--quiet",
    ]
  }

  private struct Shown: Decodable {
    struct Run: Decodable {
      var kind: String
      var state: String
      var accuracy: Double?
      var bytes: Int?
      var summary: String?
      var settings: [String: String]
      var fingerprints: [String: String]
      var results: [String: Double]
      var files: [String: String]
    }
    struct Event: Decodable { var text: String }
    var run: Run
    var events: [Event]
  }

  private func show(_ run: Int) throws -> Shown {
    let result = try equant("runs", "show", "\(run)", "--store", store, "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    return try JSONDecoder().decode(Shown.self, from: Data(result.output.utf8))
  }

  @Test func `training and compressing are recorded as they were`() throws {
    let trained = try train("model.onnx", "--format", "json")
    #expect(trained.status == 0, "\(trained.errors)")
    struct Summary: Decodable {
      struct Epoch: Decodable { var validation: Validation }
      struct Validation: Decodable { var accuracy: Double }
      var bytes: Int
      var epochs: [Epoch]
    }
    let summary = try JSONDecoder().decode(Summary.self, from: Data(trained.output.utf8))
    let first = try show(1)
    #expect(first.run.kind == "train" && first.run.state == "finished")
    #expect(first.run.accuracy == summary.epochs[0].validation.accuracy)
    #expect(first.run.results["validation accuracy"] == first.run.accuracy)
    #expect(first.run.bytes == summary.bytes)
    #expect(first.run.settings["epochs"] == "1" && first.run.settings["batch"] == "16")
    #expect(first.run.settings["optimizer.nesterov"] == "false")
    #expect(first.run.settings["architecture"] == "resnet18")
    #expect(
      first.run.fingerprints["model"] == SHA256.hex(try Files.read("\(folder)/model.onnx")))
    #expect(first.run.files["model"] == "\(folder)/model.onnx")
    #expect(first.events.count == 1 && first.events[0].text.hasPrefix("epoch 1"))

    let compressed = try equant(
      "compress", "\(folder)/model.onnx", "--scheme", "kmeans:16", "--out", "\(folder)/small.onnx",
      environment: ["EQUANT_STORE": store])
    #expect(compressed.status == 0, "\(compressed.errors)")
    let second = try show(2)
    #expect(second.run.kind == "compress" && second.run.settings["scheme"] == "kmeans:16")
    #expect(second.run.fingerprints["base"] == first.run.fingerprints["model"])
    #expect(second.run.bytes == (try Files.read("\(folder)/small.onnx").count))

    let list = try equant("runs", "list", "--store", store)
    let lines = list.output.split(separator: "\n")
    #expect(lines.count == 3 && lines[1].hasPrefix("2    compress  finished"), "\(list.output)")
    let some = try equant("runs", "--store", store, "--kind", "train", "--search", "model")
    #expect(some.output.split(separator: "\n").count == 2)

    #expect(try equant("runs", "remove", "1", "7", "--store", store).status == 1)
    #expect(try show(1).run.kind == "train")
    #expect(try equant("runs", "remove", "1", "--store", store).status == 0)
    let gone = try equant("runs", "show", "1", "--store", store)
    #expect(gone.status == 1 && gone.errors.contains("there is no run 1"))
    #expect(Files.exists("\(folder)/model.onnx"))
  }

  @Test func `what was stopped and what failed is recorded as that`() throws {
    let failed = try train("failed.onnx", "--lr", "1e6")
    #expect(failed.status == 1)
    let first = try show(1).run
    #expect(first.state == "failed" && first.summary?.contains("diverged") == true)

    let run = try RunningCommand(arguments("stopped.onnx") + ["--checkpoint-every", "1"])
    for _ in 0..<6000 where !Files.exists("\(folder)/stopped.onnx.checkpoint") { usleep(5000) }
    kill(run.identifier, SIGINT)
    #expect(try run.wait().status == 130)
    #expect(try show(2).run.state == "stopped")
  }

  @Test func `two processes record at once`() throws {
    let both = try ["a.onnx", "b.onnx"].map { try RunningCommand(arguments($0)) }
    for run in both {
      let result = try run.wait()
      #expect(result.status == 0, "\(result.errors)")
    }
    #expect(Set([try show(1).run.files["model"], try show(2).run.files["model"]]).count == 2)
  }

  @Test func `a store that cannot be used is one line, before any work`() throws {
    try Files.replace(store, with: String(repeating: "not a store ", count: 500))
    for result in [try train("model.onnx"), try equant("runs", "list", "--store", store)] {
      #expect(result.status == 1)
      #expect(
        result.errors.hasPrefix(
          "Error: \(store): is damaged or is not a run store; move it away"), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1)
    }
    #expect(!Files.exists("\(folder)/model.onnx"))
    let missing = try equant("runs", "list", "--store", "\(folder)/none.sqlite")
    #expect(missing.status == 1 && missing.errors.contains("there is no run store here"))
    #expect(!Files.exists("\(folder)/none.sqlite"))
    #expect(try equant("runs", "list").status == 64)
  }

  @Test func `without a word runs go to the user's data folder, and its failure harms nothing`()
    throws
  {
    let data = "\(folder)/data"
    let environment = ["EQUANT_STORE": "", "XDG_DATA_HOME": data]
    let empty = try equant("runs", "list", environment: environment)
    #expect(empty.status == 0 && empty.output.contains("no such run in \(data)/equant"))
    for ending in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: "\(data)/equant/runs.sqlite\(ending)")
    }
    try Files.replace("\(data)/equant/runs.sqlite", with: String(repeating: "x", count: 5000))
    let arguments = arguments("model.onnx").filter { ![store, "--store", "--quiet"].contains($0) }
    let run = try RunningCommand(arguments, environment: environment).wait()
    #expect(run.status == 0)
    #expect(run.errors.contains("warning: this run is not recorded: \(data)/equant/runs.sqlite"))
    #expect(Files.exists("\(folder)/model.onnx"))
  }
}
