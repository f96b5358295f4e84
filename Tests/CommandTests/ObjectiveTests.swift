import ColourTask
import Files
import Foundation
import TestSupport
import Testing

/// Serialized, because every run computes on all threads.
@Suite(.serialized) struct ObjectiveTests {
  let folder: String

  init() throws {
    folder = try ColourTask(count: 240).folder
  }

  private func train(_ out: String, _ more: String...) throws -> CommandResult {
    try RunningCommand(
      [
        "train", "--data", folder, "--target", "Warm", "--out", "\(folder)/\(out)", "--size", "32",
        "--batch", "16", "--epochs", "1", "--precision", "f32",
      ] + more
    ).wait()
  }

  private struct Summary: Decodable {
    struct Constraint: Decodable {
      var name: String
      var multiplier: Double
      var train: Double?
      var validation: Double?
    }
    struct Epoch: Decodable {
      var constraints: [Constraint]?
    }
    var epochs: [Epoch]
  }

  @Test func `FairALM goes on from a model, and says what its constraints did`() throws {
    #expect(try train("normal.onnx", "--sampling", "balanced").status == 0)
    let result = try train(
      "fair.onnx", "--from", "\(folder)/normal.onnx", "--objective", "fairalm", "--minimum-cell",
      "1", "--dual-every", "2", "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("TPR male - female: multiplier"))
    let summary = try JSONDecoder().decode(Summary.self, from: Data(result.output.utf8))
    let constraints = try #require(summary.epochs.first?.constraints)
    #expect(constraints.map(\.name) == ["TPR male - female", "FPR male - female"])
    #expect(constraints.allSatisfy { $0.train != nil && $0.validation != nil })
    #expect(
      try equant("predict", "\(folder)/fair.onnx", "--data", folder, "--out", "\(folder)/p.csv")
        .status == 0)
  }

  @Test(arguments: ["paper", "released"])
  func `the published forms train`(form: String) throws {
    let result = try train(
      "\(form).onnx", "--objective", "fairalm", "--fairalm-form", form, "--eta", "0.05")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("TPR male - female: multiplier"))
  }

  @Test func `choices that contradict each other are refused`() throws {
    for (arguments, word) in [
      (["--eta", "1"], "fairalm"),
      (["--objective", "fairalm", "--inner-steps", "2"], "inner-steps"),
      (["--objective", "fairalm", "--fairalm-form", "paper", "--penalty", "1"], "penalty"),
      (["--sampling", "balanced", "--reweigh"], "reweigh"),
      (["--from", "a.onnx", "--weights", "b.onnx"], "--from"),
    ] {
      let result = try RunningCommand(
        ["train", "--data", folder, "--out", "\(folder)/x.onnx"] + arguments
      ).wait()
      #expect(result.status == 64)
      #expect(result.errors.contains(word), "\(result.errors)")
    }
    let table = "\(folder)/list_attr_celeba.txt"
    let result = try train("x.onnx", "--from", table)
    #expect(result.status == 1)
    #expect(result.errors.contains("list_attr_celeba.txt"))
    #expect(!Files.exists("\(folder)/x.onnx"))
  }
}
