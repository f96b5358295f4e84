import ArgumentParser
import Execution
import Faces
import Fairness
import Files
import Foundation
import Graphs
import Store
import Training

/// `equant train`: fits a model to a data set.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Fit a model to faces.",
    discussion: """
      Trains a ResNet on the training split, validates after every epoch and writes the best \
      epoch's model as an ONNX file. Beside the model a checkpoint is kept while the run lasts: \
      after Ctrl-C or a crash the same command goes on where the run was and ends with the same \
      bytes. Exits with 1 when something is wrong with the input or training diverges, and with \
      130 when it was interrupted and has saved its state.
      """)

  @OptionGroup var dataOptions: DataOptions

  @Option(
    help: ArgumentHelp("Where the model goes, an ONNX file.", valueName: "file"),
    completion: .file(extensions: ["onnx"]))
  var out: String

  @Option(
    help: ArgumentHelp(
      """
      Weights to start from, with torchvision's names: safetensors, a PyTorch state dictionary \
      (.pth, .pt) or ONNX.
      """, valueName: "file"),
    completion: .file(extensions: ["safetensors", "pth", "pt", "onnx"]))
  var weights: String?

  @Option(
    help: ArgumentHelp(
      """
      A model to go on from: its network, weights and preparation. One that was made elsewhere \
      needs --preprocess; if it has other classes, its last layer is drawn anew.
      """, valueName: "file"),
    completion: .file(extensions: ["onnx"]))
  var from: String?

  @OptionGroup(title: "Models made elsewhere") var modelOptions: ModelOptions

  @Option(help: "The network.")
  var architecture = Architecture.resnet18

  @OptionGroup(title: "Objective") var objective: ObjectiveOptions

  @OptionGroup(title: "Settings") var options: TrainingOptions

  @Option(
    help: ArgumentHelp("Also write every epoch's numbers as JSON.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var log: String?

  @Option(
    help: ArgumentHelp("Steps between checkpoints within an epoch.", valueName: "steps"))
  var checkpointEvery = 500

  @Flag(help: "Begin anew, ignoring the checkpoint of an earlier run.")
  var fresh = false

  @OptionGroup var storeOptions: StoreOptions

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard checkpointEvery >= 1 else {
      throw ValidationError("'--checkpoint-every' counts steps: give 1 or more.")
    }
    guard from == nil || weights == nil else {
      throw ValidationError("Give '--from' or '--weights', not both.")
    }
  }

  func run() throws {
    Interruption.watch()
    let model = try from.map { try modelOptions.open($0) }
    var settings = options.settings(
      fineTuning: model != nil || weights != nil, preprocessing: model?.description.preprocessing)
    objective.apply(to: &settings)
    try settings.validate()
    try Files.checkWritable(out)
    if let log { try Files.checkWritable(log) }
    var progress = Progress(quiet: output.quiet)
    let dataset = try dataOptions.open()
    for warning in dataset.warnings { progress.say("warning: \(warning)") }
    let graph: Graph
    if let model, let from {
      graph = try model.graph(
        training: dataset.classNames.count, seed: settings.seed, path: from, progress)
    } else {
      graph = try architecture.startingGraph(
        weights: weights, classes: dataset.classNames.count, seed: settings.seed)
    }
    let checkpoint = "\(out).checkpoint"
    let trainer: Trainer
    do {
      trainer = try Trainer(
        settings, dataset: dataset, graph: graph,
        checkpoints: CheckpointPlan(path: checkpoint, interval: checkpointEvery, isFresh: fresh))
    } catch let error as ExecutionError {
      // Equant's own networks can be trained; only a file can bring something else.
      throw FileError(from ?? out, "cannot be trained: \(error)")
    }
    let recording = try record(trainer)
    announce(trainer, progress)
    try recording.during {
      let result: TrainingResult
      do {
        result = try trainer.run(shouldStop: { Interruption.isRequested }) { event in
          progress.show(event, epochs: settings.epochs)
          recording.show(event, epochs: settings.epochs)
          if case .epoch = event, let log { try? write(trainer.state.records, to: log) }
        }
      } catch let stop as TrainingError {
        guard case .stopped = stop else { throw stop }
        progress.clear()
        FileHandle.standardError.write(Data("\(stop)\n".utf8))
        throw ExitCode(130)
      }
      try ONNXFile.write(result.graph, to: out)
      if let log { try write(result.epochs, to: log) }
      try? FileManager.default.removeItem(atPath: checkpoint)
      progress.clear()
      try summarize(result, recording)
    }
  }

  private func record(_ trainer: Trainer) throws -> Recording {
    var texts = try settingTexts(trainer.settings)
    texts["architecture"] = from == nil ? architecture.rawValue : nil
    texts["from"] = from
    texts["weights"] = weights
    texts["data"] = dataOptions.data
    texts["target"] = trainer.dataset.target
    texts["protected"] = trainer.dataset.protected.joined(separator: ", ")
    var files = ["model": out]
    files["log"] = log
    return try Recording(
      Run(
        .train, title: out, settings: texts,
        fingerprints: [
          "data": trainer.state.identity.data, "starting weights": trainer.state.identity.start,
        ], files: files), in: storeOptions, quiet: output.quiet)
  }

  private func announce(_ trainer: Trainer, _ progress: borrowing Progress) {
    let rows = trainer.dataset.rows(in: .train, limit: trainer.settings.limit).count
    progress.say(
      "\(from ?? "\(architecture)") on \(rows) images of \(trainer.dataset.target), "
        + "\(trainer.settings.epochs) epochs of \(trainer.stepsPerEpoch) steps, "
        + "\(trainer.settings.precision.rawValue)")
    guard trainer.isResumed else { return }
    progress.say(
      "going on from \(out).checkpoint: epoch \(trainer.state.epoch + 1), "
        + "step \(trainer.state.step + 1)")
  }

  private func write(_ records: [EpochRecord], to path: String) throws {
    try Files.replace(path, with: Array(try prettyJSON(records).utf8) + [10])
  }

  private func summarize(_ result: TrainingResult, _ recording: Recording) throws {
    struct Summary: Encodable {
      var model: String
      var bytes: Int
      var bestEpoch: Int
      var epochs: [EpochRecord]
    }
    let contents = try Files.read(out)
    let bytes = contents.count
    let best = result.epochs[result.bestEpoch - 1]
    recording.finish { run in
      run.bytes = bytes
      run.accuracy = best.validation?.accuracy
      run.equalOpportunity = best.validation?.audit?.gaps[.equalOpportunity]?.absolute
      run.fingerprints["model"] = SHA256.hex(contents)
      run.results = best.numbers
      run.summary = best.line
    }
    try output.write(
      Summary(model: out, bytes: bytes, bestEpoch: result.bestEpoch, epochs: result.epochs)
    ) {
      "\(out)  \(bytes) bytes, \(best.line)"
    }
  }
}

