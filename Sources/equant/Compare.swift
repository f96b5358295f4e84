import ArgumentParser
import Fairness
import Files
import Foundation
import Predictions

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
    guard columns.weight == nil else {
      throw ValidationError("Two models are compared row by row: weights are not supported.")
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
    let (base, after, comparison) = try pair.compared()
    if let flips {
      try Files.replace(flips, with: flippedRows(base, after, comparison))
    }
    switch format {
    case .json: print(try prettyJSON(comparison))
    default: print(comparison.report(format))
    }
  }

  /// The rows whose decision flipped, as CSV.
  private func flippedRows(
    _ base: Predictions, _ after: Predictions, _ comparison: Comparison
  ) -> String {
    let outcomes = base.outcomes
    var table = TextTable(title: "", rows: [["id", "label", "group", "before", "after"]])
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
    return table.written(.csv) + "\n"
  }
}

extension Comparison {
  /// The tables of a comparison.
  func report(_ format: TableFormat) -> String {
    let parts = [flipTable, changeTable, driftTable].map { $0.written(format) }
    if format == .csv || format == .latex { return parts.joined(separator: "\n\n") }
    let head =
      "\(rows) rows, margin \(margin), intervals at \(decimal(confidence * 100, 0)) %, "
      + "threshold \(threshold)"
      + (thresholdAfter == threshold ? "" : " and \(thresholdAfter)")
    let notes = warnings.map { (format == .markdown ? "- " : "warning: ") + $0 }
    return ([head] + parts + (notes.isEmpty ? [] : [notes.joined(separator: "\n")]))
      .joined(separator: "\n\n")
  }

  private var flipTable: TextTable {
    let lines = flips.map { cell in
      let share = cell.count > 0 ? Double(cell.gained + cell.lost) / Double(cell.count) : nil
      return [
        cell.group, "\(cell.label)", "\(cell.count)", "\(cell.gained)", "\(cell.lost)",
        share.map { decimal($0 * 100, 2) + " %" } ?? "n/a",
        cell.gained + cell.lost > 0 ? decimal(cell.p, 4) : "",
      ]
    }
    return TextTable(
      title: "Flipped decisions",
      rows: [["group", "label", "rows", "gained", "lost", "flipped", "p (McNemar)"]] + lines)
  }

  private var changeTable: TextTable {
    let measures: [Measure] = [
      .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate,
    ]
    let lines = measures.flatMap { measure in
      (changes[measure] ?? []).map { change in
        [
          measure.title, change.group, decimal(change.before), decimal(change.after),
          signed(change.value, 4), range(change.low, change.high, 4, signs: true),
        ]
      }
    }
    return TextTable(
      title: "Changes",
      rows: [["rate", "group", "before", "after", "change", "interval"]] + lines)
  }

  private var driftTable: TextTable {
    let kinds: [GapKind] = [
      .equalOpportunity, .fprDifference, .equalizedOdds, .averageOdds, .averageAbsoluteOdds,
      .demographicParity, .predictiveParity, .falseOmissionRate, .accuracy, .balancedAccuracy,
      .f1,
    ]
    let lines = kinds.compactMap { kind -> [String]? in
      guard let drift = self.drift[kind] else { return nil }
      guard drift.value != nil else {
        return [kind.title, "n/a", "n/a", "", "", "", drift.reason ?? "", ""]
      }
      return [
        kind.title, signed(drift.before), signed(drift.after), signed(drift.value, 4),
        range(drift.interval?.low, drift.interval?.high, 4, signs: true),
        drift.adjustedP.map { decimal($0, 4) } ?? "", drift.verdict.rawValue,
        drift.rowsNeeded.map { "needs about \($0) rows" } ?? "",
      ]
    }
    let head = ["gap", "before", "after", "drift", "interval", "p (Holm)", "verdict", ""]
    return TextTable(title: "Drift of gaps", rows: [head] + lines)
  }
}
