import ArgumentParser
import Execution
import Faces
import Files
import Foundation
import Graphs
import OneDNN
import Reports
import Store
import Study
import Synchronization
import Training

/// `equant study`: the poster, end to end.
struct StudyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "study",
    abstract: "Train, compress, measure, and print who paid: the poster, end to end.",
    discussion: """
      Trains a model for every seed, compresses it, repairs the predictions of both, and prints \
      the poster's tables with intervals and what follows from them. Repairs are fitted on \
      validation rows; test rows are only measured on. The folder gets study.json, the models, \
      the predictions, and the tables as text, Markdown, CSV and LaTeX. What is there already, made \
      from the same inputs, is not made again; after Ctrl-C the same command goes on.
      """)

  enum Preset: String, ExpressibleByArgument, CaseIterable {
    case demo
    case full
    case frontier
  }

  @Option(
    help: ArgumentHelp(
      "A folder with CelebA's layout; left out, portraits are drawn.", valueName: "folder"),
    completion: .directory)
  var data: String?

  @Option(help: "The attribute to predict.")
  var target = "Attractive"

  @Option(help: "The attribute to be fair to; more than once for intersections.")
  var protected: [String] = []

  @Option(
    help: ArgumentHelp(
      """
      Weights to start from, with torchvision's names: safetensors, a PyTorch state dictionary \
      (.pth, .pt) or ONNX.
      """, valueName: "file"),
    completion: .file(extensions: ["safetensors", "pth", "pt", "onnx"]))
  var weights: String?

  @Option(help: ArgumentHelp("Where everything goes.", valueName: "folder"))
  var out = "results/study"

  @Option(
    help: """
      demo: few rows, 64 x 64 pixels, minutes. full: all rows, 128 x 128 pixels, hours. frontier: \
      files of several sizes made in every way, under limits and without, 64 x 64 pixels, hours.
      """)
  var preset = Preset.demo

  @Option(help: "How many training runs, with the seeds 0, 1, … (default: 1)")
  var seeds: Int?

  @Option(
    help: ArgumentHelp(
      """
      A model of 'equant train' to start from instead of training one; more than once for several \
      training runs.
      """, valueName: "file"),
    completion: .file(extensions: ["onnx"]))
  var base: [String] = []

  @Option(
    help: ArgumentHelp(
      "Only these rows of the tables, with commas, and those they are made from.",
      valueName: "models"))
  var models: String?

  @Option(help: "Epochs of training, instead of the preset's.")
  var epochs: Int?

  @Option(help: "The side of the network's input in pixels, instead of the preset's.")
  var size: Int?

  @Option(help: "Only so many training rows, instead of the preset's.")
  var limit: Int?

  @Option(
    help: ArgumentHelp(
      """
      Of a frontier: files as large as those of so many clusters, powers of two from 2 to 256 with \
      commas. (default: 16,8,4)
      """, valueName: "numbers"))
  var clusters: ClusterCounts?

  @Option(help: ArgumentHelp("Of a frontier: epochs of tuning. (default: 1)", valueName: "epochs"))
  var tune: Int?

  @Option(
    help: ArgumentHelp(
      "Of a frontier: epochs of tuning where gaps are closed too. (default: 6)",
      valueName: "epochs"))
  var tuneClosing: Int?

  @Option(help: ArgumentHelp("Of a frontier: tune on no more images.", valueName: "count"))
  var tuneRows: Int?

  @OptionGroup var storeOptions: StoreOptions

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard seeds ?? 1 >= 1 else { throw ValidationError("'--seeds' counts runs: give 1 or more.") }
    if !base.isEmpty && (seeds != nil || weights != nil || epochs != nil || size != nil) {
      throw ValidationError(
        "'--base' is instead of training: leave '--seeds', '--weights', '--epochs' and '--size' out."
      )
    }
    let isFrontier =
      clusters != nil || tune != nil || tuneClosing != nil || tuneRows != nil
    if preset != .frontier && isFrontier {
      throw ValidationError(
        "'--clusters', '--tune', '--tune-closing' and '--tune-rows' are for '--preset frontier'.")
    }
    for (name, value) in [
      ("--tune", tune), ("--tune-closing", tuneClosing), ("--tune-rows", tuneRows),
    ] {
      if let value, value < 1 { throw ValidationError("'\(name)' is a number of 1 or more.") }
    }
  }

  func run() throws {
    Interruption.watch()
    var progress = Progress(quiet: output.quiet)
    try Files.makeFolder(out)
    let folder = try data ?? drawPortraits()
    let dataset = try FaceDataset.celebA(
      folder, target: target, protected: protected.isEmpty ? ["Male"] : protected)
    for warning in dataset.warnings { progress.say("warning: \(warning)") }
    let settings = try settings(for: dataset)
    let recording = try record(settings, dataset, data: folder)
    let study = Study(
      settings, dataset: dataset, folder: out,
      start: { seed in
        try Architecture.resnet18.startingGraph(
          weights: weights, classes: dataset.classNames.count, seed: seed)
      },
      shouldStop: { Interruption.isRequested })
    try recording.during {
      let result: StudyResult
      do {
        result = try study.run(host: host) { event in
          show(event, &progress)
          recording.show(event)
        }
      } catch let stop as TrainingError {
        guard case .stopped = stop else { throw stop }
        progress.clear()
        FileHandle.standardError.write(Data("\(stop)\n".utf8))
        throw ExitCode(130)
      }
      progress.clear()
      let tables = StudyTables(result).all
      try writeTables(tables)
      let figure = FrontierFigure(result)
      if let figure {
        try Files.replace("\(out)/frontier.svg", with: figure.svg)
      }
      let report = "\(out)/report.html"
      let page = try StudyFolder(out)
      _ = try ReportCommand.write([page], to: report)
      recording.finish { $0.take(result, page.verdict) }
      try output.write(result) {
        tables.map { $0.rendered(as: .text) }.joined(separator: "\n")
          + (result.findings ?? []).map { "\n" + $0 }.joined()
          + "\n\nEverything is in \(out): study.json, tables.*, the models and their predictions."
          + (figure == nil ? "" : "\nThe figure: \(out)/frontier.svg")
          + "\nThe page to look at: \(report)"
      }
    }
  }

  private func record(
    _ settings: Study.Settings, _ dataset: FaceDataset, data: String
  ) throws -> Recording {
    var texts = try settingTexts(settings)
    texts["data"] = data
    texts["weights"] = weights
    texts["target"] = dataset.target
    texts["protected"] = dataset.protected.joined(separator: ", ")
    return try Recording(
      Run(
        .study, title: out, settings: texts,
        files: ["folder": out, "study": "\(out)/study.json", "report": "\(out)/report.html"]),
      in: storeOptions, quiet: output.quiet)
  }

  private func settings(for dataset: FaceDataset) throws -> Study.Settings {
    var settings = Study.Settings()
    settings.seeds = (0..<UInt64(base.isEmpty ? seeds ?? 1 : base.count)).map { $0 }
    settings.training.optimizer.learningRate = weights == nil ? 0.05 : 0.01
    settings.training.precision = .automatic
    switch preset {
    case .demo:
      settings.training.limit = 10_000
      // FairALM goes on from the fine-tuned model: two epochs and one are the time of three.
      settings.training.epochs = 2
      settings.furtherEpochs = 1
      settings.sensitivityRows = 500
      settings.models = [
        "int8", "fairalm-int8", "calibrated-eo-int8", "calibrated-eo", "kmeans-16", "kmeans-8",
        "rethreshold-int8", "rethreshold-kmeans-16", "rethreshold-kmeans-8",
      ]
    case .full: settings.training.preprocessing.size = 128
    case .frontier:
      settings.frontier = frontier
      settings.training.limit = 40_000
      settings.sensitivityRows = 0
    }
    if let models {
      settings.models = models.split(separator: ",").map(String.init)
    }
    if let epochs {
      settings.training.epochs = epochs
      settings.furtherEpochs = min(epochs, settings.furtherEpochs)
    }
    if let size { settings.training.preprocessing.size = size }
    settings.given = base
    for (number, path) in base.enumerated() {
      let description = try description(of: path, for: dataset)
      if number == 0 { settings.training.preprocessing = description.preprocessing }
      guard description.preprocessing == settings.training.preprocessing else {
        throw FileError(path, "expects other images than \(base[0]): give models that are alike")
      }
    }
    if let limit { settings.training.limit = limit }
    return settings
  }

  /// What a given model is, if it goes with the data.
  private func description(of path: String, for dataset: FaceDataset) throws -> ModelDescription {
    let description: ModelDescription
    do {
      description = try ModelDescription(of: ONNXFile.read(path))
    } catch let error as TrainingError {
      throw FileError(path, "\(error)")
    }
    guard description.target == dataset.target else {
      throw FileError(
        path, "predicts \(description.target), expected \(dataset.target): give --target")
    }
    return description
  }

  private var frontier: FrontierSettings {
    var frontier = FrontierSettings()
    if let clusters { frontier.clusters = clusters.numbers }
    frontier.tuningEpochs = tune ?? frontier.tuningEpochs
    frontier.closingEpochs = tuneClosing ?? frontier.closingEpochs
    frontier.tuningRows = tuneRows
    return frontier
  }

  private func drawPortraits() throws -> String {
    let folder = "\(out)/portraits"
    // The official proportions are 80 : 10 : 10; the demo wants more test rows for its intervals.
    let counts = preset == .demo ? (10_000, 2_000, 6_000) : (162_770, 19_867, 19_962)
    let plan = PortraitPlan.sampled(
      train: counts.0, validation: counts.1, test: counts.2, seed: 0)
    let bar = Mutex(Progress(quiet: output.quiet))
    try Portraits.draw(plan, into: folder) { done, total in
      bar.withLock { $0.show("portraits", done, of: total) }
    }
    bar.withLock { $0.clear() }
    return folder
  }

  private var host: Study.Host {
    let processor = Processor.current
    return Study.Host(
      versions: ["equant": Equant.configuration.version, "oneDNN": processor.version],
      processor: "\(processorName()), \(processor.instructionSet)", threads: processor.threadCount)
  }

  private func show(_ event: Study.Event, _ progress: inout Progress) {
    switch event {
    case .part(let name, let isMade): progress.say(isMade ? "\(name): there already" : "\(name)")
    case .training(let event, let epochs): progress.show(event, epochs: epochs)
    case .rows(let what, let done, let total): progress.show(what, done, of: total)
    }
  }

  private func writeTables(_ tables: [Table]) throws {
    for (format, ending) in [(Table.Format.text, "txt"), (.markdown, "md"), (.latex, "tex")] {
      let text = tables.map { $0.rendered(as: format) }.joined(separator: "\n")
      try Files.replace("\(out)/tables.\(ending)", with: text)
    }
    for (table, name) in zip(
      tables, ["table-1", "table-2", "table-3", "table-4", "sizes", "frontier"])
    {
      try Files.replace("\(out)/\(name).csv", with: table.rendered(as: .csv))
    }
  }
}

