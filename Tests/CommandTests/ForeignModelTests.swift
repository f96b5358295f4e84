import ColourTask
import Files
import Foundation
import Graphs
import TestSupport
import Testing

/// Models that say nothing of themselves, as other programs export them.
@Suite(.serialized) struct ForeignModelTests {
  let folder: String

  init() throws {
    folder = try ColourTask(count: 60).folder
    try ONNXFile.write(ResNet.resnet18(classes: 2, imageSize: 32), to: "\(folder)/fixed.onnx")
  }

  private func run(_ command: String, _ more: String...) throws -> CommandResult {
    try RunningCommand(
      [command] + more + ["--data", folder, "--target", "Warm", "--protected", "Male"]
    ).wait()
  }

  @Test func `it must be said how images are prepared, and what is asked`() throws {
    let silent = try run("predict", "\(folder)/fixed.onnx")
    #expect(silent.status == 1)
    #expect(silent.errors.contains("does not say how its images are prepared; give --preprocess"))
    let open = try equant(
      "predict", "\(folder)/fixed.onnx", "--data", folder, "--preprocess", "torchvision")
    #expect(open.status == 1)
    #expect(open.errors.contains("give --target and --protected"))
    let wrong = try run(
      "predict", "\(folder)/fixed.onnx", "--preprocess", "torchvision", "--image-size", "40")
    #expect(wrong.status == 1)
    #expect(wrong.errors.contains("takes [?, 3, 32, 32], but images are prepared as [3, 40, 40]"))
  }

  @Test func `it is scored, audited and compressed, and the result says what it needs`() throws {
    let out = "\(folder)/scores.csv"
    let scored = try run(
      "predict", "\(folder)/fixed.onnx", "--preprocess", "timm", "--out", out)
    #expect(scored.status == 0, "\(scored.errors)")
    let audited = try run(
      "audit", "--model", "\(folder)/fixed.onnx", "--preprocess", "timm", "--format", "json")
    #expect(audited.status == 0, "\(audited.errors)")
    #expect(try equant("audit", out, "--format", "json").output == audited.output)

    let small = "\(folder)/small.onnx"
    let compressed = try run(
      "compress", "\(folder)/fixed.onnx", "--preprocess", "timm", "--calibration-count", "16",
      "--out", small)
    #expect(compressed.status == 0, "\(compressed.errors)")
    // Nothing more needs to be said.
    let again = try equant("predict", small, "--data", folder)
    #expect(again.status == 0, "\(again.errors)")
    #expect(again.output.split(separator: "\n").count == 7)
  }

  @Test func `the positive class can be the first, and then the scores turn round`() throws {
    func scores(_ more: String...) throws -> [Double] {
      let result = try RunningCommand(
        [
          "predict", "\(folder)/fixed.onnx", "--data", folder, "--target", "Warm", "--protected",
          "Male", "--preprocess", "torchvision",
        ] + more
      ).wait()
      #expect(result.status == 0, "\(result.errors)")
      return result.output.split(separator: "\n").dropFirst().compactMap {
        Double($0.split(separator: ",")[2])
      }
    }
    let usual = try scores()
    #expect(usual.count == 6)
    for (one, other) in zip(usual, try scores("--positive-class", "0")) {
      #expect(abs(one + other - 1) < 1e-12)
    }
    let result = try run(
      "predict", "\(folder)/fixed.onnx", "--preprocess", "torchvision", "--positive-class", "2")
    #expect(result.status == 1 && result.errors.contains("the positive class is 2, but the model"))
  }

  @Test func `it is trained further, with a new last layer for other classes`() throws {
    let (five, out) = ("\(folder)/five.onnx", "\(folder)/tuned.onnx")
    try ONNXFile.write(ResNet.resnet18(classes: 5, imageSize: 32), to: five)
    let settings = ["--epochs", "1", "--batch", "8", "--objective", "fairalm", "--held-out", "0.3"]
    func train(_ more: [String]) throws -> CommandResult {
      try RunningCommand(
        ["train", "--from", five, "--out", out, "--data", folder, "--target", "Warm"]
          + ["--protected", "Male"] + settings + more
      ).wait()
    }
    let silent = try train([])
    #expect(silent.status == 1 && silent.errors.contains("give --preprocess"), "\(silent.errors)")
    let trained = try train(["--preprocess", "torchvision"])
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(trained.errors.contains("the last layer is drawn anew for 2 classes; it had 5"))
    let scored = try equant("predict", out, "--data", folder)
    #expect(scored.status == 0, "\(scored.errors)")
  }

  @Test func `a missing runtime is one clear line`() throws {
    let result = try run(
      "verify", "\(folder)/fixed.onnx", "--preprocess", "torchvision", "--against", "onnxruntime",
      "--python", "no-such-python", "--quiet")
    #expect(result.status == 1)
    #expect(result.errors.contains("no-such-python: could not be started"))
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
  }
}
