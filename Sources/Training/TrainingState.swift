import Foundation

/// What a run is: two runs of equal identity compute the same.
public struct RunIdentity: Hashable, Codable, Sendable {
  /// The run's settings.
  public var settings: TrainingSettings
  /// What is minimised, as in `erm`, and its constants.
  public var objective: String
  /// The fingerprint of the data set; see `FaceDataset.fingerprint()`.
  public var data: String
  /// The SHA-256 of the graph and the weights that the run starts from.
  public var start: String

  /// An identity of the given parts.
  public init(settings: TrainingSettings, objective: String, data: String, start: String) {
    self.settings = settings
    self.objective = objective
    self.data = data
    self.start = start
  }

  /// What differs from another run's identity: `settings.epochs is 3 there and 5 here`.
  public func differences(from other: RunIdentity) throws -> [String] {
    let here = try settingTexts(self)
    let there = try settingTexts(other)
    return Set(here.keys).union(there.keys).sorted().compactMap { key in
      let (a, b) = (there[key] ?? "not set", here[key] ?? "not set")
      return a == b ? nil : "\(key) is \(a) there and \(b) here"
    }
  }
}

/// Where a run is: everything but the arrays.
public struct TrainingState: Hashable, Codable, Sendable {
  /// What run it is.
  public var identity: RunIdentity
  /// The epoch of the next step, counted from 0.
  public var epoch = 0
  /// The next step within the epoch, counted from 0; with the seed it is the generator's state, as
  /// order and augmentation of every epoch are drawn from the seed and the epoch's number.
  public var step = 0
  /// The sum of the objective over the epoch's steps so far.
  public var lossSum = 0.0
  /// What the objective carries from step to step.
  public var objective: [String: [Double]] = [:]
  /// Which epoch is kept.
  public var selection: EpochSelection
  /// The epochs that are over.
  public var records: [EpochRecord] = []
  /// Whether the run has ended.
  public var isFinished = false

  /// The beginning of a run.
  public init(identity: RunIdentity) {
    self.identity = identity
    selection = EpochSelection(
      patience: identity.settings.patience, tolerance: identity.settings.selectionRule?.tolerance)
  }
}
