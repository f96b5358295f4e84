public import Graphs

/// What a run gave.
public struct TrainingResult: Sendable {
  /// The best epoch's model, with its description in the metadata.
  public var graph: Graph
  /// The best epoch, counted from 1.
  public var bestEpoch: Int
  /// Every epoch.
  public var epochs: [EpochRecord]
}

/// What a run tells while it goes on.
public enum TrainingEvent: Sendable {
  /// A step is done; `epoch` counts from 1, `step` is the number of steps done in it.
  case step(epoch: Int, step: Int, of: Int, loss: Double, imagesPerSecond: Double)
  /// Some validation rows are done.
  case validation(done: Int, of: Int)
  /// An epoch is over, validated and saved.
  case epoch(EpochRecord)
}

/// Where and how often a run is saved.
public struct CheckpointPlan: Hashable, Sendable {
  /// The checkpoint's file.
  public var path: String
  /// The number of steps between two checkpoints within an epoch; epochs' ends are always saved.
  public var interval: Int
  /// Whether an existing checkpoint is ignored and overwritten instead of being taken up.
  public var isFresh: Bool

  /// A plan to save to `path`.
  public init(path: String, interval: Int = 500, isFresh: Bool = false) {
    precondition(interval >= 1, "there is at least one step between checkpoints")
    self.path = path
    self.interval = interval
    self.isFresh = isFresh
  }
}
