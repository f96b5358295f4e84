public import Files

/// A table of yes-or-no attributes of images: CelebA's `list_attr_celeba`, or one like it.
public struct Annotations: Hashable, Sendable {
  /// Where the table was read from.
  public let path: String

  /// The name of each image's file, by row.
  public let files: [String]

  /// The names of the attributes, by column.
  public let attributes: [String]

  /// What was unusual but harmless, each with file and line: Windows line ends, attributes that
  /// CelebA does not have.
  public let warnings: [String]

  /// The line of the file that the first row came from; rows follow without gaps as a rule.
  let lines: [Int32]

  /// Row by row, `attributes.count` values each.
  private let values: [Bool]

  /// The number of images.
  public var count: Int { files.count }

  /// Reads CelebA's official text (a count, the names, then rows of -1 and 1) or Kaggle's CSV twin.
  ///
  /// A path that ends in `.csv` is read as CSV, whose first column names the image. Attributes may
  /// come in any order, and attributes of one's own may be among them.
  ///
  /// - Throws: `FileError` with the line, for a missing file, a row that has too few or too many
  ///   columns, a value that is not -1 or 1, a repeated column, or a count that is not kept.
  /// - Complexity: one pass over the bytes.
  public static func read(_ path: String) throws(FileError) -> Annotations {
    try read(TextTable(reading: path))
  }

  static func read(_ source: TextTable) throws(FileError) -> Annotations {
    var table = source
    var fields: [Range<Int>] = []
    let declared = table.separator == .spaces ? try readCount(&table) : nil
    guard try table.next(&fields) else {
      throw FileError(table.path, "ends before the line of attribute names")
    }
    let names = fields.dropFirst(table.separator == .spaces ? 0 : 1).map(table.text)
    guard !names.isEmpty else { throw table.problem("has no attribute names") }
    var warnings: [String] = []
    for (index, name) in names.enumerated() {
      if names[..<index].contains(name) { throw table.problem("names \(name) twice") }
      if FaceAttribute(name: name) == nil {
        warnings.append("\(table.path): line \(table.line): \(name) is not one of CelebA's names")
      }
    }

    let expected = min(declared ?? 0, table.bytes.count / max(1, names.count))
    var files: [String] = []
    var lines: [Int32] = []
    var values: [Bool] = []
    files.reserveCapacity(expected)
    lines.reserveCapacity(expected)
    values.reserveCapacity(expected * names.count)
    while try table.next(&fields) {
      guard fields.count == names.count + 1 else {
        throw table.problem("expected \(names.count + 1) columns, found \(fields.count)")
      }
      files.append(table.text(fields[0]))
      lines.append(Int32(clamping: table.line))
      for column in 1..<fields.count {
        guard let value = table.sign(fields[column]) else {
          throw table.problem(
            "expected -1 or 1 for \(names[column - 1]), found \"\(table.text(fields[column]))\"")
        }
        values.append(value)
      }
    }
    if let declared, declared != files.count {
      throw FileError(table.path, "line 1: declares \(declared) rows, found \(files.count)")
    }
    return Annotations(
      path: table.path, files: files, attributes: names, warnings: table.warnings + warnings,
      lines: lines, values: values)
  }

  private static func readCount(_ table: inout TextTable) throws(FileError) -> Int {
    var fields: [Range<Int>] = []
    guard try table.next(&fields) else { throw FileError(table.path, "is empty") }
    guard fields.count == 1, let count = table.integer(fields[0]), count >= 0 else {
      throw table.problem("expected the number of rows alone")
    }
    return count
  }

  /// Whether image `row` has the attribute in column `column`.
  public subscript(row: Int, column: Int) -> Bool { values[row * attributes.count + column] }

  /// The column of the attribute called `name`.
  ///
  /// - Throws: `FileError` that lists the names there are.
  public func column(_ name: String) throws(FileError) -> Int {
    guard let column = attributes.firstIndex(of: name) else {
      throw FileError(
        path, "has no attribute \"\(name)\"; it has \(attributes.joined(separator: ", "))")
    }
    return column
  }

  /// All rows as 40 values in CelebA's order, whatever the order in the file.
  ///
  /// - Throws: `FileError` when one of CelebA's attributes is missing.
  public func celebARows() throws(FileError) -> [[Bool]] {
    var columns: [Int] = []
    for name in FaceAttribute.names { columns.append(try column(name)) }
    return (0..<count).map { row in columns.map { self[row, $0] } }
  }
}
