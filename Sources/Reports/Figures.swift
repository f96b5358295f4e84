import Foundation

/// `0.584`, or `n/a`.
public func decimal(_ value: Double?, _ digits: Int = 3) -> String {
  guard let value else { return "n/a" }
  return String(format: "%.\(digits)f", value)
}

/// `+0.021`, or `n/a`.
public func signed(_ value: Double?, _ digits: Int = 3) -> String {
  guard let value else { return "n/a" }
  return String(format: "%+.\(digits)f", value)
}

/// `0.32 to 0.81`, or nothing.
public func range(
  _ low: Double?, _ high: Double?, _ digits: Int = 3, signs: Bool = false
) -> String {
  guard let low, let high else { return "" }
  return signs
    ? "\(signed(low, digits)) to \(signed(high, digits))"
    : "\(decimal(low, digits)) to \(decimal(high, digits))"
}

/// A number as programs read it: all its digits, or an empty field.
func exact(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }

/// Tables below a line that says what they are of, and above what has to be known to believe them.
///
/// As CSV there is one table only, without text around it.
struct Document {
  var head: String
  var tables: [Table]
  var warnings: [String]

  func written(_ format: Table.Format) -> String {
    let parts = tables.map { $0.rendered(as: format) }
    let remarks = warnings.map(Table.singleLine)
    switch format {
    case .csv: return parts.joined(separator: "\n")
    case .latex:
      let comments = ([head] + remarks).map { "% \($0)\n" }.joined()
      return comments + parts.joined(separator: "\n")
    case .text:
      let notes = remarks.map { "warning: \($0)\n" }.joined()
      return ([head + "\n"] + parts + (notes.isEmpty ? [] : [notes])).joined(separator: "\n")
    case .markdown:
      let notes = remarks.map { "- \(Table.escapedForMarkdown($0))\n" }.joined()
      return ([head + "\n"] + parts + (notes.isEmpty ? [] : [notes])).joined(separator: "\n")
    }
  }
}
