import ArgumentParser
import Fairness
import Files
import Foundation
import Predictions

/// `equant audit`: predictions → rates of every group, gaps, intervals.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Rates of every group and the gaps between them, with intervals.",
    discussion: """
      Reads a CSV file with a header and the columns id, label, score, group, and prints the \
      rates of every group, the gaps with their intervals, and what a reader has to know before \
      believing a number. Files above 64 MB are counted without keeping their rows; AUC and \
      calibration error then come from 1000 bins of scores.

      Predictions that live in a database are counted there: --sql prints the query, --counts \
      reads its result.
      """)

  @Argument(help: "A predictions file.", completion: .file(extensions: ["csv"]))
  var predictions: String?

  @OptionGroup var columns: PredictionOptions

  @Option(help: "Warn about cells with fewer rows.")
  var minimumCell = 30

  @Option(help: "How results are written to standard output.")
  var format = TableFormat.text

  @Option(help: "Print the query that counts predictions in a database.")
  var sql: SQLDialect?

  @Option(help: "The table that --sql asks.")
  var table = "predictions"

  @Option(help: "Audit counts: a query's result as CSV, or JSON that --save-counts wrote.")
  var counts: [String] = []

  @Option(help: "Also write the mergeable counts to a file.")
  var saveCounts: String?

  func validate() throws {
    let sources = [predictions != nil, sql != nil, !counts.isEmpty].filter(\.self).count
    guard sources == 1 else {
      throw ValidationError("Give one of: a predictions file, --sql, --counts.")
    }
    if sql != nil && (columns.weight != nil || columns.cluster != nil) {
      throw ValidationError("'--sql' counts rows: it knows neither weights nor clusters.")
    }
    if columns.cluster != nil && saveCounts != nil {
      throw ValidationError("Counts do not know clusters: drop '--cluster' or '--save-counts'.")
    }
  }

  func run() throws {
    if let sql {
      print(
        CountsQuery.text(
          sql.dialect, table: table, options: columns.reading, threshold: columns.threshold,
          bins: AuditCounts.usualBins))
      return
    }
    let audit = try audit()
    switch format {
    case .json: print(try prettyJSON(audit))
    default: print(audit.report(format))
    }
  }

  private var options: AuditOptions {
    var options = AuditOptions()
    options.threshold = columns.threshold
    options.reference = columns.reference
    options.confidence = columns.confidence
    options.minimumCell = minimumCell
    return options
  }

  private func audit() throws -> Audit {
    if !counts.isEmpty {
      var whole: AuditCounts?
      for path in counts {
        let part = try AuditCounts.readingCounts(path, threshold: columns.threshold)
        if whole == nil { whole = part } else { try whole?.merge(part) }
      }
      guard var whole else { throw ValidationError("There are no counts.") }
      whole.sortGroups()
      try save(whole)
      return try Audit(whole, options: options)
    }
    let path = predictions ?? ""
    var status = stat()
    let isLarge = stat(path, &status) == 0 && status.st_size > 64 << 20
    if columns.cluster == nil && (isLarge || saveCounts != nil) {
      let (counts, skipped) = try AuditCounts.reading(
        path, options: columns.reading, threshold: columns.threshold)
      try save(counts)
      return try Audit(counts, options: options).noting(skipped: skipped)
    }
    let (rows, skipped) = try Predictions.reading(path, options: columns.reading)
    return try Audit(rows.outcomes, options: options).noting(skipped: skipped)
  }

  private func save(_ counts: AuditCounts) throws {
    guard let saveCounts else { return }
    try Files.replace(saveCounts, with: try counts.json())
  }
}

/// The databases that `--sql` writes for.
enum SQLDialect: String, ExpressibleByArgument, CaseIterable {
  case postgresql, sqlite, duckdb, spark

  var dialect: CountsQuery.Dialect {
    switch self {
    case .postgresql: .postgresql
    case .sqlite: .sqlite
    case .duckdb: .duckdb
    case .spark: .spark
    }
  }
}

