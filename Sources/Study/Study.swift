public import Compression
public import Faces
import Fairness
import Files
import Foundation
public import Graphs
import Predictions
public import Training

/// The poster, end to end: models, their predictions on the test rows, and the numbers.
///
/// Everything a study makes is a part of its ``Workbook``: a study that was stopped, or is run
/// again, makes only what is missing or was made from something else.
public struct Study {
  /// What decides a study's numbers, beside the data.
  public struct Settings: Hashable, Codable, Sendable {
    /// The seeds of the training runs; one model of each kind is made for each.
    public var seeds: [UInt64] = [0]
    /// How models are trained; the seed is replaced by each of `seeds`.
    public var training = TrainingSettings()
    /// How they are quantized.
    public var quantization = Int8Settings()

    /// The defaults of the rooms, and one seed.
    public init() {}
  }

  /// What a study tells while it goes on.
  public enum Event {
    /// A part begins, or was found made already.
    case part(String, isMade: Bool)
    /// A training run goes on.
    case training(TrainingEvent)
    /// Rows are predicted or calibrated on.
    case rows(String, done: Int, of: Int)
  }

  /// How one line of the tables comes about.
  ///
  /// To add a line to every study, add a recipe to ``Study/recipes(weights:)``.
  struct Recipe {
    /// A key for programs and file names.
    var model: String
    /// A name for people.
    var title: String
    /// The model it is made from, by key; nil when it is made from data alone.
    var base: String?
    /// Everything else that decides the result, as text.
    var settings: (UInt64) throws -> String
    /// Makes the model; given the base model's graph.
    var make: (_ seed: UInt64, _ base: Graph?, _ report: (Event) -> Void) throws -> Graph
  }

  let settings: Settings
  let dataset: FaceDataset
  let book: Workbook
  let start: (UInt64) throws -> Graph
  let shouldStop: () -> Bool

  /// A study of `dataset`, with its results in `folder`.
  ///
  /// - Parameters:
  ///   - settings: What to do.
  ///   - dataset: Where the rows are; the test rows are only ever measured on.
  ///   - folder: Where everything goes.
  ///   - start: Gives the network before training, for a seed.
  ///   - shouldStop: Asked between steps; when true the study saves and ends with an error.
  public init(
    _ settings: Settings, dataset: FaceDataset, folder: String,
    start: @escaping (UInt64) throws -> Graph, shouldStop: @escaping () -> Bool = { false }
  ) {
    self.settings = settings
    self.dataset = dataset
    self.start = start
    self.shouldStop = shouldStop
    book = Workbook(folder: folder)
  }

  /// Makes whatever is not made yet, measures every model, and writes `study.json`.
  ///
  /// - Parameters:
  ///   - host: What runs the study: versions by name, the processor, the number of threads.
  ///   - report: Told what goes on.
  /// - Returns: The results.
  /// - Throws: What training, compression, prediction and files throw.
  public func run(
    host: Host, report: (Event) -> Void = { _ in }
  ) throws -> StudyResult {
    let fingerprint = try dataset.fingerprint()
    var rows: [StudyResult.Row] = []
    var comparisons: [StudyResult.Pair] = []
    var files: [String: String] = [:]
    for seed in settings.seeds {
      var outcomes: [String: Outcomes] = [:]
      for recipe in recipes {
        let model = try makeModel(recipe, seed: seed, data: fingerprint, report)
        let predictions = try predict(model, data: fingerprint, report)
        files[model.file] = model.hash
        files[predictions.file] = predictions.hash
        let found = try read(predictions.file)
        outcomes[recipe.model] = found
        rows.append(try measure(recipe, seed: seed, found, model, predictions.file))
        if let base = recipe.base, let before = outcomes[base] {
          comparisons.append(
            StudyResult.Pair(
              model: recipe.model, title: recipe.title, base: base, seed: seed,
              comparison: try Comparison(before: before, after: found)))
        }
      }
    }
    // The tables' order: model by model, the seeds together.
    let order = recipes.map(\.model)
    rows.sort { a, b in
      (order.firstIndex(of: a.model) ?? 0, a.seed) < (order.firstIndex(of: b.model) ?? 0, b.seed)
    }
    let result = StudyResult(
      rows: rows, comparisons: comparisons,
      provenance: Provenance(
        versions: host.versions, processor: host.processor, threads: host.threads,
        seeds: settings.seeds, data: try describeData(fingerprint),
        settings: ["study": try Self.text(settings)], files: files))
    try result.write(to: book.path("study.json"))
    return result
  }

