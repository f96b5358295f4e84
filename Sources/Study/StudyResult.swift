public import Compression
public import Fairness
public import Files
import Foundation

/// Every number of a study, with what it was computed from: the contents of `study.json`.
public struct StudyResult: Hashable, Codable, Sendable {
  /// One model, measured on the test rows.
  public struct Row: Hashable, Codable, Sendable {
    /// A key for programs, such as `fine-tuned`; equal over seeds.
    public var model: String
    /// A name for people, as in the poster's tables.
    public var title: String
    /// The seed of the training run that the model comes from.
    public var seed: UInt64
    /// The model file, relative to the study's folder.
    public var file: String
    /// The SHA-256 of the model file.
    public var sha256: String
    /// The length of the model file.
    public var bytes: Int
    /// The predictions that the numbers were computed from, relative to the study's folder.
    public var predictions: String
    /// The number of test rows.
    public var rows: Int
    /// The accuracy over all test rows.
    public var accuracy: Rate
    /// The rates of every group.
    public var groups: [Audit.Group]
    /// The gaps between the groups.
    public var gaps: [GapKind: Gap]
    /// The model's predictions of the validation rows; nil for a repaired model.
    public var validation: String?
    /// How the predictions were repaired; nil when they were not.
    public var repair: RepairRecord?
    /// Whether the limits that the file was made under are certified; nil where there were none.
    public var isCertified: Bool?
  }

  /// What repaired a model's predictions, and what it does without the luck of its lots.
  public struct RepairRecord: Hashable, Codable, Sendable {
    /// The repair's file, relative to the study's folder.
    public var file: String
    /// The length of that file.
    public var bytes: Int
    /// The method.
    public var method: Repair.Method
    /// Whether a decision needs to know the group of the person it is about.
    public var needsGroup: Bool
    /// What the fit has to say.
    public var notes: [String]
    /// The rates and gaps on the test rows to be expected over all lots.
    public var expected: Expected
  }

  /// Rates and gaps to be expected.
  public struct Expected: Hashable, Codable, Sendable {
    /// The accuracy over all test rows.
    public var accuracy: Rate
    /// The rates of every group.
    public var groups: [Audit.Group]
    /// The gaps between the groups.
    public var gaps: [GapKind: Gap]
  }

  /// How a model came about.
  public enum Kind: String, Hashable, Codable, Sendable {
    /// It was trained.
    case trained
    /// A model was made smaller.
    case compressed
    /// A model's predictions were repaired.
    case repaired
  }

  /// One line of the tables.
  public struct Model: Hashable, Codable, Sendable {
    /// A key for programs.
    public var model: String
    /// A name for people.
    public var title: String
    /// How it came about.
    public var kind: Kind
    /// The model it is made from; nil for the first.
    public var base: String?
    /// The line of a figure that the model is a point of; nil where there is none.
    public var series: String?
    /// Whether gaps are to be closed by it, not only kept; nil where there are no such figures.
    public var closesGaps: Bool?
  }

  /// A model beside one that was before it, on the same test rows.
  public struct Pair: Hashable, Codable, Sendable {
    /// The key of the model that came after.
    public var model: String
    /// Its name for people.
    public var title: String
    /// The key of the model that was before it.
    public var base: String
    /// The seed of the training run.
    public var seed: UInt64
    /// Who flipped, and the drift of every gap with its interval and verdict.
    public var comparison: Comparison
  }

  /// What compressing one layer of a model at a time does to its decisions.
  public struct Sensitivity: Hashable, Codable, Sendable {
    /// The key of the compressed model whose way of storing weights is tried.
    public var model: String
    /// The key of the float model whose layers are compressed.
    public var base: String
    /// The seed of the training run.
    public var seed: UInt64
    /// The split that the rows are of.
    public var split: String
    /// What was measured.
    public var measured: LayerSensitivity
  }

  /// One row a model and seed, in the order of the tables.
  public var rows: [Row]
  /// One pair for each model that was made from another, and seed.
  public var comparisons: [Pair]
  /// Every line of the tables, in their order; nil in a file of an older version.
  public var models: [Model]?
  /// What the tables print, one a model; nil in a file of an older version.
  public var summary: [Summary]?
  /// What each change did, over all seeds; nil in a file of an older version.
  public var effects: [Effect]?
  /// The report in sentences; nil in a file of an older version.
  public var findings: [String]?
  /// The numbers behind the figures; nil in a file of an older version.
  public var figures: Figures?
  /// Which layers each group depends on; nil in a file of an older version.
  public var sensitivity: [Sensitivity]?
  /// What the numbers were computed from and with.
  public var provenance: Provenance

  /// The results of the given rows; what follows from them is computed here.
  public init(
    models: [Model]? = nil, rows: [Row], comparisons: [Pair], figures: Figures? = nil,
    sensitivity: [Sensitivity]? = nil, provenance: Provenance
  ) {
    self.models = models
    self.rows = rows
    self.comparisons = comparisons
    self.figures = figures
    self.sensitivity = sensitivity
    self.provenance = provenance
    summary = Summary.all(of: rows)
    effects = Effect.all(of: comparisons)
    findings = Findings(self).sentences
  }

  /// Reads a `study.json`.
  ///
  /// - Throws: ``FileError`` when it cannot be read or is not a study's.
  public init(contentsOf path: String) throws(FileError) {
    let bytes = try Files.read(path)
    do {
      self = try JSONDecoder().decode(StudyResult.self, from: Data(bytes))
    } catch {
      throw FileError(path, "is not a study.json: \(Self.place(of: error))")
    }
  }

  /// Writes a `study.json`; equal results give equal bytes.
  ///
  /// - Throws: ``FileError`` when it cannot be written.
  public func write(to path: String) throws {
    try Files.replace(path, with: Array(try JSONEncoder.stable.encode(self)) + [0x0a])
  }

  /// Where decoding failed, in one line.
  private static func place(of error: any Error) -> String {
    func path(_ context: DecodingError.Context) -> String {
      context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
    }
    switch error {
    case DecodingError.keyNotFound(let key, let context):
      return "\(path(context)).\(key.stringValue) is missing"
    case DecodingError.typeMismatch(let type, let context),
      DecodingError.valueNotFound(let type, let context):
      return "\(path(context)) is not a \(type)"
    default: return "the JSON is damaged"
    }
  }
}

/// What numbers were computed from and with.
public struct Provenance: Hashable, Codable, Sendable {
  /// Versions by name: Equant, oneDNN.
  public var versions: [String: String]
  /// The processor's own name, and the instruction set kernels were generated for.
  public var processor: String
  /// The number of threads.
  public var threads: Int
  /// The seeds of the training runs.
  public var seeds: [UInt64]
  /// The data: folder as given, fingerprint, rows of every split.
  public var data: [String: String]
  /// Every setting, by name.
  public var settings: [String: String]
  /// The SHA-256 of every file of the study.
  public var files: [String: String]

  /// The given facts.
  public init(
    versions: [String: String], processor: String, threads: Int, seeds: [UInt64],
    data: [String: String], settings: [String: String], files: [String: String]
  ) {
    self.versions = versions
    self.processor = processor
    self.threads = threads
    self.seeds = seeds
    self.data = data
    self.settings = settings
    self.files = files
  }
}
