import ArgumentParser
import Execution
import Faces
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
      The score is the probability of the positive class. Images are prepared as the model's own \
      metadata say, or for a model that was made elsewhere as --preprocess says; target and \
      protected attributes are the model's unless others are given. Float and int8 models are run \
      alike.
      """)

  @Argument(
    help: "The model, an ONNX file: one of Equant's, or any other classifier.",
    completion: .file(extensions: ["onnx"]))
  var model: String

  @OptionGroup var dataOptions: DataOptions

  @OptionGroup(title: "Models made elsewhere") var modelOptions: ModelOptions

  @Option(help: "Which images.")
  var split = SplitChoice.test

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

  @OptionGroup var output: OutputOptions

  func run() throws {
    if let out { try Files.checkWritable(out) }
    let opened = try modelOptions.open(model)
    let dataset = try dataOptions.open(
      target: opened.description.target, protected: opened.description.protected)
    var progress = Progress(quiet: output.quiet)
    for warning in dataset.warnings { progress.say("warning: \(warning)") }
    let (predictions, skipped) = try opened.predictions(
      on: dataset, split: split.split, precision: precision.precision, limit: limit,
      skipsDamaged: skipDamaged, path: model
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

extension ModelOptions.Model {
  /// The scores of a split; errors of the model name its file.
  func predictions(
    on dataset: FaceDataset, split: Split, precision: Precision, limit: Int?, skipsDamaged: Bool,
    path: String, progress: (Int, Int) -> Void
  ) throws -> (predictions: Predictions, skipped: [String]) {
    do {
      return try Predictor.predict(
        graph, on: dataset, split: split, precision: precision, limit: limit,
        skipsDamaged: skipsDamaged, progress: progress)
    } catch TrainingError.wrongModel(let problem) {
      throw FileError(path, problem)
    } catch let error as GraphError {
      throw FileError(path, "\(error)")
    } catch let error as ExecutionError {
      throw FileError(path, "\(error)")
    }
  }
}
