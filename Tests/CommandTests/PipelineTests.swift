import ColourTask
import Files
import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

/// A model from its images to its audit, with every command that a person would type.
@Suite(.serialized) struct PipelineTests {
  @Test func `train, compress, inspect, predict, compare and audit fit together`() throws {
    let task = try ColourTask(count: 200)
    let folder = task.folder
    func run(_ arguments: String...) throws -> CommandResult {
      let result = try RunningCommand(arguments).wait()
      #expect(result.status == 0, "\(arguments): \(result.errors)")
      return result
    }
    func json(_ text: String) throws -> [String: Any] {
      let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
      return try #require(value as? [String: Any])
    }
    _ = try run(
      "train", "--data", folder, "--target", "Warm", "--out", "\(folder)/model.onnx", "--size",
      "32", "--batch", "16", "--epochs", "1", "--precision", "f32", "--quiet")
    let report = try json(
      run(
        "compress", "\(folder)/model.onnx", "--scheme", "int8", "--data", folder, "--out",
        "\(folder)/int8.onnx", "--calibration-count", "32", "--format", "json", "--quiet"
      ).output)
    let bytes = try Files.read("\(folder)/int8.onnx").count
    #expect(try bytes * 3 < Files.read("\(folder)/model.onnx").count)
    #expect(!report.isEmpty)

    let inspected = try json(run("inspect", "\(folder)/int8.onnx", "--format", "json").output)
    #expect(inspected["bytes"] as? Int == bytes)
    let payload = try #require(inspected["payload"] as? Int)
    #expect(inspected["overhead"] as? Int == bytes - payload)
    let operators = (inspected["operators"] as? [[String: Any]])?.compactMap {
      $0["operation"] as? String
    }
    #expect(operators?.contains("QuantizeLinear") ?? false)
    #expect(try run("inspect", "\(folder)/model.onnx").output.contains("Conv"))

    // What the compression changed; all rows and the rest are the files' lengths.
    let changed = try json(
      run(
        "inspect", "\(folder)/model.onnx", "--diff", "\(folder)/int8.onnx", "--format", "json"
      ).output)
    let tensors = try #require(changed["tensors"] as? [[String: Any]])
    for (side, key) in [("before", "bytesBefore"), ("after", "bytesAfter")] {
      let file = try #require(changed[side] as? [String: Any])
      let rows = tensors.compactMap { $0[key] as? Int }.reduce(0, +)
      let (length, rest) = (file["bytes"] as? Int, file["overhead"] as? Int)
      #expect(length == rows + (rest ?? -1))
    }
    let weight = try #require(tensors.first { ($0["name"] as? String) == "conv1.weight" })
    let parts = try #require(weight["after"] as? [[String: Any]])
    #expect(weight["change"] as? String == "changed")
    #expect(parts.compactMap { $0["elementType"] as? String } == ["int8", "float32"])
    let text = try run(
      "inspect", "\(folder)/model.onnx", "--diff", "\(folder)/int8.onnx"
    ).output
    #expect(text.contains("int8 + float32") && text.contains("the file"))
    #expect(
      try run("inspect", "\(folder)/int8.onnx", "--diff", "\(folder)/int8.onnx").output
        .contains("more  same"))
    let missing = try RunningCommand([
      "inspect", "\(folder)/int8.onnx", "--diff", "\(folder)/none.onnx",
    ]).wait()
    #expect(missing.status == 1 && missing.errors.contains("none.onnx"))

    for model in ["model", "int8"] {
      _ = try run(
        "predict", "\(folder)/\(model).onnx", "--data", folder, "--out",
        "\(folder)/\(model).csv", "--quiet")
    }

    // Packed it is shorter, decides alike, and comes out again as it went in.
    let sizes = try json(
      run(
        "pack", "\(folder)/int8.onnx", "--out", "\(folder)/int8.packed", "--format", "json"
      ).output)
    #expect(sizes["before"] as? Int == bytes && (sizes["after"] as? Int ?? bytes) < bytes)
    _ = try run(
      "predict", "\(folder)/int8.packed", "--data", folder, "--out", "\(folder)/packed.csv",
      "--quiet")
    #expect(try Files.read("\(folder)/packed.csv") == Files.read("\(folder)/int8.csv"))
    _ = try run("unpack", "\(folder)/int8.packed", "--out", "\(folder)/again.onnx")
    #expect(try Files.read("\(folder)/again.onnx") == Files.read("\(folder)/int8.onnx"))
    try Files.replace("\(folder)/cut.packed", with: Files.read("\(folder)/int8.packed").dropLast())
    let cut = try RunningCommand([
      "unpack", "\(folder)/cut.packed", "--out", "\(folder)/again.onnx",
    ]).wait()
    #expect(isRefusal(cut, naming: "cut.packed", "damaged"), "\(cut)")
    let twice = try RunningCommand([
      "pack", "\(folder)/int8.packed", "--out", "\(folder)/again.onnx",
    ]).wait()
    #expect(isRefusal(twice, naming: "int8.packed", "packed already"), "\(twice)")
    #expect(try Files.read("\(folder)/again.onnx") == Files.read("\(folder)/int8.onnx"))

