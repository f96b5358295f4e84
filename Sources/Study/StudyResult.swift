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
  }

  /// A compressed model beside the one it was made from, on the same test rows.
  public struct Pair: Hashable, Codable, Sendable {
    /// The compressed model's key.
    public var model: String
    /// Its name for people.
    public var title: String
    /// The key of the model it was made from.
    public var base: String
    /// The seed of the training run.
    public var seed: UInt64
    /// Who flipped, and the drift of every gap with its interval and verdict.
    public var comparison: Comparison
  }

  /// One row a model and seed, in the order of the tables.
  public var rows: [Row]
  /// One pair for each model that was made from another, and seed.
  public var comparisons: [Pair]
  /// What the numbers were computed from and with.
  public var provenance: Provenance

  /// The results of the given rows.
  public init(rows: [Row], comparisons: [Pair], provenance: Provenance) {
    self.rows = rows
    self.comparisons = comparisons
    self.provenance = provenance
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
