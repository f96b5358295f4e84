import Dispatch
import Files

/// The values of one row, checked.
struct RowValues {
  var label = false
  var score = 0.0
  var weight = 1.0
}

extension PredictionFile {
  typealias Fault = RowProblem.Fault

  /// Reads and checks label, score and weight of one row.
  func values(
    _ fields: UnsafeMutableBufferPointer<Field>, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(Fault) -> RowValues {
    var values = RowValues()
    for slot in Slot.groups..<Slot.groups + options.groups.count {
      if isMissing(fields[slot], bytes) { throw Fault(kind: .missing(column: names[slot])) }
    }
    let label = fields[Slot.label]
    guard let truth = labels.read(bytes, label) else {
      if isMissing(label, bytes) { throw Fault(kind: .missing(column: names[Slot.label])) }
      throw fault(label, bytes, Slot.label, "a label such as 0 or 1")
    }
    values.label = truth
    let field = fields[Slot.score]
    if let score = number(bytes, field.start, field.end), score >= 0, score <= 1 {
      values.score = score
    } else if isMissing(field, bytes) {
      throw Fault(kind: .missing(column: names[Slot.score]))
    } else if let decision = labels.read(bytes, field) {
      values.score = decision ? 1 : 0
    } else {
      throw fault(field, bytes, Slot.score, "a score from 0 to 1")
    }
    guard options.weight != nil else { return values }
    let weight = fields[Slot.weight]
    guard let heavy = number(bytes, weight.start, weight.end), heavy >= 0, heavy < 1e100 else {
      if isMissing(weight, bytes) { throw Fault(kind: .missing(column: names[Slot.weight])) }
      throw fault(weight, bytes, Slot.weight, "a weight, not negative")
    }
    values.weight = heavy
    return values
  }

  private func fault(
    _ field: Field, _ bytes: UnsafeBufferPointer<UInt8>, _ slot: Int, _ expected: String
  ) -> Fault {
    var shown = field
    shown.end = min(field.end, field.start + 40)
    let text = RowParser.text(shown, bytes)
    return Fault(
      kind: .malformed("column '\(names[slot])': found '\(text)', expected \(expected)"))
  }

  /// Whether a field is empty or one of the ways in which tools write that there is nothing.
  func isMissing(_ field: Field, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let count = field.end - field.start
    if count == 0 { return true }
    guard count <= 4 else { return false }
    func lower(_ i: Int) -> UInt8 { bytes[field.start + i] | 32 }
    switch count {
    case 2: return lower(0) == 110 && lower(1) == 97
    case 3: return lower(0) == 110 && lower(1) == 97 && lower(2) == 110
    case 4:
      let first = lower(0) == 110
      return first && lower(1) == 117 && lower(2) == 108 && lower(3) == 108
        || first && lower(1) == 111 && lower(2) == 110 && lower(3) == 101
    default: return false
    }
  }

  /// Parses the whole file on all cores; `merge` sees the sinks in the order of the file.
  ///
  /// Returns the number of rows that were left out for missing values.
  func read<Sink: RowSink & Sendable>(
    _ empty: @Sendable () -> Sink, merge: (Sink) throws -> Void
  ) throws -> Int {
    var windows = try RowWindows(path)
    var done = 0
    var line = headerLines
    var isFirst = true
    var missing = Missing()
    while let (bytes, cuts) = try windows.next(after: done) {
      var ranges = cuts
      done = cuts.last?.upperBound ?? 0
      if isFirst {
        isFirst = false
        // The header is one row, so it lies in the first piece.
        ranges[0] = min(headerLength, ranges[0].upperBound)..<ranges[0].upperBound
      }
      let results = parse(bytes, ranges, empty)
      for (sink, problems, lines) in results {
        for problem in problems {
          switch problem.kind {
          case .malformed(let what): throw FileError(path, "line \(line + problem.line): \(what)")
          case .missing(let column): missing.add(column, line + problem.line)
          }
        }
        line += lines
        try merge(sink)
      }
    }
    if missing.count > 0 && !options.skipsMissing { throw FileError(path, missing.summary) }
    return missing.count
  }

  /// Says no to a file of which no row is left: what follows from none is only undefined.
  func refuseEmpty(rows: Int, skipped: Int) throws(FileError) {
    guard rows == 0 else { return }
    throw FileError(
      path,
      skipped > 0
        ? "is empty but for rows that lack a value (\(skipped))"
        : "is empty below its header: expected rows")
  }

  private func parse<Sink: RowSink & Sendable>(
    _ bytes: UnsafeBufferPointer<UInt8>, _ ranges: [Range<Int>], _ empty: @Sendable () -> Sink
  ) -> [(Sink, [RowProblem], Int)] {
    var results = [(Sink, [RowProblem], Int)?](repeating: nil, count: ranges.count)
    results.withUnsafeMutableBufferPointer { results in
      // Every iteration reads its own range and writes a slot of its own.
      nonisolated(unsafe) let slots = results
      nonisolated(unsafe) let bytes = bytes
      DispatchQueue.concurrentPerform(iterations: ranges.count) { piece in
        var sink = empty()
        var problems: [RowProblem] = []
        let lines = parser.parse(bytes, ranges[piece], into: &sink, problems: &problems)
        slots[piece] = (sink, problems, lines)
      }
    }
    return results.compactMap(\.self)
  }
}

/// Counts rows that lack a value and remembers where the first are.
private struct Missing {
  var count = 0
  private var columns: [(name: String, count: Int, lines: [Int])] = []

  mutating func add(_ column: String, _ line: Int) {
    count += 1
    let at = columns.firstIndex { $0.name == column } ?? columns.count
    if at == columns.count { columns.append((column, 0, [])) }
    columns[at].count += 1
    if columns[at].lines.count < 3 { columns[at].lines.append(line) }
  }

  /// How many rows lack which value, and on which lines.
  var summary: String {
    let parts = columns.map { column in
      let lines = column.lines.map(String.init).joined(separator: ", ")
      let more = column.count > column.lines.count ? ", …" : ""
      let rows = column.count == 1 ? "1 row lacks" : "\(column.count) rows lack"
      return "\(rows) a value in column '\(column.name)' (line \(lines)\(more))"
    }
    return parts.joined(separator: "; ")
  }
}
