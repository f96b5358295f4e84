import ArgumentParser
import Faces
import Files
import Foundation
import Graphs
import Training

/// `equant verify`: whether another runtime gives the same answers.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Run a model in another runtime on the same images and compare the answers.",
    discussion: """
      Runs the file with Equant and with ONNX Runtime or OpenVINO, whose Python package must be \
      there, on exactly the same prepared images. Reports the largest difference of the outputs \
      and the images that are decided differently. Exits with 2 when a float model differs by more \
      than --tolerance, or a quantized one decides less than --agreement of the images alike.
      """)

  @Argument(help: "The model, an ONNX file.", completion: .file(extensions: ["onnx"]))
  var model: String

  @Option(help: "The other runtime.")
  var against: OtherRuntime

  @OptionGroup var dataOptions: DataOptions

  @OptionGroup(title: "Models made elsewhere") var modelOptions: ModelOptions

  @Option(help: "Which images.")
  var split = SplitChoice.test

  @Option(help: ArgumentHelp("Only the first images of the split.", valueName: "count"))
  var limit = 256

  @Option(
    help: ArgumentHelp(
      "The largest difference of a float model, as a share of its largest output.",
      valueName: "share"))
  var tolerance = 1e-4

  @Option(
    help: ArgumentHelp(
      "The share of decisions a quantized model must have in common.", valueName: "share"))
  var agreement = 0.99

  @Option(help: ArgumentHelp("The Python that has the runtime's package.", valueName: "program"))
  var python = "python3"

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard limit > 0 else { throw ValidationError("'--limit' is a number of images: 1 or more.") }
    guard tolerance >= 0, 0...1 ~= agreement else {
      throw ValidationError("'--tolerance' is 0 or more, '--agreement' from 0 to 1.")
    }
  }

  func run() throws {
    let opened = try modelOptions.open(model)
    let dataset = try dataOptions.open(
      target: opened.description.target, protected: opened.description.protected)
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("equant-verify-\(UUID().uuidString)").path
    try Files.makeFolder(folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }

    let rows = dataset.rows(in: split.split, limit: limit)
    guard !rows.isEmpty else {
      throw FileError(dataset.folder, "has no rows in the \(split) split")
    }
    var progress = Progress(quiet: output.quiet)
    let ours = try ours(opened, dataset, rows, to: "\(folder)/inputs") {
      progress.show("equant", $0, of: rows.count)
    }
    progress.say("running \(against.rawValue) on the same \(ours.rows.count) images")
    let theirs = try theirs(opened, folder)
    progress.clear()
    guard theirs.columns == ours.columns, theirs.values.count == ours.values.count else {
      throw FileError(
        model,
        "\(against.rawValue) gives \(theirs.columns) numbers to an image, Equant "
          + "\(ours.columns)")
    }
    let isQuantized = opened.graph.nodes.contains { $0.operation == .quantizeLinear }
    let report = VerifyReport(
      model: model, runtime: "\(against.rawValue) \(theirs.version)", ours: ours,
      theirs: theirs.values, meaning: opened.description.outputs ?? .logits,
      names: ours.rows.map { dataset.files[$0] }, isQuantized: isQuantized,
      limit: isQuantized ? agreement : tolerance)
    try output.write(report) { report.text }
    if !report.passes { throw ExitCode(2) }
  }

  /// Equant's outputs; the prepared images go to the file `inputs`.
  private func ours(
    _ opened: ModelOptions.Model, _ dataset: FaceDataset, _ rows: [Int], to inputs: String,
    progress: (Int) -> Void
  ) throws -> Outputs {
    guard FileManager.default.createFile(atPath: inputs, contents: nil),
      let file = FileHandle(forWritingAtPath: inputs)
    else { throw FileError(inputs, "could not be created") }
    defer { try? file.close() }
    let evaluator = Evaluator(opened.description.preprocessing)
    let values = opened.description.preprocessing.valueCount
    do {
      return try evaluator.outputs(
        of: opened.graph, on: dataset, rows: rows, progress: progress
      ) { images, count in
        try file.write(contentsOf: images.prefix(count * values).withUnsafeBytes { Data($0) })
      }
    } catch TrainingError.wrongModel(let problem) {
      throw FileError(model, problem)
    } catch let error as GraphError {
      throw FileError(model, "\(error)")
    }
  }

  /// What the other runtime makes of the images in `folder`.
  private func theirs(
    _ opened: ModelOptions.Model, _ folder: String
  ) throws -> (values: [Float], columns: Int, version: String) {
    struct Answer: Decodable {
      var version: String
      var columns: Int
    }
    var file = model
    if opened.isPacked {
      file = "\(folder)/model.onnx"
      try Files.replace(file, with: opened.contents)
    }
    let script = "\(folder)/verify.py"
    try Files.replace(script, with: PackageResources.verify_py)
    let shape = opened.description.preprocessing.shape
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      python, script, against.rawValue, file, "\(folder)/inputs", "\(folder)/outputs", "\(shape)",
      opened.graph.outputs[0].name,
    ]
    for name in ["answer", "errors"] {
      _ = FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil)
    }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: "\(folder)/answer")
    process.standardError = FileHandle(forWritingAtPath: "\(folder)/errors")
    try process.run()
    process.waitUntilExit()
    let errors = String(decoding: try Files.read("\(folder)/errors"), as: UTF8.self)
    let last = errors.split(separator: "\n").last.map(String.init) ?? "no reason given"
    switch process.terminationStatus {
    case 0: break
    case 3:
      throw FileError(
        python,
        "lacks the package of \(against.rawValue) (\(last)); install it with '\(python) -m "
          + "pip install \(against.rawValue)', or name another Python with --python")
    case 126, 127: throw FileError(python, "could not be started: \(last)")
    default: throw FileError(model, "\(against.rawValue) could not run it: \(last)")
    }
    let bytes = try Files.read("\(folder)/answer")
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)) else {
      throw FileError(python, "gave no answer that could be understood")
    }
    let outputs = try Files.read("\(folder)/outputs")
    let values = outputs.withUnsafeBytes { raw in
      (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    return (values, answer.columns, answer.version)
  }
}

/// The runtimes that a model can be held against, by the names of their Python packages.
enum OtherRuntime: String, ExpressibleByArgument, CaseIterable {
  case onnxruntime, openvino
}
