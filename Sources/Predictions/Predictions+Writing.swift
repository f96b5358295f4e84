import Fairness
public import Files

extension Predictions {
  /// Writes the rows as CSV: `id,label,score,group`, then `identity` and `weight` if there are any.
  ///
  /// Scores are written with as many digits as it takes to read the same number back. The first
  /// attribute's column is called `group`; further ones carry their own names. The file appears
  /// whole or not at all.
  ///
  /// - Throws: `FileError` when the file cannot be written.
  public func write(to path: String) throws(FileError) {
    try Files.replace(path, with: csv())
  }

  /// The bytes that ``write(to:)`` writes.
  public func csv() -> [UInt8] { csv(adding: []) }

  /// The rows as CSV with further columns of numbers at the end.
  func csv(adding columns: [(name: String, values: [Double])]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count * 48)
    let groups = attributes.map { $0.groups.map(Self.quoted) }
    var header = ["id", "label", "score", "group"]
    header += attributes.dropFirst().map(\.name)
    if identities != nil { header.append("identity") }
    if weights != nil { header.append("weight") }
    header += columns.map(\.name)
    bytes += header.map(Self.quoted).joined(separator: [Self.comma])
    bytes.append(Self.newline)
    for row in 0..<count {
      bytes += Self.quoted(ids[row])
      bytes.append(Self.comma)
      bytes.append(labels[row] ? 49 : 48)
      bytes.append(Self.comma)
      bytes += scores[row].description.utf8
      for (position, attribute) in attributes.enumerated() {
        bytes.append(Self.comma)
        bytes += groups[position][Int(attribute.codes[row])]
      }
      if let identities {
        bytes.append(Self.comma)
        bytes += Self.quoted(identities[row])
      }
      if let weights {
        bytes.append(Self.comma)
        bytes += weights[row].description.utf8
      }
      for column in columns {
        bytes.append(Self.comma)
        bytes += column.values[row].description.utf8
      }
      bytes.append(Self.newline)
    }
    return bytes
  }

  private static let comma: UInt8 = 44
  private static let newline: UInt8 = 10

  /// A field in quotes when it holds a separator, a quote, a line end, or blanks at its ends.
  private static func quoted(_ field: String) -> [UInt8] {
    let text = Array(field.utf8)
    let special = text.contains { [34, 44, 59, 9, 10, 13].contains($0) }
    guard special || text.first == 32 || text.last == 32 else { return text }
    return [34] + text.flatMap { $0 == 34 ? [34, 34] : [$0] } + [34]
  }
}
