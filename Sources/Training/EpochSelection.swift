/// Which epoch of a run is kept, and when waiting for a better one ends.
///
/// The rule looks at validation only: the highest score wins, and the earlier of two equal ones.
public struct EpochSelection: Hashable, Codable, Sendable {
  /// How many epochs in a row may pass without a better score; `nil` waits to the end.
  public var patience: Int?
  /// The best epoch so far, counted from 0; `nil` before the first.
  public private(set) var best: Int?
  /// The best epoch's score; `nil` before the first scored epoch.
  public private(set) var bestScore: Double?
  /// The epoch seen last, counted from 0.
  public private(set) var last: Int?

  /// A rule that gives up after `patience` epochs without a better score.
  public init(patience: Int? = nil) {
    precondition(patience.map { $0 >= 1 } ?? true, "patience is at least one epoch")
    self.patience = patience
  }

  /// Takes note of an epoch and says whether it is the best so far.
  ///
  /// An epoch without a score, as when there is no validation split, replaces the one before it, so
  /// that the last epoch is kept.
  public mutating func record(epoch: Int, score: Double?) -> Bool {
    last = epoch
    if let score, let bestScore, !(score > bestScore) { return false }
    if score == nil && bestScore != nil { return false }
    best = epoch
    bestScore = score
    return true
  }

  /// Whether patience has run out.
  public var isExhausted: Bool {
    guard let patience, let best, let last else { return false }
    return last - best >= patience
  }
}
