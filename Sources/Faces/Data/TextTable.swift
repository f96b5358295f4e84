internal import Files

/// Reads a table of text row by row without making a string of every field.
///
/// Fields are separated by runs of spaces (CelebA's own files) or by single commas (CSV, in which
/// a field may be quoted as in RFC 4180). Lines end in LF or CR LF; empty lines are passed over.
struct TextTable {
  /// How fields are told apart.
  enum Separator { case spaces, commas }

  let path: String
  let separator: Separator
  let bytes: [UInt8]
  /// The number of the row last read, counting lines of the file from 1.
  private(set) var line = 0
  /// The first line that ended in CR LF.
  private(set) var windowsLine: Int?
  private var lines = 1
  private var offset = 0

  /// Opens the file at `path`; a name that ends in `.csv` is read as CSV.
  init(reading path: String) throws(FileError) {
    self.init(
      path: path, bytes: try Files.read(path),
      separator: path.lowercased().hasSuffix(".csv") ? .commas : .spaces)
  }

  init(path: String, bytes: [UInt8], separator: Separator) {
    self.path = path
    self.bytes = bytes
    self.separator = separator
    // Windows editors begin UTF-8 files with a byte order mark.
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { offset = 3 }
  }

  /// Reads the next row into `fields`, as ranges of ``bytes``; false at the end of the file.
  mutating func next(_ fields: inout [Range<Int>]) throws(FileError) -> Bool {
    let text = bytes
    let bytes = text.span
    while offset < bytes.count {
      line = lines
      fields.removeAll(keepingCapacity: true)
      switch separator {
      case .spaces: readSpaced(bytes, &fields)
      case .commas: try readCommas(bytes, &fields)
      }
      if !fields.isEmpty { return true }
    }
    return false
  }

  private mutating func readSpaced(_ bytes: Span<UInt8>, _ fields: inout [Range<Int>]) {
    // A local place stays in a register; a property is written back for every byte.
    var at = offset
    var start = at
    while true {
      let byte = at < bytes.count ? bytes[at] : UInt8(ascii: "\n")
      if byte > UInt8(ascii: " ") {
        at += 1
        continue
      }
      if at > start { fields.append(start..<at) }
      if byte == UInt8(ascii: "\n") { break }
      at += 1
      start = at
    }
    offset = at
    endLine(bytes)
  }

  private mutating func readCommas(
    _ bytes: Span<UInt8>, _ fields: inout [Range<Int>]
  ) throws(FileError) {
    var at = offset
    var start = at
    while true {
      let byte = at < bytes.count ? bytes[at] : UInt8(ascii: "\n")
      if byte == UInt8(ascii: "\"") && at == start {
        offset = at
        try skipQuoted(bytes)
        at = offset
        // The field goes on until a comma, as text.
        continue
      }
      if byte != UInt8(ascii: ",") && byte != UInt8(ascii: "\n") {
        at += 1
        continue
      }
      var end = at
      if byte == UInt8(ascii: "\n") {
        if end > start && bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        if fields.isEmpty && end == start { break }
      }
      fields.append(start..<end)
      if byte == UInt8(ascii: "\n") { break }
      at += 1
      start = at
    }
    offset = at
    endLine(bytes)
  }

  /// Passes over a quoted field; a quote inside is doubled.
  private mutating func skipQuoted(_ bytes: Span<UInt8>) throws(FileError) {
    offset += 1
    while offset < bytes.count {
      if bytes[offset] == UInt8(ascii: "\n") { lines += 1 }
      offset += 1
      guard bytes[offset - 1] == UInt8(ascii: "\"") else { continue }
      guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { return }
      offset += 1
    }
    throw FileError(path, "line \(line): a quoted field has no closing quote")
  }

  private mutating func endLine(_ bytes: Span<UInt8>) {
    if windowsLine == nil, offset > 0, offset < bytes.count,
      bytes[offset - 1] == UInt8(ascii: "\r")
    {
      windowsLine = lines
    }
    offset += 1
    lines += 1
  }

  /// The text of a field, without its quotes.
  func text(_ field: Range<Int>) -> String {
    guard separator == .commas, field.count >= 2, bytes[field.lowerBound] == UInt8(ascii: "\""),
      bytes[field.upperBound - 1] == UInt8(ascii: "\"")
    else { return String(decoding: bytes[field], as: UTF8.self) }
    return String(decoding: bytes[field.lowerBound + 1..<field.upperBound - 1], as: UTF8.self)
      .replacing("\"\"", with: "\"")
  }

  /// The field as a decimal number, or nil when it is not one or does not fit.
  func integer(_ field: Range<Int>) -> Int? {
    var field = field
    let negative = !field.isEmpty && bytes[field.lowerBound] == UInt8(ascii: "-")
    if negative { field = field.lowerBound + 1..<field.upperBound }
    // Eighteen digits always fit in 64 bits.
    guard !field.isEmpty, field.count <= 18 else { return nil }
    var value = 0
    for index in field {
      let digit = Int(bytes[index]) - 48
      guard 0...9 ~= digit else { return nil }
      value = value * 10 + digit
    }
    return negative ? -value : value
  }

  /// True for a field that is `1`, false for `-1`, nil for any other.
  func sign(_ field: Range<Int>) -> Bool? {
    guard !field.isEmpty, bytes[field.upperBound - 1] == UInt8(ascii: "1") else { return nil }
    if field.count == 1 { return true }
    return field.count == 2 && bytes[field.lowerBound] == UInt8(ascii: "-") ? false : nil
  }

  /// An error at the row last read.
  func problem(_ text: String) -> FileError { FileError(path, "line \(line): \(text)") }

  /// What a reader should know although the table could be read.
  var warnings: [String] {
    guard let windowsLine else { return [] }
    return ["\(path): line \(windowsLine): ends in CR LF, as on Windows; read as LF"]
  }
}