/// Numbers of clusters, with commas: powers of two from 2 to 256.
struct ClusterCounts: ExpressibleByArgument {
  var numbers: [Int]

  init?(argument: String) {
    let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map {
      Int($0) ?? 0
    }
    guard numbers.allSatisfy({ 2...256 ~= $0 && $0 & ($0 - 1) == 0 }),
      Set(numbers).count == numbers.count
    else { return nil }
    self.numbers = numbers
  }
}

extension Recording {
  /// Records how far a study is.
  func show(_ event: Study.Event) {
    switch event {
    case .part(let name, let isMade): tell(isMade ? "\(name): there already" : name)
    case .training(let event, let epochs): show(event, epochs: epochs)
    case .rows(let what, let done, let total): note("\(what), \(done)/\(total)")
    }
  }
}

extension Run {
  /// Takes over what came out of a study.
  fileprivate mutating func take(_ result: StudyResult, _ verdict: StudyVerdict) {
    summary = verdict.headline.joined(separator: " ")
    fingerprints["data"] = result.provenance.data["fingerprint"]
    for (name, digest) in result.provenance.files { fingerprints[name] = digest }
    let models = result.summary ?? []
    for model in models {
      results["\(model.model): bytes"] = Double(model.bytes)
      for (name, cell) in model.cells { results["\(model.model): \(name)"] = cell.mean }
    }
    guard let smallest = models.min(by: { $0.bytes < $1.bytes }) else { return }
    bytes = smallest.bytes
    accuracy = smallest.cells["accuracy"]?.mean
    equalOpportunity = smallest.cells["equalOpportunity"]?.mean
  }
}
