import ArgumentParser
import Fairness
import Files
import Foundation
import Predictions
import Reports

/// What compare and gate share: two files, matched by id.
struct PairOptions: ParsableArguments {
  @Argument(help: "Predictions of the baseline.", completion: .file(extensions: ["csv"]))
  var base: String

  @Argument(help: "Predictions of the compressed model.", completion: .file(extensions: ["csv"]))
  var compressed: String

  @OptionGroup var columns: PredictionOptions

  @Option(help: "Another threshold for the compressed model.")
  var thresholdAfter: Double?

  @Option(help: "A drift inside plus and minus this counts as none.")
  var margin = 0.01

  @Option(help: "The number of resamples for drifts without a closed interval.")
  var draws = 2000

  @Option(help: "Where random sequences start.")
  var seed: UInt64 = 0

  func validate() throws {
    guard margin > 0 && margin < 1 else {
      throw ValidationError("'--margin' is a fraction above 0, as in 0.01.")
    }
    guard (100...1_000_000).contains(draws) else {
      throw ValidationError("'--draws' is from 100 to 1000000.")
    }
  }

  /// Both files' rows in the order of the first, and their comparison.
  func compared() throws -> (base: Predictions, after: Predictions, comparison: Comparison) {
    let (first, skipped) = try Predictions.reading(base, options: columns.reading)
    let (second, skippedAfter) = try Predictions.reading(compressed, options: columns.reading)
    let matched = try first.matching(second, from: compressed)
    var options = ComparisonOptions()
    options.threshold = columns.threshold
    options.thresholdAfter = thresholdAfter
    options.margin = margin
    options.confidence = columns.confidence
    options.reference = columns.reference
    options.draws = draws
    options.seed = seed
    var comparison = try Comparison(
      before: first.outcomes, after: matched.outcomes, options: options)
    if skipped + skippedAfter > 0 {
      comparison.warnings.insert(
        "\(skipped) and \(skippedAfter) rows were left out because a value is missing", at: 0)
    }
    return (first, matched, comparison)
  }
}

/// `equant compare`: what compression did to the gaps, on the same people.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "What became of every gap between two models on the same people.",
    discussion: """
      Rows are matched by id. For every gap the drift with its paired interval and a verdict for \
      --margin: preserved (two one-sided tests place it inside), worse, better (the interval \
      excludes 0), or undecided, with the number of rows that would settle it.
      """)

  @OptionGroup var pair: PairOptions

  @Option(help: "How results are written to standard output.")
  var format = TableFormat.text

  @Option(help: "Write the rows whose decision flipped to a CSV file.")
  var flips: String?

  func run() throws {
    if let flips { try Files.checkWritable(flips) }
    let (base, after, comparison) = try pair.compared()
    if let flips {
      try Files.replace(flips, with: flippedRows(base, after, comparison))
    }
    try format.write(comparison, warnings: comparison.warnings) { comparison.report($0) }
  }

  /// The rows whose decision flipped, as CSV.
  private func flippedRows(
    _ base: Predictions, _ after: Predictions, _ comparison: Comparison
  ) -> String {
    let outcomes = base.outcomes
    var table = Table(columns: ["id", "label", "group", "before", "after"])
    for row in 0..<base.count {
      let first = base.scores[row] >= comparison.threshold
      let second = after.scores[row] >= comparison.thresholdAfter
      guard first != second else { continue }
      table.rows.append([
        base.ids[row], base.labels[row] ? "1" : "0",
        outcomes.groups.groups[Int(outcomes.groups.codes[row])],
        "\(base.scores[row])", "\(after.scores[row])",
      ])
    }
    return table.rendered(as: .csv)
  }
}