extension ModelOptions.Model {
  /// The graph ready to be trained on `classes` classes; the last layer is drawn anew where it has
  /// another number.
  func graph(
    training classes: Int, seed: UInt64, path: String, _ progress: borrowing Progress
  ) throws -> Graph {
    let graph = graph.separatingParameters()
    guard graph.outputs.count == 1, let found = graph.outputs[0].shape.last ?? nil,
      found != classes
    else { return graph }
    guard let fresh = graph.replacingHead(classes: classes, seed: seed) else {
      throw FileError(
        path,
        "has \(found) outputs for \(classes) classes, and does not end in a fully connected "
          + "layer that could be drawn anew")
    }
    progress.say("the last layer is drawn anew for \(classes) classes; it had \(found)")
    return fresh
  }
}

/// The networks that can be trained.
enum Architecture: String, ExpressibleByArgument, CaseIterable {
  case resnet18, resnet34, resnet50

  /// The network with weights drawn from `seed`, or zero ones.
  func graph(classes: Int, seed: UInt64?) -> Graph {
    switch self {
    case .resnet18: ResNet.resnet18(classes: classes, seed: seed)
    case .resnet34: ResNet.resnet34(classes: classes, seed: seed)
    case .resnet50: ResNet.resnet50(classes: classes, seed: seed)
    }
  }

