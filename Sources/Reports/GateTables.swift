public import Fairness

extension GateResult {
  /// One line a limit, then the verdict.
  public var text: String {
    let rows = lines.map { line in
      let note = line.note.map { " (\($0))" } ?? ""
      return "\(mark(line)) \(Table.singleLine(line.name)): \(sentence(line))\(note)"
    }
    return (rows + [passed ? "passed" : "failed"]).joined(separator: "\n")
  }

  private func mark(_ line: Line) -> String {
    switch line.status {
    case .kept: "kept     "
    case .crossed: "CROSSED  "
    case .undecided: "undecided"
    }
  }

  private func sentence(_ line: Line) -> String {
    guard let value = line.value, let bound = line.bound else {
      return "undefined, limit \(decimal(line.limit, 4))"
    }
    return "\(signed(value, 4)), bound \(signed(bound, 4)), limit \(signed(line.limit, 4))"
  }

  /// A table for a pull request, ending in a line end.
  public var markdown: String {
    Table(
      passed ? "Fairness gate: passed" : "Fairness gate: failed",
      columns: ["number", "value", "bound", "limit", "status", ""],
      alignments: [.leading, .trailing, .trailing, .trailing, .leading, .leading],
      rows: lines.map { line in
        [
          line.name, signed(line.value, 4), signed(line.bound, 4), signed(line.limit, 4),
          line.status.rawValue, line.note ?? "",
        ]
      }
    ).rendered(as: .markdown)
  }

  /// A JUnit report: one test case a limit; crossed and undecided ones fail.
  public var junit: String {
    let failed = lines.filter {
      $0.status == .crossed || $0.status == .undecided && !allowUndecided
    }
    let cases = lines.map { line in
      let head = "    <testcase classname=\"equant.gate\" name=\"\(xml(line.name))\""
      let text = xml(sentence(line) + (line.note.map { ", \($0)" } ?? ""))
      guard failed.contains(line) else { return head + "/>" }
      return """
        \(head)>
              <failure type="\(line.status.rawValue)" message="\(text)"/>
            </testcase>
        """
    }
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites>
        <testsuite name="equant gate" tests="\(lines.count)" failures="\(failed.count)">
      \(cases.joined(separator: "\n"))
        </testsuite>
      </testsuites>

      """
  }

  /// Text inside quotes in XML; characters that XML cannot hold become blanks.
  private func xml(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      default:
        scalar.value < 32 || scalar.value == 0xfffe || scalar.value == 0xffff
          ? " " : String(scalar)
      }
    }.joined()
  }
}
