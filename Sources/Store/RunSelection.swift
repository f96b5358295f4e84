/// Which runs are wanted, in which order, and which part of them.
public struct RunSelection: Hashable, Sendable {
  /// What runs are ordered by.
  ///
  /// What is not known comes last in both directions.
  public enum Order: String, Hashable, Codable, Sendable, CaseIterable {
    case id, kind, title, state, started, accuracy, equalOpportunity, bytes, summary

    /// The words after ORDER BY; equal runs are ordered by their number, in the same direction.
    func words(isDescending: Bool) -> String {
      let column = self == .title || self == .summary ? "\(rawValue) COLLATE NOCASE" : rawValue
      // NULL is the least of all in SQLite.
      return isDescending ? "\(column) DESC, id DESC" : "\(column) ASC NULLS LAST, id ASC"
    }
  }

  /// Only those of one kind.
  public var kind: Run.Kind?
  /// Only those that are so far.
  public var standing: Run.Standing?
  /// Only those with this in their title or summary; a to z are also A to Z.
  public var text: String?
  /// What they are ordered by.
  public var order = Order.started
  /// Whether the largest comes first.
  public var isDescending = true
  /// How many of those found are left out before the first.
  public var offset = 0
  /// At most so many; nil for all.
  public var limit: Int?

  /// All runs, the latest first.
  public init() {}
}

/// A part of a list of runs.
public struct RunPage: Hashable, Sendable {
  /// How many runs there are.
  public var total: Int
  /// How many of them were looked for.
  public var found: Int
  /// Those of the part, in order.
  public var lines: [RunLine]
}