  /// The network before training: from the weights in a file, or from `seed`.
  func startingGraph(weights: String?, classes: Int, seed: UInt64) throws -> Graph {
    guard let weights else { return graph(classes: classes, seed: seed) }
    let tensors = try WeightsFile.read(weights)
    do {
      return try graph(classes: classes, seed: nil).loading(tensors, headSeed: seed)
    } catch {
      throw FileError(weights, "\(error)")
    }
  }
}

extension Progress {
  /// Shows how far a training run is.
  mutating func show(_ event: TrainingEvent, epochs: Int) {
    switch event {
    case .step(let epoch, let step, let steps, let loss, let speed):
      let note = String(format: "loss %.4f  %.0f images/s", loss, speed)
      show("epoch \(epoch)/\(epochs)", step, of: steps, note: note)
    case .validation(let done, let rows): show("validation", done, of: rows)
    case .epoch(let record): say(record.line)
    }
  }
}

extension Recording {
  /// Records how far a training run is.
  func show(_ event: TrainingEvent, epochs: Int) {
    switch event {
    case .step(let epoch, let step, let steps, let loss, let speed):
      note(
        "epoch \(epoch)/\(epochs), step \(step)/\(steps), "
          + String(format: "loss %.4f, %.0f images/s", loss, speed))
    case .validation(let done, let rows): note("validation, \(done)/\(rows)")
    case .epoch(let record): tell(record.line)
    }
  }
}

extension EpochRecord {
  /// The epoch's numbers by name, as far as they are defined.
  var numbers: [String: Double] {
    var numbers = ["epoch": Double(epoch), "loss": loss]
    guard let validation else { return numbers }
    numbers["validation loss"] = validation.loss
    numbers["validation accuracy"] = validation.accuracy
    for (kind, gap) in validation.audit?.gaps ?? [:] {
      numbers["validation \(kind.rawValue) gap"] = gap.absolute
    }
    return numbers
  }

  /// The epoch in one line, for people.
  var line: String {
    var parts = [
      "epoch \(epoch)", String(format: "loss %.4f", loss),
      String(format: "%.0f images/s", imagesPerSecond),
    ]
    if let validation {
      parts.append(String(format: "validation accuracy %.2f %%", 100 * validation.accuracy))
      for group in validation.audit?.groups ?? [] {
        let rates = [("TPR", Measure.truePositiveRate), ("FPR", .falsePositiveRate)].map {
          "\($0) \(Self.percent(group.rates[$1]?.value))"
        }
        parts.append("\(group.name) \(rates.joined(separator: " "))")
      }
      parts.append("EO \(Self.percent(validation.audit?.gaps[.equalOpportunity]?.absolute))")
    }
    let line = parts.joined(separator: ", ") + (isBest ? " *" : "")
    return ([line] + (constraints ?? []).map(\.line)).joined(separator: "\n")
  }

  private static func percent(_ value: Double?) -> String {
    value.map { String(format: "%.1f", 100 * $0) } ?? "undefined"
  }
}

extension ConstraintRecord {
  /// The constraint in one line, for people: gaps in percentage points.
  var line: String {
    func points(_ value: Double?) -> String {
      value.map { String(format: "%+.1f", 100 * $0) } ?? "-"
    }
    var text = "  \(name): multiplier \(String(format: "%+.3f", multiplier)), gap in train "
    text += points(train)
    if heldOut != nil { text += ", held out \(points(heldOut))" }
    text += ", validation \(points(validation))"
    return skippedBatches > 0 ? text + ", \(skippedBatches) batches said nothing" : text
  }
}
