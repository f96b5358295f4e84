public import Files

/// Decisions that a repair made, beside what they were made from.
public struct RepairedPredictions: Sendable {
  /// The rows before the repair.
  public var rows: Predictions
  /// The probability of a positive decision of every row.
  public var probabilities: [Double]
  /// The decision of every row.
  public var decisions: [Bool]

  /// Decisions of `rows`.
  ///
  /// - Precondition: there is a probability and a decision for every row.
  public init(_ rows: Predictions, probabilities: [Double], decisions: [Bool]) {
    precondition(
      probabilities.count == rows.count && decisions.count == rows.count,
      "the columns of repaired predictions differ in length")
    self.rows = rows
    self.probabilities = probabilities
    self.decisions = decisions
  }

  /// Writes predictions whose score is the decision, with two more columns: `probability`, that of
  /// a positive decision, and `original`, the score before.
  ///
  /// - Throws: `FileError` when the file cannot be written.
  public func write(to path: String) throws(FileError) {
    var decided = rows
    decided.scores = decisions.map { $0 ? 1 : 0 }
    try Files.replace(
      path,
      with: decided.csv(adding: [("probability", probabilities), ("original", rows.scores)]))
  }
}
