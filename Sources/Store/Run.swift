public import Foundation

/// One piece of work that was done: a study, a training, a compression.
public struct Run: Hashable, Codable, Sendable {
  /// What kind of work.
  public enum Kind: String, Hashable, Codable, Sendable, CaseIterable {
    case study, train, compress
  }

  /// How far it is.
  public enum State: String, Hashable, Codable, Sendable, CaseIterable {
    /// It goes on, as far as is known; see ``Run/standing(at:)``.
    case running
    /// It ended well.
    case finished
    /// It was stopped by a person and can be taken up again.
    case stopped
    /// It ended with an error.
    case failed

    /// How long a running run may be silent, in seconds, before it is taken for dead.
    public static let silence: TimeInterval = 60

    /// The standing at `now` of a run that was last heard of at `heard`.
    func standing(heard: Date, at now: Date) -> Standing {
      switch self {
      case .running: now.timeIntervalSince(heard) < Self.silence ? .running : .lost
      case .finished: .finished
      case .stopped: .stopped
      case .failed: .failed
      }
    }
  }

  /// A ``State``, or `lost` for a run that is said to go on but was not heard of for too long.
  public enum Standing: String, Hashable, Codable, Sendable, CaseIterable {
    case running, finished, stopped, failed, lost
  }

  /// The store's number for it; nil before it is stored.
  public var id: Int64?
  /// What kind of work.
  public var kind: Kind
  /// What it makes: the file or folder, as it was given.
  public var title: String
  /// How far it is.
  public var state: State
  /// When it began.
  public var started: Date
  /// When it was last heard of.
  public var updated: Date
  /// The system's number of the process that does it.
  public var process: Int
  /// How far it is, in one line, while it goes on.
  public var progress: String?
  /// The accuracy in [0, 1]: a training's on validation, of a study its smallest model's on test.
  public var accuracy: Double?
  /// The size of the TPR gap (EO) of the same model on the same rows.
  public var equalOpportunity: Double?
  /// The length of the same model's file.
  public var bytes: Int?
  /// What came out, in a sentence or two; for a failed run why.
  public var summary: String?
  /// Every setting by name.
  public var settings: [String: String]
  /// What it was made from and with: SHA-256 of data and models, versions, processor.
  public var fingerprints: [String: String]
  /// Numbers by name.
  public var results: [String: Double]
  /// Files by what they are, as absolute paths.
  public var files: [String: String]

  /// A run that begins now.
  public init(
    _ kind: Kind, title: String, settings: [String: String] = [:],
    fingerprints: [String: String] = [:], files: [String: String] = [:], started: Date = .now
  ) {
    self.kind = kind
    self.title = title
    state = .running
    self.started = started
    updated = started
    process = Int(ProcessInfo.processInfo.processIdentifier)
    self.settings = settings
    self.fingerprints = fingerprints
    results = [:]
    self.files = files
  }

  /// How far it is, and whether a running one was heard of lately.
  public func standing(at now: Date = .now) -> Standing { state.standing(heard: updated, at: now) }
}

/// A run as a line of a list: what is there without reading its settings and results.
public struct RunLine: Hashable, Codable, Sendable {
  /// The store's number.
  public var id: Int64
  /// What kind of work.
  public var kind: Run.Kind
  /// What it makes.
  public var title: String
  /// How far it is.
  public var state: Run.State
  /// When it began.
  public var started: Date
  /// When it was last heard of.
  public var updated: Date
  /// How far it is, in one line, while it goes on.
  public var progress: String?
  /// The accuracy, in [0, 1].
  public var accuracy: Double?
  /// The size of the TPR gap (EO).
  public var equalOpportunity: Double?
  /// The length of the model file.
  public var bytes: Int?
  /// What came out, in a sentence or two.
  public var summary: String?

  /// How far it is, and whether a running one was heard of lately.
  public func standing(at now: Date = .now) -> Run.Standing {
    state.standing(heard: updated, at: now)
  }
}

/// One thing a run told while it went on.
public struct RunEvent: Hashable, Codable, Sendable {
  /// The store's number; later events have larger ones.
  public var id: Int64
  /// When it was told.
  public var time: Date
  /// What was told, in one line.
  public var text: String
}