  /// What runs a study.
  public struct Host: Sendable {
    /// Versions by name.
    public var versions: [String: String]
    /// The processor's name and instruction set.
    public var processor: String
    /// The number of threads.
    public var threads: Int

    /// The given facts.
    public init(versions: [String: String], processor: String, threads: Int) {
      self.versions = versions
      self.processor = processor
      self.threads = threads
    }
  }

  private func makeModel(
    _ recipe: Recipe, seed: UInt64, data: String, _ report: (Event) -> Void
  ) throws -> (file: String, hash: String) {
    let file = "seed-\(seed)/\(recipe.model).onnx"
    let base = recipe.base.map { "seed-\(seed)/\($0).onnx" }
    var inputs = ["data": data, "settings": try recipe.settings(seed)]
    if let base { inputs["base"] = SHA256.hex(try Files.read(book.path(base))) }
    let part = try book.part("seed-\(seed)/\(recipe.model)", from: inputs, gives: [file]) {
      report(.part(file, isMade: false))
      let graph = try recipe.make(seed, base.map { try ONNXFile.read(book.path($0)) }, report)
      try ONNXFile.write(graph, to: book.path(file))
    }
    if !part.made { report(.part(file, isMade: true)) }
    return (file, part.hashes[file] ?? "")
  }

  private func predict(
    _ model: (file: String, hash: String), data: String, _ report: (Event) -> Void
  ) throws -> (file: String, hash: String) {
    let file = model.file.replacing(".onnx", with: ".csv")
    let part = try book.part(
      "\(model.file)-predictions", from: ["data": data, "model": model.hash], gives: [file]
    ) {
      // Read back: what is measured is the file, not the graph it was written from.
      let graph = try ONNXFile.read(book.path(model.file))
      let found = try Predictor.predict(graph, on: dataset, split: .test) { done, of in
        report(.rows(file, done: done, of: of))
      }
      try found.predictions.write(to: book.path(file))
    }
    return (file, part.hashes[file] ?? "")
  }

  /// The test rows of a predictions file; rows of one person belong together where that is known.
  private func read(_ file: String) throws -> Outcomes {
    var options = ReadingOptions()
    if dataset.identities != nil { options.identity = "identity" }
    return try Predictions.reading(book.path(file), options: options).predictions.outcomes
  }

  private func measure(
    _ recipe: Recipe, seed: UInt64, _ outcomes: Outcomes, _ model: (file: String, hash: String),
    _ predictions: String
  ) throws -> StudyResult.Row {
    let audit = try Audit(outcomes)
    return StudyResult.Row(
      model: recipe.model, title: recipe.title, seed: seed, file: model.file, sha256: model.hash,
      bytes: try Files.read(book.path(model.file)).count, predictions: predictions,
      rows: audit.rows, accuracy: audit.overall[.accuracy] ?? Rate(undefined: "not computed"),
      groups: audit.groups, gaps: audit.gaps)
  }

  private func describeData(_ fingerprint: String) throws -> [String: String] {
    var facts = [
      "folder": dataset.folder, "fingerprint": fingerprint, "target": dataset.target,
      "protected": dataset.protected.joined(separator: ","),
    ]
    for split in Split.allCases {
      facts["\(split) rows"] = String(dataset.rows(in: split).count)
    }
    return facts
  }

  /// Settings as text that is equal when they are.
  static func text(_ settings: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(settings), as: UTF8.self)
  }
}