    let compared = try json(
      run("compare", "\(folder)/model.csv", "\(folder)/int8.csv", "--format", "json").output)
    #expect(compared["rows"] as? Int == 20)

    // Predicting and auditing in one go is predicting, then auditing.
    for model in ["model", "int8"] {
      let direct = try run(
        "audit", "--model", "\(folder)/\(model).onnx", "--data", folder, "--format", "json",
        "--quiet")
      let file = try run("audit", "\(folder)/\(model).csv", "--format", "json")
      #expect(direct.output == file.output)
      #expect(direct.errors.isEmpty, "\(direct.errors)")
    }
    let train = try json(
      run(
        "audit", "--model", "\(folder)/model.onnx", "--data", folder, "--split", "train",
        "--format", "json", "--quiet"
      ).output)
    #expect(train["rows"] as? Int == 160)
    let refused = try equant("audit", "--model", "\(folder)/model.csv", "--data", folder)
    #expect(isRefusal(refused, naming: "model.csv"))
    let clustered = try equant(
      "audit", "--model", "\(folder)/model.onnx", "--data", folder, "--cluster", "identity",
      "--quiet")
    #expect(isRefusal(clustered, naming: folder, "drop '--cluster'"))
  }

  @Test func `compression under limits ends in a certificate or in a plain no`() throws {
    let task = try ColourTask(count: 240)
    let folder = task.folder
    let model = "\(folder)/model.onnx"
    let small = "\(folder)/small.onnx"
    let trained = try RunningCommand([
      "train", "--data", folder, "--target", "Warm", "--out", model, "--size", "32", "--batch",
      "16", "--epochs", "1", "--precision", "f32", "--quiet",
    ]).wait()
    #expect(trained.status == 0, "\(trained.errors)")
    func compress(_ arguments: String...) throws -> CommandResult {
      try RunningCommand(
        ["compress", model, "--data", folder, "--out", small, "--quiet"] + arguments
          + ["--choice", "uniform:4", "--choice", "uniform:8", "--store", "\(folder)/runs.sqlite"]
      ).wait()
    }
    // Before anything is chosen for good, what would come of it: nothing is written but the table.
    let dry = try compress("--budget", "8MB", "--max-accuracy-drop", "1", "--dry-run")
    #expect(dry.status == 0 && dry.output.hasPrefix("predicted, not run:"), "\(dry)")
    #expect(!Files.exists(small) && Files.exists("\(small).deltas"))
    let dryNo = try compress("--budget", "8MB", "--max-accuracy-drop", "0", "--dry-run")
    #expect(dryNo.status == 2 && dryNo.output.contains("from the kept table"), "\(dryNo)")
    // So few rows prove nothing about a gap.
    let closest = "\(folder)/closest.onnx"
    let strict = try compress(
      "--budget", "8MB", "--max-drift", "equalOpportunity=0.01", "--closest", closest)
    #expect(strict.status == 2 && strict.output.hasPrefix("infeasible: drift of equalOpportunity"))
    #expect(strict.output.contains("NOT KEPT") && strict.output.contains(closest))
    #expect(strict.output.contains("with --tune 1"))
    #expect(!Files.exists(small))
    let refused = try equant("verify-certificate", closest, "--data", folder)
    #expect(isRefusal(refused, naming: closest, "carries no certificate"), "\(refused)")
    let loose = try compress("--budget", "8MB", "--max-accuracy-drop", "1", "--explain")
    #expect(loose.status == 0, "\(loose.errors)")
    #expect(loose.output.hasPrefix("feasible") && loose.output.contains("from the kept table"))
    #expect(loose.output.contains("without the limit on accuracy"))
    #expect(try Files.read(small).count <= 8_000_000)
    #expect(Files.exists("\(small).certificate.json"))
    let runs = try equant(
      "runs", "list", "--store", "\(folder)/runs.sqlite", "--format", "json"
    ).output
    #expect(runs.contains("infeasible: drift of equalOpportunity binds"), "\(runs)")
    #expect(runs.contains("feasible and certified"), "\(runs)")

    let verified = try equant("verify-certificate", small, "--data", folder, "--base", model)
    #expect(verified.status == 0, "\(verified)")
    let another = try equant("verify-certificate", small, "--data", folder, "--base", small)
    #expect(another.status == 2 && another.output.contains("THE FLOAT MODEL IS NOT"), "\(another)")
    // Other images are not what was certified.
    let other = try ColourTask(count: 240, seed: 2)
    #expect(try equant("verify-certificate", small, "--data", other.folder).status == 2)
    // A changed weight is not the model that was certified.
    var bytes = try Files.read(small)
    bytes[bytes.count / 2] ^= 1
    try Files.replace(small, with: bytes)
    let changed = try equant("verify-certificate", small, "--data", folder)
    #expect(changed.status != 0, "\(changed)")
    let plain = try equant("verify-certificate", model, "--data", folder)
    #expect(isRefusal(plain, naming: model, "carries no certificate"))
    // A scheme that keeps the limits is left as it is; one that does not is refused.
    func hold(_ arguments: String...) throws -> CommandResult {
      try RunningCommand(
        ["compress", model, "--data", folder, "--out", held, "--quiet"] + arguments
      ).wait()
    }
    let held = "\(folder)/held.onnx"
    let kept = try hold("--scheme", "kmeans:16", "--max-accuracy-drop", "1")
    #expect(kept.status == 0 && kept.output.contains("keeps every limit as it is"), "\(kept)")
    let heldAgain = try equant("verify-certificate", held, "--base", model, "--data", folder)
    #expect(heldAgain.status == 0, "\(heldAgain)")
    let heldBytes = try Files.read(held)
    let lost = try hold("--scheme", "kmeans:2", "--max-drift", "equalOpportunity=0.001")
    #expect(lost.status == 2 && lost.output.hasPrefix("infeasible"), "\(lost)")
    #expect(
      lost.output.contains("variances restored")
        && lost.output.contains("held.onnx was not written"))
    #expect(try Files.read(held) == heldBytes)

    let tiny = try compress("--budget", "1KB", "--max-accuracy-drop", "1")
    #expect(isRefusal(tiny, naming: model, "budget"), "\(tiny)")
    #expect(try Files.read(small) == bytes)
  }

  @Test func `a study writes its numbers, models and tables, and does nothing twice`() throws {
    let task = try ColourTask(count: 120)
    let out = "\(task.folder)/study"
    let arguments = [
      "study", "--data", task.folder, "--target", "Warm", "--out", out, "--epochs", "1",
      "--size", "32", "--models", "int8,kmeans-8,calibrated-eo-int8", "--quiet",
    ]
    let first = try RunningCommand(arguments).wait()
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.output.contains("Table 1.") && first.output.contains("Table 4."))
    let json = try JSONSerialization.jsonObject(with: Data(Files.read("\(out)/study.json")))
    let study = try #require(json as? [String: Any])
    let models = (study["rows"] as? [[String: Any]])?.compactMap { $0["model"] as? String } ?? []
    #expect(models.starts(with: ["fine-tuned", "int8"]) && Set(models).count == models.count)
    #expect(study["provenance"] is [String: Any])
    let written = try FileManager.default.subpathsOfDirectory(atPath: out)
    for end in [".onnx", ".csv", ".md", ".tex", ".txt"] {
      #expect(written.contains { $0.hasSuffix(end) }, "\(end) in \(written)")
    }
    let made = try modificationDate(of: "\(out)/seed-0/fine-tuned.onnx")
    let second = try RunningCommand(arguments).wait()
    #expect(second.status == 0 && second.output == first.output)
    #expect(try modificationDate(of: "\(out)/seed-0/fine-tuned.onnx") == made)
  }

  @Test func `a frontier compares ways to be as small, and draws them`() throws {
    let task = try ColourTask(count: 120)
    let out = "\(task.folder)/frontier"
    let arguments = [
      "study", "--preset", "frontier", "--data", task.folder, "--target", "Warm", "--out", out,
      "--epochs", "1", "--size", "32", "--clusters", "16", "--models",
      "threshold-16,uniform-16,limits-16", "--quiet",
    ]
    let first = try RunningCommand(arguments).wait()
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.output.contains("Frontier.") && first.output.contains("under limits"))
    #expect(first.output.contains("certified") || first.output.contains("refused"))
    let table = String(decoding: try Files.read("\(out)/frontier.csv"), as: UTF8.self)
    #expect(table.contains("one threshold") && table.contains("even grid"))
    // The file under limits is no larger than that of plain clusters.
    let sizes = try ["limits-16", "plain-16"].map {
      try Files.read("\(out)/seed-0/\($0).onnx").count
    }
    #expect(sizes[0] <= sizes[1])
    let figure = try XMLDocument(contentsOf: URL(fileURLWithPath: "\(out)/frontier.svg"))
    #expect(figure.rootElement()?.name == "svg")
    let made = try modificationDate(of: "\(out)/seed-0/limits-16.onnx")
    #expect(try RunningCommand(arguments).wait().output == first.output)
    #expect(try modificationDate(of: "\(out)/seed-0/limits-16.onnx") == made)
    // The same from models that are there: nothing is trained, and each is a run.
    let model = "\(out)/seed-0/fine-tuned.onnx"
    let given = try RunningCommand([
      "study", "--preset", "frontier", "--data", task.folder, "--target", "Warm", "--out",
      "\(out)-given", "--base", model, "--base", model, "--clusters", "16", "--models",
      "uniform-16", "--quiet",
    ]).wait()
    #expect(given.status == 0, "\(given.errors)")
    #expect(!Files.exists("\(out)-given/seed-0/fine-tuned.checkpoint"))
    for seed in 0...1 {
      #expect(
        try Files.read("\(out)-given/seed-\(seed)/uniform-16.csv")
          == Files.read("\(out)/seed-0/uniform-16.csv"))
    }
    let other = try RunningCommand([
      "study", "--preset", "frontier", "--data", task.folder, "--target", "Male", "--protected",
      "Warm", "--out", "\(out)-other", "--base", model,
    ]).wait()
    #expect(isRefusal(other, naming: model, "predicts Warm"), "\(other)")
    #expect(try equantStatus(["study", "--base", model, "--seeds", "2"]) == 64)
    for wrong in [["--clusters", "12"], ["--clusters", "16,16"], ["--tune", "0"]] {
      #expect(try equantStatus(["study", "--preset", "frontier"] + wrong) == 64)
    }
    #expect(try equantStatus(["study", "--clusters", "16"]) == 64)
  }

  private func equantStatus(_ arguments: [String]) throws -> Int32 {
    try RunningCommand(arguments).wait().status
  }

  @Test func `portraits draws what was asked for, and the same again`() throws {
    let folder = try temporaryFolder()
    let result = try equant(
      "portraits", "--out", "\(folder)/faces", "--count", "12", "--size", "44x54", "--format",
      "json", "--quiet")
    #expect(result.status == 0, "\(result.errors)")
    let summary =
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
    #expect(summary?["drawn"] as? Int == 12)
    let images = try FileManager.default.contentsOfDirectory(
      atPath: "\(folder)/faces/img_align_celeba")
    #expect(images.count == 12)
    for name in ["list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"] {
      #expect(Files.exists("\(folder)/faces/\(name)"))
    }
    let again = try equant(
      "portraits", "--out", "\(folder)/again", "--count", "12", "--size", "44x54", "--threads",
      "1", "--quiet")
    #expect(again.status == 0)
    for image in images {
      #expect(
        try Files.read("\(folder)/faces/img_align_celeba/\(image)")
          == Files.read("\(folder)/again/img_align_celeba/\(image)"))
    }
    #expect(
      isRefusal(
        try equant("portraits", "--out", "\(folder)/x", "--annotations", "/nowhere"),
        naming: "/nowhere"))
  }

  @Test func `doctor names its libraries and what this processor can do`() throws {
    let result = try equant("doctor", "--format", "json")
    #expect(result.status == 0, "\(result.errors)")
    let found =
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
    let libraries = found?["libraries"] as? [[String: Any]]
    for name in ["oneDNN", "libjpeg-turbo", "cairo"] {
      let library = libraries?.first { ($0["name"] as? String)?.contains(name) ?? false }
      #expect(library?["version"] is String && library?["path"] is String, "\(name)")
    }
    #expect(found?["threads"] as? Int ?? 0 > 0)
    #expect(found?["nativeInt8"] is Bool && found?["nativeBFloat16"] is Bool)
    let text = try equant("doctor")
    #expect(text.status == 0 && text.output.contains("instruction set"))
  }

  private func modificationDate(of path: String) throws -> Date {
    let found = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate]
    return try #require(found as? Date)
  }
}
