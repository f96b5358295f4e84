import Files

/// A predictions file whose header was read: which column holds what.
struct PredictionFile: Sendable {
  /// Where fields go: the order in which a sink sees them.
  enum Slot {
    static let label = 0
    static let score = 1
    static let id = 2
    static let identity = 3
    static let weight = 4
    static let groups = 5
  }

  let path: String
  let options: ReadingOptions
  let parser: RowParser
  /// The columns' names in the order of slots.
  let names: [String]
  /// All columns, in the order of the file.
  let columns: [String]
  /// Whether rows have a name.
  let hasID: Bool
  let labels: LabelReader
  /// The number of bytes and lines that the header takes.
  let headerLength: Int
  let headerLines: Int

  /// Reads the header of the file at `path`.
  init(_ path: String, _ options: ReadingOptions) throws(FileError) {
    self.path = path
    self.options = options
    labels = LabelReader(options)
    // A header is short: a small window that grows if it must.
    var windows = try RowWindows(path, size: 1 << 16)
    guard let (bytes, _) = try windows.next(after: 0) else {
      throw FileError(path, "is empty: expected a header and rows")
    }
    var start = 0
    if bytes.count >= 3 && bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf { start = 3 }
    let end = Self.headerEnd(bytes, from: start)
    let separator: UInt8
    if let given = options.separator {
      guard let ascii = given.asciiValue, ascii != 34, ascii != 10, ascii != 13 else {
        throw FileError(path, "'\(given)' cannot separate fields")
      }
      separator = ascii
    } else {
      separator = Self.likelySeparator(bytes, start..<end)
    }
    let header = try Self.fields(bytes, start..<end, separator, path)
    columns = header
    headerLength = end
    headerLines = bytes[start..<end].reduce(0) { $0 + ($1 == 10 ? 1 : 0) }
    func position(_ name: String, _ what: String) throws(FileError) -> Int {
      let found = header.indices.filter { header[$0] == name }
      guard let first = found.first else {
        throw FileError(
          path,
          "line 1: there is no column '\(name)' for the \(what); the columns are "
            + header.joined(separator: ", "))
      }
      guard found.count == 1 else {
        throw FileError(path, "line 1: there are \(found.count) columns '\(name)'")
      }
      return first
    }
    var slots = [Int](repeating: -1, count: header.count)
    var names = [options.label, options.score, options.id, "", ""] + options.groups
    func place(_ name: String, _ what: String, _ slot: Int) throws(FileError) {
      let column = try position(name, what)
      guard slots[column] < 0 else {
        throw FileError(path, "column '\(name)' cannot serve two purposes")
      }
      slots[column] = slot
    }
    try place(options.label, "label", Slot.label)
    try place(options.score, "score", Slot.score)
    hasID =
      header.contains(options.id) && options.id != options.label
      && !options.groups.contains(options.id) && options.id != options.identity
    if hasID { try place(options.id, "id", Slot.id) }
    if let identity = options.identity {
      names[Slot.identity] = identity
      try place(identity, "identity", Slot.identity)
    }
    if let weight = options.weight {
      names[Slot.weight] = weight
      try place(weight, "weight", Slot.weight)
    }
    guard !options.groups.isEmpty else { throw FileError(path, "no group column was named") }
    for (i, group) in options.groups.enumerated() {
      try place(group, "group", Slot.groups + i)
    }
    self.names = names
    parser = RowParser(
      separator: separator, slots: slots, wanted: Slot.groups + options.groups.count)
  }

  private static func headerEnd(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var quoted = false
    for i in start..<bytes.count {
      if bytes[i] == 34 { quoted.toggle() }
      if bytes[i] == 10 && !quoted { return i + 1 }
    }
    return bytes.count
  }

  /// The one of comma, semicolon, tab and bar that is most frequent outside quotes.
  private static func likelySeparator(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
  ) -> UInt8 {
    var counts: [UInt8: Int] = [:]
    var quoted = false
    for i in range {
      if bytes[i] == 34 { quoted.toggle() }
      if !quoted { counts[bytes[i], default: 0] += 1 }
    }
    return ([44, 59, 9, 124] as [UInt8]).max {
      let (a, b) = (counts[$0] ?? 0, counts[$1] ?? 0)
      return a == b ? $0 > $1 : a < b
    } ?? 44
  }

  private static func fields(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ separator: UInt8, _ path: String
  ) throws(FileError) -> [String] {
    // Count the fields first, then read them all.
    var columns = 1
    var quoted = false
    for i in range {
      if bytes[i] == 34 { quoted.toggle() }
      if bytes[i] == separator && !quoted { columns += 1 }
    }
    struct Header: RowSink {
      var names: [String]?
      mutating func take(
        _ fields: UnsafeMutableBufferPointer<Field>, of bytes: UnsafeBufferPointer<UInt8>
      ) {
        if names == nil { names = fields.map { RowParser.text($0, bytes) } }
      }
    }
    var header = Header()
    var problems: [RowProblem] = []
    let parser = RowParser(
      separator: separator, slots: Array(0..<columns), wanted: columns)
    _ = parser.parse(bytes, range, into: &header, problems: &problems)
    if case .malformed(let what) = problems.first?.kind {
      throw FileError(path, "line 1: \(what)")
    }
    return (header.names ?? []).map { name in
      var name = Substring(name)
      while name.first == " " { name.removeFirst() }
      while name.last == " " { name.removeLast() }
      return String(name)
    }
  }
}

/// Tells a positive label from a negative one.
struct LabelReader: Sendable {
  /// For every byte that alone is a label 1 or 0; -1 for the others.
  private let single: [Int8]
  private let positive: [[UInt8]]
  private let negative: [[UInt8]]

  init(_ options: ReadingOptions) {
    positive = options.positive.map { Array($0.lowercased().utf8) }.sorted { $0.count < $1.count }
    negative = options.negative.map { Array($0.lowercased().utf8) }.sorted { $0.count < $1.count }
    var single = [Int8](repeating: -1, count: 256)
    for (words, label) in [(negative, 0 as Int8), (positive, 1)] {
      for word in words where word.count == 1 {
        single[Int(word[0])] = label
        let upper = word[0] & ~32
        if (65...90).contains(upper) { single[Int(upper)] = label }
      }
    }
    self.single = single
  }

  /// The label, or nil if it is written in none of the known ways.
  func read(_ bytes: UnsafeBufferPointer<UInt8>, _ field: Field) -> Bool? {
    var (from, to) = (field.start, field.end)
    while from < to && bytes[from] == 32 { from += 1 }
    while to > from && bytes[to - 1] == 32 { to -= 1 }
    if to - from == 1 {
      let label = single[Int(bytes[from])]
      return label < 0 ? nil : label == 1
    }
    if matches(positive, bytes, from, to) { return true }
    if matches(negative, bytes, from, to) { return false }
    return nil
  }

  private func matches(
    _ words: [[UInt8]], _ bytes: UnsafeBufferPointer<UInt8>, _ from: Int, _ to: Int
  ) -> Bool {
    for word in words where word.count == to - from {
      var equal = true
      for i in 0..<word.count {
        let byte = bytes[from + i]
        let lower = byte >= 65 && byte <= 90 ? byte | 32 : byte
        if lower != word[i] {
          equal = false
          break
        }
      }
      if equal { return true }
    }
    return false
  }
}
