/// A table of texts: what every command prints, whatever the format.
public struct Table: Hashable, Sendable {
  /// How a column's texts are set.
  public enum Alignment: Hashable, Sendable {
    case leading
    case trailing
  }

  /// What stands above the table; may be empty.
  public var title: String
  /// One heading a column.
  public var columns: [String]
  /// How each column is set; words lead, numbers trail.
  public var alignments: [Alignment]
  /// The cells, one list a row, as long as `columns`.
  public var rows: [[String]]
  /// Sentences that stand below the table.
  public var notes: [String]
  /// What stands behind every cell, shown by the page; empty, or shaped like `rows`.
  public var explanations: [[String]] = []

  /// A table whose first column leads and whose others trail.
  ///
  /// - Precondition: every row is as long as `columns`.
  public init(
    _ title: String = "", columns: [String], alignments: [Alignment]? = nil, rows: [[String]] = [],
    notes: [String] = []
  ) {
    precondition(rows.allSatisfy { $0.count == columns.count }, "a row has a cell for each column")
    self.title = title
    self.columns = columns
    self.alignments =
      alignments ?? columns.indices.map { $0 == 0 ? .leading : .trailing }
    self.rows = rows
    self.notes = notes
  }

  /// A format a table can be written in.
  public enum Format: String, Hashable, Sendable, CaseIterable {
    case text
    case markdown
    case csv
    case latex
  }

  /// The table as text of the given format, ending in a line end.
  public func rendered(as format: Format) -> String {
    switch format {
    case .text: text
    case .markdown: markdown
    case .csv: csv
    case .latex: latex
    }
  }

  /// Text without line ends and other control characters, so that it stays in its line.
  static func singleLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
      return text
    }
    return String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : $0 }))
  }

  /// Text that Markdown shows as it is: no HTML, no end of a cell.
  static func escapedForMarkdown(_ text: String) -> String {
    singleLine(text).replacing("\\", with: "\\\\").replacing("|", with: "\\|")
      .replacing("<", with: "&lt;").replacing("*", with: "\\*").replacing("_", with: "\\_")
      .replacing("`", with: "\\`")
  }

  private var text: String {
    let columns = columns.map(Self.singleLine)
    let rows = rows.map { $0.map(Self.singleLine) }
    let widths = columns.indices.map { column in
      ([columns[column]] + rows.map { $0[column] }).map(\.count).max() ?? 0
    }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { column in
        let space = String(repeating: " ", count: widths[column] - cells[column].count)
        return alignments[column] == .leading ? cells[column] + space : space + cells[column]
      }
      var joined = padded.joined(separator: "  ")
      while joined.last == " " { joined.removeLast() }
      return joined
    }
    var lines = title.isEmpty ? [] : [title, ""]
    lines.append(line(columns))
    lines.append(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "))
    lines += rows.map(line)
    if !notes.isEmpty { lines += [""] + notes.map(Self.singleLine) }
    return lines.joined(separator: "\n") + "\n"
  }

  private var markdown: String {
    func line(_ cells: [String]) -> String {
      "| " + cells.map(Self.escapedForMarkdown).joined(separator: " | ") + " |"
    }
    var lines = title.isEmpty ? [] : ["**\(title)**", ""]
    lines.append(line(columns))
    lines.append(
      "|" + alignments.map { $0 == .leading ? "---" : "---:" }.joined(separator: "|") + "|")
    lines += rows.map(line)
    if !notes.isEmpty {
      lines += [""] + notes.flatMap { [Self.escapedForMarkdown($0), ""] }.dropLast()
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private var csv: String {
    ([columns] + rows).map { cells in
      cells.map(Self.quoted).joined(separator: ",") + "\n"
    }.joined()
  }

  private var latex: String {
    let letters = alignments.map { $0 == .leading ? "l" : "r" }.joined()
    func line(_ cells: [String]) -> String {
      cells.map(Self.escapedForLatex).joined(separator: " & ") + " \\\\"
    }
    var lines = ["\\begin{table}", "\\centering"]
    if !title.isEmpty { lines.append("\\caption{\(Self.escapedForLatex(title))}") }
    lines += ["\\begin{tabular}{\(letters)}", "\\hline", line(columns), "\\hline"]
    lines += rows.map(line)
    lines += ["\\hline", "\\end{tabular}"]
    lines += notes.map { "\\par\\smallskip{\\footnotesize \(Self.escapedForLatex($0))}" }
    lines.append("\\end{table}")
    return lines.joined(separator: "\n") + "\n"
  }

  /// A CSV field, quoted where RFC 4180 asks for it.
  private static func quoted(_ field: String) -> String {
    guard field.utf8.contains(where: { ",\"\n\r".utf8.contains($0) }) else { return field }
    return "\"" + field.replacing("\"", with: "\"\"") + "\""
  }

  private static func escapedForLatex(_ text: String) -> String {
    singleLine(text).map { character in
      switch character {
      case "&", "%", "$", "#", "_", "{", "}": "\\\(character)"
      case "\\": "\\textbackslash{}"
      case "~": "\\textasciitilde{}"
      case "^": "\\textasciicircum{}"
      case "<": "\\textless{}"
      case ">": "\\textgreater{}"
      case "|": "\\textbar{}"
      case "±": "$\\pm$"
      case "−": "$-$"
      case "–": "--"
      default: String(character)
      }
    }.joined()
  }
}
