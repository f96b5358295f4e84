public import Fairness

/// Fairness among the accurate: which epoch is kept when accuracy is not all that counts.
///
/// Of the epochs at most ``tolerance`` less accurate than the best one, the smallest ``gap`` wins.
/// Both are measured on validation.
public struct SelectionRule: Hashable, Codable, Sendable {
  /// The gap that is to be small.
  public var gap: GapKind
  /// How much accuracy may be given up for it, as a fraction.
  public var tolerance: Double

  /// A rule of the given parts.
  public init(gap: GapKind, tolerance: Double = 0.05) {
    self.gap = gap
    self.tolerance = tolerance
  }
}

/// Which epoch of a run is kept, and when waiting for a better one ends.
///
/// The rule looks at validation only. By itself the highest score wins, and the earlier of two equal
/// ones. With a ``SelectionRule`` it is applied as the epochs come: an epoch replaces the kept one
/// when it is accurate enough and has a smaller gap, or when the kept one is no longer accurate
/// enough beside it.
public struct EpochSelection: Hashable, Codable, Sendable {
  /// How many epochs in a row may pass without a better one; `nil` waits to the end.
  public var patience: Int?
  /// How much score may be given up for a smaller gap; `nil` looks at the score alone.
  public var tolerance: Double?
  /// The best epoch so far, counted from 0; `nil` before the first.
  public private(set) var best: Int?
  /// The best epoch's score; `nil` before the first scored epoch.
  public private(set) var bestScore: Double?
  /// The best epoch's gap, where it has one.
  public private(set) var bestGap: Double?
  /// The highest score of all epochs.
  public private(set) var highestScore: Double?
  /// The epoch seen last, counted from 0.
  public private(set) var last: Int?

  /// A rule that gives up after `patience` epochs without a better one.
  public init(patience: Int? = nil, tolerance: Double? = nil) {
    precondition(patience.map { $0 >= 1 } ?? true, "patience is at least one epoch")
    self.patience = patience
    self.tolerance = tolerance
  }

  /// Takes note of an epoch and says whether it is the best so far.
  ///
  /// An epoch without a score, as when there is no validation split, replaces the one before it, so
  /// that the last epoch is kept. An undefined gap counts as the widest.
  public mutating func record(epoch: Int, score: Double?, gap: Double? = nil) -> Bool {
    last = epoch
    if let score { highestScore = max(score, highestScore ?? score) }
    guard isBetter(score, gap) else { return false }
    best = epoch
    bestScore = score
    bestGap = gap
    return true
  }

  private func isBetter(_ score: Double?, _ gap: Double?) -> Bool {
    guard let bestScore, let highestScore else { return true }
    guard let score else { return false }
    guard let tolerance else { return score > bestScore }
    guard score >= highestScore - tolerance else { return false }
    guard bestScore >= highestScore - tolerance else { return true }
    let gaps = (gap ?? .infinity, bestGap ?? .infinity)
    return gaps.0 < gaps.1 || (gaps.0 == gaps.1 && score > bestScore)
  }

  /// Whether patience has run out.
  public var isExhausted: Bool {
    guard let patience, let best, let last else { return false }
    return last - best >= patience
  }
}
