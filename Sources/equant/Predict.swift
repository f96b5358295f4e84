public import ArgumentParser
public import Faces
import Files
import Graphs
import Predictions
import Training

/// `equant predict`: a model's scores for every image of a split.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Score every image of a split with a model.",
    discussion: """
      Writes a CSV file with the columns id, label, score, group and, where it is known, identity. \
      The score is the probability of class 1. Images are prepared as the model's own metadata \
      say; target and protected attributes are the model's unless others are given. Float and \
      int8 models are run alike.
      """)

  @Argument(
    help: "The model, an ONNX file written by 'equant train' or 'equant compress'.",
    completion: .file(extensions: ["onnx"]))
  var model: String

  @OptionGroup var dataOptions: DataOptions

  @Option(help: "Which images.")
  var split = Split.test

  @Option(
    help: ArgumentHelp("Where the predictions go; by default standard output.", valueName: "file"),
    completion: .file(extensions: ["csv"]))
  var out: String?

  @Option(help: "The arithmetic of what is not quantized.")
  var precision = PrecisionChoice.f32

  @Option(help: ArgumentHelp("Only the first images of the split.", valueName: "count"))
  var limit: Int?

  @Flag(help: "Leave damaged images out, and count them, instead of stopping.")
  var skipDamaged = false

  @Option(help: .hidden, completion: .file(extensions: ["safetensors"]))
  var dumpInputs: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    for path in [out, dumpInputs].compactMap(\.self) { try Files.checkWritable(path) }
    let graph = try ONNXFile.read(model)
    let description = try ModelDescription(of: graph, path: model)
    let dataset = try dataOptions.open(
      target: description.target, protected: description.protected)
    var progress = Progress(quiet: output.quiet)
    for warning in dataset.warnings { progress.say("warning: \(warning)") }
    if let dumpInputs {
      let rows = dataset.rows(in: split, limit: limit)
      let dump = try InputDump(
        of: graph, on: dataset, rows: rows, preprocessing: description.preprocessing)
      try dump.write(to: dumpInputs)
    }
    let (predictions, skipped) = try Predictor.predict(
      graph, on: dataset, split: split, precision: precision.precision, limit: limit,
      skipsDamaged: skipDamaged
    ) { progress.show("predicting", $0, of: $1) }
    for problem in skipped { progress.say("left out: \(problem)") }
    progress.clear()
    guard let out else {
      print(String(decoding: predictions.csv(), as: UTF8.self), terminator: "")
      return
    }
    try predictions.write(to: out)
    progress.say("\(out): \(predictions.count) predictions, \(skipped.count) images left out")
  }
}

extension Split: ExpressibleByArgument {
  /// Reads `train`, `validation` or `test`.
  public init?(argument: String) {
    guard let split = Split.allCases.first(where: { "\($0)" == argument }) else { return nil }
    self = split
  }

  /// The three names.
  public static var allValueStrings: [String] { allCases.map { "\($0)" } }

  /// The name that is shown in help.
  public var defaultValueDescription: String { "\(self)" }
}
