/// What the columns of a predictions file are called and how its values are written.
public struct ReadingOptions: Hashable, Sendable {
  /// The column that names rows; a file may lack it where rows need no name.
  public var id = "id"
  /// The column of the truth.
  public var label = "label"
  /// The column of P(positive), or of decisions written as 0 and 1.
  public var score = "score"
  /// The columns of protected attributes; several are crossed in an audit.
  public var groups = ["group"]
  /// The column that tells whose row it is; nil reads none.
  public var identity: String?
  /// The column of weights; nil reads none.
  public var weight: String?
  /// The separator; nil finds out from the header.
  public var separator: Character?
  /// How a positive label may be written; letters in either case.
  public var positive: Set<String> = ["1", "1.0", "true", "yes"]
  /// How a negative label may be written; letters in either case.
  public var negative: Set<String> = ["0", "0.0", "-1", "-1.0", "false", "no"]
  /// Whether rows that lack a value are left out and counted instead of refused.
  public var skipsMissing = false

  /// Columns `id`, `label`, `score`, `group`, and the usual ways to write yes and no.
  public init() {}
}
