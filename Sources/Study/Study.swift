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
    /// Models that were trained already, one for each of `seeds`; empty where the study trains them.
    public var given: [String] = []
    /// How models are trained; the seed is replaced by each of `seeds`.
    public var training = TrainingSettings()
    /// The epochs of models that go on from a trained one, such as FairALM's.
    public var furtherEpochs = 2
    /// How they are quantized.
    public var quantization = Int8Settings()
    /// Which lines of the tables are made, by key; those they are made from are made too.
    ///
    /// Empty makes all there are.
    public var models: [String] = []
    /// What a frontier is drawn from; nil for the poster's lines.
    public var frontier: FrontierSettings?
    /// On how many validation rows the layers are compressed one at a time; 0 for none.
    public var sensitivityRows = 1000

    /// The defaults of the rooms, and one seed.
    public init() {}
  }

  /// What a study tells while it goes on.
  public enum Event {
    /// A part begins, or was found made already.
    case part(String, isMade: Bool)
    /// A training run goes on.
    case training(TrainingEvent, epochs: Int)
    /// Rows are predicted.
    case rows(String, done: Int, of: Int)
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
    let recipes = try chosenRecipes()
    var rows: [StudyResult.Row] = []
    var comparisons: [StudyResult.Pair] = []
    var figures = StudyResult.Figures()
    var sensitivity: [StudyResult.Sensitivity] = []
    var files: [String: String] = [:]
    for seed in settings.seeds {
      var bench = Bench(study: self, seed: seed, data: fingerprint)
      for recipe in recipes {
        let made = try bench.make(recipe, report)
        files.merge(made.files) { $1 }
        let row = try measure(recipe, seed: seed, made)
        rows.append(row)
        figures.add(row, made)
        for other in [recipe.base].compactMap(\.self) + recipe.against {
          guard let before = bench.made[other] else { continue }
          let comparison = try Comparison(before: before.test.outcomes, after: made.test.outcomes)
          comparisons.append(
            StudyResult.Pair(
              model: recipe.model, title: recipe.title, base: other, seed: seed,
              comparison: comparison))
          figures.addFlips(recipe.model, base: other, seed: seed, before.test, made.test)
        }
      }
      // One seed shows where a network gives way.
      if seed == settings.seeds[0] { sensitivity = try bench.sensitivity(of: recipes, report) }
    }
    // The tables' order: model by model, the seeds together.
    let order = recipes.map(\.model)
    func place(_ model: String, _ seed: UInt64) -> (Int, UInt64) {
      (order.firstIndex(of: model) ?? 0, seed)
    }
    rows.sort { place($0.model, $0.seed) < place($1.model, $1.seed) }
    comparisons.sort { place($0.model, $0.seed) < place($1.model, $1.seed) }
    let result = StudyResult(
      models: recipes.map { recipe in
        StudyResult.Model(
          model: recipe.model, title: recipe.title, kind: recipe.work.kind, base: recipe.base,
          series: recipe.series, closesGaps: recipe.series.map { _ in recipe.closesGaps })
      },
      rows: rows, comparisons: comparisons, figures: figures, sensitivity: sensitivity,
      provenance: Provenance(
        versions: host.versions, processor: host.processor, threads: host.threads,
        seeds: settings.seeds, data: try describeData(fingerprint),
        settings: ["study": try Self.text(settings)], files: files))
    try result.write(to: book.path("study.json"))
    return result
  }

  /// The recipes that the settings ask for, and those they are made from.
  func chosenRecipes() throws -> [Recipe] {
    let all = recipes
    guard !settings.models.isEmpty else { return all }
    // The first model is what everything is held against.
    var wanted: Set<String> = [all[0].model]
    for name in settings.models {
      guard all.contains(where: { $0.model == name }) else {
        throw StudyError.unknownModel(name, known: all.map(\.model))
      }
      var next: String? = name
      while let key = next {
        wanted.insert(key)
        next = all.first { $0.model == key }?.base
      }
    }
    return all.filter { wanted.contains($0.model) }
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

  private func measure(
    _ recipe: Recipe, seed: UInt64, _ made: Made
  ) throws -> StudyResult.Row {
    let audit = try Audit(made.test.outcomes)
    return StudyResult.Row(
      model: recipe.model, title: recipe.title, seed: seed, file: made.file, sha256: made.hash,
      bytes: try Files.read(book.path(made.file)).count, predictions: made.predictions,
      rows: audit.rows, accuracy: audit.overall[.accuracy] ?? Rate(undefined: "not computed"),
      groups: audit.groups, gaps: audit.gaps, validation: made.validation, repair: made.repair,
      isCertified: recipe.isUnderLimits
        ? try Certificate(of: ONNXFile.read(book.path(made.file))) != nil : nil)
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
