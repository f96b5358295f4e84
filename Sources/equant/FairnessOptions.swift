import ArgumentParser
import Fairness
import Foundation
import Predictions
import Reports

/// The ways in which tables about fairness are written.
enum TableFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json, markdown, csv, latex

  /// Writes `value` as JSON or as tables to standard output.
  ///
  /// A CSV table has no room for warnings: they go to standard error.
  func write(
    _ value: some Encodable, warnings: [String], tables: (Table.Format) -> String
  ) throws {
    switch self {
    case .json: print(try prettyJSON(value))
    case .text: print(tables(.text), terminator: "")
    case .markdown: print(tables(.markdown), terminator: "")
    case .latex: print(tables(.latex), terminator: "")
    case .csv:
      print(tables(.csv), terminator: "")
      for warning in warnings { remark("warning: \(warning)") }
    }
  }
}

/// How predictions are read: shared by audit, compare and gate.
struct PredictionOptions: ParsableArguments {
  @Option(name: .customLong("id-column"), help: "The column that names rows.")
  var id = "id"

  @Option(name: .customLong("label-column"), help: "The column of the truth.")
  var label = "label"

  @Option(
    name: .customLong("score-column"), help: "The column of P(positive), or of decisions 0 and 1.")
  var score = "score"

  @Option(help: "The group columns, with commas; several are crossed.")
  var by = "group"

  @Option(help: "The column that tells whose row it is; intervals then respect clusters.")
  var cluster: String?

  @Option(name: .customLong("weight-column"), help: "The column of weights.")
  var weight: String?

  @Option(help: "The separator of fields, found out from the header unless given; 'tab' is known.")
  var separator: String?

  @Option(help: "How a positive label is written, with commas.")
  var positive: String?

  @Option(help: "How a negative label is written, with commas.")
  var negative: String?

  @Flag(help: "Leave rows out that lack a value, instead of refusing the file.")
  var skipMissing = false

  @Option(help: "A row is called positive when its score is at least this.")
  var threshold = 0.5

  @Option(help: "Compare every group with this one instead of all pairs.")
  var reference: String?

  @Option(help: "The confidence of intervals.")
  var confidence = 0.95

  func validate() throws {
    guard confidence > 0.5 && confidence < 1 else {
      throw ValidationError("'--confidence' is between 0.5 and 1, as in 0.95.")
    }
    guard threshold.isFinite else { throw ValidationError("'--threshold' is a number.") }
    if let separator, separator != "tab", separator.count != 1 {
      throw ValidationError("'--separator' is one character, or 'tab'.")
    }
    guard !groups.isEmpty, groups.count <= 3 else {
      throw ValidationError("'--by' names one to three columns.")
    }
  }

  private var groups: [String] { by.split(separator: ",").map(String.init) }

  var reading: ReadingOptions {
    var options = ReadingOptions()
    (options.id, options.label, options.score) = (id, label, score)
    options.groups = groups
    options.identity = cluster
    options.weight = weight
    options.separator = separator.map { $0 == "tab" ? "\t" : $0.first ?? "," }
    if let positive { options.positive = Set(positive.split(separator: ",").map(String.init)) }
    if let negative { options.negative = Set(negative.split(separator: ",").map(String.init)) }
    options.skipsMissing = skipMissing
    return options
  }
}

/// Writes a line for people, who may be reading results elsewhere.
func remark(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