extension Audit {
  /// The same audit with a remark on rows that were left out.
  fileprivate func noting(skipped: Int) -> Audit {
    var audit = self
    if skipped > 0 {
      audit.warnings.insert("\(skipped) rows were left out because a value is missing", at: 0)
    }
    return audit
  }

  /// The tables of an audit.
  func report(_ format: TableFormat) -> String {
    let parts = [groupTable, gapTable, ratioTable].map { $0.written(format) }
    if format == .csv || format == .latex { return parts.joined(separator: "\n\n") }
    let percent = decimal(confidence * 100, 0)
    let head =
      "\(rows) rows, threshold \(threshold), intervals at \(percent) %"
      + (reference.map { ", reference \($0)" } ?? "")
    let notes = warnings.map { (format == .markdown ? "- " : "warning: ") + $0 }
    return ([head] + parts + (notes.isEmpty ? [] : [notes.joined(separator: "\n")]))
      .joined(separator: "\n\n")
  }

  private var groupTable: TextTable {
    let first: [Measure] = [
      .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate, .precision, .baseRate,
    ]
    let more = Measure.ofScores.filter {
      overall[$0] != nil && [.auc, .brier, .calibrationError].contains($0)
    }
    let measures = first + more
    func row(_ name: String, _ count: Int, _ rates: [Measure: Rate]) -> [String] {
      [name, "\(count)"]
        + measures.map { measure in
          guard let rate = rates[measure], let value = rate.value else { return "n/a" }
          guard let interval = rate.interval else { return decimal(value) }
          return "\(decimal(value)) (\(range(interval.low, interval.high)))"
        }
    }
    return TextTable(
      title: "Groups",
      rows: [["group", "rows"] + measures.map(\.title), row("all", rows, overall)]
        + groups.map { row($0.name, $0.count, $0.rates) })
  }

  private var gapTable: TextTable {
    let kinds: [GapKind] =
      [
        .equalOpportunity, .fprDifference, .equalizedOdds, .averageOdds, .averageAbsoluteOdds,
        .demographicParity, .predictiveParity, .falseOmissionRate, .accuracy,
        .balancedAccuracy, .f1, .baseRate,
      ] + [.auc, .brier].filter { gaps[$0] != nil }
    let lines = kinds.compactMap { kind -> [String]? in
      guard let gap = gaps[kind] else { return nil }
      guard gap.value != nil else {
        return [kind.title, "n/a", "", "", "", "", gap.reason ?? ""]
      }
      let interval = gap.interval
      return [
        kind.title, signed(gap.value), range(interval?.low, interval?.high, signs: true),
        decimal(gap.absolute),
        range(gap.absoluteInterval?.low, gap.absoluteInterval?.high),
        decimal(gap.expectedIfEqual), "\(gap.to ?? "") - \(gap.from ?? "")",
      ]
    }
    return TextTable(
      title: "Gaps",
      rows: [["gap", "signed", "interval", "size", "interval", "by chance", "groups"]] + lines)
  }

  private var ratioTable: TextTable {
    let lines = RatioKind.allCases.compactMap { kind -> [String]? in
      guard let ratio = ratios[kind] else { return nil }
      guard let value = ratio.value, ratio.rates.count == 2 else {
        return [kind.rawValue, "n/a", "", "", ratio.reason ?? ""]
      }
      let high = ratio.high.map { decimal($0) } ?? "infinity"
      return [
        kind.rawValue, decimal(value), "\(decimal(ratio.low)) to \(high)",
        "\(decimal(ratio.rates[1])) / \(decimal(ratio.rates[0]))",
        "\(ratio.to ?? "") / \(ratio.from ?? "")",
      ]
    }
    return TextTable(
      title: "Ratios", rows: [["ratio", "value", "interval", "rates", "groups"]] + lines)
  }
}
