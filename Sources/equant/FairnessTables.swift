import ArgumentParser
import Fairness
import Foundation
import Predictions

/// The ways in which tables about fairness are written.
enum TableFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json, markdown, csv, latex
}

/// Rows of text in columns: the first row is the header.
struct TextTable {
  var title: String
  var rows: [[String]]

  func written(_ format: TableFormat) -> String {
    switch format {
    case .text, .json: aligned
    case .markdown: markdown
    case .csv: rows.map { $0.map(Self.csvField).joined(separator: ",") }.joined(separator: "\n")
    case .latex: latex
    }
  }

  private var aligned: String {
    let widths = (rows.first ?? []).indices.map { column in
      rows.map { $0[column].count }.max() ?? 0
    }
    return rows.map { row in
      zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
        .joined(separator: "  ").trimmingCharacters(in: .whitespaces)
    }.joined(separator: "\n")
  }

  private var markdown: String {
    var lines = rows.map { row in
      "| " + row.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
    let rule = (rows.first ?? []).map { _ in "---" }.joined(separator: " | ")
    lines.insert("| \(rule) |", at: min(1, lines.count))
    return "**\(title)**\n\n" + lines.joined(separator: "\n")
  }

  private var latex: String {
    let columns = "l" + String(repeating: "r", count: max(0, (rows.first?.count ?? 1) - 1))
    var lines = rows.map { $0.map(Self.latexField).joined(separator: " & ") + " \\\\" }
    lines.insert("\\midrule", at: min(1, lines.count))
    return """
      % \(title)
      \\begin{tabular}{\(columns)}
      \\toprule
      \(lines.joined(separator: "\n"))
      \\bottomrule
      \\end{tabular}
      """
  }

  private static func csvField(_ text: String) -> String {
    guard text.utf8.contains(where: { ",\"\n\r".utf8.contains($0) }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }

  private static func latexField(_ text: String) -> String {
    text.map { character in
      switch character {
      case "&", "%", "$", "#", "_", "{", "}": "\\\(character)"
      case "\\": "\\textbackslash{}"
      case "~": "\\textasciitilde{}"
      case "^": "\\textasciicircum{}"
      default: String(character)
      }
    }.joined()
  }
}

/// `0.584`, or `n/a`.
func decimal(_ value: Double?, _ digits: Int = 3) -> String {
  guard let value else { return "n/a" }
  return String(format: "%.\(digits)f", value)
}

/// `+0.021`, or `n/a`.
func signed(_ value: Double?, _ digits: Int = 3) -> String {
  guard let value else { return "n/a" }
  return String(format: "%+.\(digits)f", value)
}

/// `0.32 to 0.81`, or nothing.
func range(_ low: Double?, _ high: Double?, _ digits: Int = 3, signs: Bool = false) -> String {
  guard let low, let high else { return "" }
  return signs
    ? "\(signed(low, digits)) to \(signed(high, digits))"
    : "\(decimal(low, digits)) to \(decimal(high, digits))"
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

/// `value` as JSON with sorted keys.
func prettyJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
