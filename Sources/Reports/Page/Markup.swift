/// Text for HTML, and the tables of the page.
enum Markup {
  /// `text` as it is written in HTML, also inside a quoted attribute.
  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      default: result.append(character)
      }
    }
    return result
  }

  /// JSON as it is written inside a `script` element: no `<` can end the element.
  static func embedded(json: String) -> String { json.replacing("<", with: "\\u003c") }

  /// A number with its interval: on a narrow page a line may end between them, and nowhere else.
  private static func withRange(_ text: String) -> String {
    guard text.hasSuffix(")"), let start = text.firstRange(of: " (") else { return escaped(text) }
    return escaped(String(text[..<start.lowerBound])) + " <span class=\"range\">"
      + escaped(String(text[start.lowerBound...].dropFirst())) + "</span>"
  }

  /// `table` as HTML that the page's script makes sortable and copyable.
  static func table(_ table: Table, id: String) -> String {
    func cell(_ text: String, _ tag: String, _ column: Int, why: String = "") -> String {
      let number = table.alignments[column] == .trailing ? " class=\"number\"" : ""
      let scope = tag == "th" ? " scope=\"\(why == "row" ? "row" : "col")\"" : ""
      let behind = tag == "td" && !why.isEmpty ? " data-why=\"\(escaped(why))\"" : ""
      let shown = tag == "td" && !number.isEmpty ? withRange(text) : escaped(text)
      return "<\(tag)\(number)\(scope)\(behind)>\(shown)</\(tag)>"
    }
    let head = table.columns.indices.map { cell(table.columns[$0], "th", $0) }.joined()
    let body = table.rows.indices.map { row in
      let cells = table.rows[row].indices.map { column in
        let why = table.explanations.isEmpty ? "" : table.explanations[row][column]
        return cell(
          table.rows[row][column], column == 0 ? "th" : "td", column,
          why: column == 0 ? "row" : why)
      }
      return "<tr>\(cells.joined())</tr>\n"
    }.joined()
    let notes = table.notes.map { "<p class=\"note\">\(escaped($0))</p>\n" }.joined()
    return """
      <div class="table" data-table="\(escaped(id))">
      <table>
      <caption>\(escaped(table.title))</caption>
      <thead><tr>\(head)</tr></thead>
      <tbody>
      \(body)</tbody>
      </table>
      </div>
      \(notes)
      """
  }
}
