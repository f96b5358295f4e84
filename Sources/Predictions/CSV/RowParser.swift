import Foundation

/// A field of a row: where its bytes are, and whether it is written in quotes.
struct Field {
  var start = 0
  var end = 0
  var quoted = false

  var isEmpty: Bool { start == end }
}

/// What is wrong with a row, found while parsing.
struct RowProblem: Error, Hashable, Sendable {
  /// How many rows lack a value, or are otherwise of the kind.
  enum Kind: Hashable, Sendable {
    case missing(column: String)
    case malformed(String)
  }

  /// Counted from 1 in the piece that was parsed, then in the file.
  var line: Int
  var kind: Kind
}

/// What takes in the rows of one piece.
protocol RowSink {
  /// Takes the wanted fields of one row, in the order they were asked for.
  mutating func take(
    _ fields: UnsafeMutableBufferPointer<Field>, of bytes: UnsafeBufferPointer<UInt8>
  ) throws(RowProblem.Fault)
}

extension RowProblem {
  /// A problem whose line is not known yet.
  struct Fault: Error {
    var kind: Kind
  }
}

/// Splits bytes into rows and fields: separators, quotes, line ends.
struct RowParser: Sendable {
  /// The separator between fields.
  var separator: UInt8
  /// For every column of the file the slot its fields go to, or -1.
  var slots: [Int]
  /// The number of slots.
  var wanted: Int

  /// Parses whole rows; returns the number of lines and the problems found.
  ///
  /// At most `limit` problems are kept; all are counted by kind when missing values are skipped.
  func parse(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, into sink: inout some RowSink,
    problems: inout [RowProblem]
  ) -> Int {
    withUnsafeTemporaryAllocation(of: Field.self, capacity: max(1, wanted)) { fields in
      fields.initialize(repeating: Field())
      return slots.withUnsafeBufferPointer { slots in
        rows(bytes, range, slots, fields, &sink, &problems)
      }
    }
  }

  private func rows(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ slots: UnsafeBufferPointer<Int>,
    _ fields: UnsafeMutableBufferPointer<Field>, _ sink: inout some RowSink,
    _ problems: inout [RowProblem]
  ) -> Int {
    var at = range.lowerBound
    var line = 0
    let end = range.upperBound
    while at < end {
      line += 1
      let first = line
      if bytes[at] == 10 {
        at += 1
        continue
      }
      if bytes[at] == 13 && (at + 1 == end || bytes[at + 1] == 10) {
        at += at + 1 == end ? 1 : 2
        continue
      }
      var column = 0
      var fault: String?
      row: while true {
        var field = Field(start: at, end: at, quoted: false)
        if at < end && bytes[at] == 34 {
          field.quoted = true
          at += 1
          field.start = at
          while true {
            guard at < end else {
              fault = fault ?? "a quote is left open"
              break
            }
            let byte = bytes[at]
            if byte == 34 {
              if at + 1 < end && bytes[at + 1] == 34 {
                at += 2
                continue
              }
              break
            }
            if byte == 10 { line += 1 }
            at += 1
          }
          field.end = at
          if at < end { at += 1 }
          if at < end && bytes[at] == 13 && (at + 1 == end || bytes[at + 1] == 10) { at += 1 }
          if at < end && bytes[at] != separator && bytes[at] != 10 {
            fault = fault ?? "there is text after the closing quote of field \(column + 1)"
            while at < end && bytes[at] != separator && bytes[at] != 10 { at += 1 }
          }
        } else {
          while at < end {
            let byte = bytes[at]
            if byte == separator || byte == 10 { break }
            if byte == 34 {
              fault = fault ?? "field \(column + 1) has a quote inside but does not start with one"
            }
            at += 1
          }
          field.end = at
          if field.end > field.start && (at == end || bytes[at] == 10)
            && bytes[field.end - 1] == 13
          {
            field.end -= 1
          }
        }
        if column < slots.count {
          let slot = slots[column]
          if slot >= 0 { fields[slot] = field }
        }
        column += 1
        if at >= end { break row }
        at += 1
        if bytes[at - 1] == 10 { break row }
      }
      if fault == nil && column != slots.count {
        fault = "found \(column) field\(column == 1 ? "" : "s"), expected \(slots.count)"
      }
      if let fault {
        problems.append(RowProblem(line: first, kind: .malformed(fault)))
      } else {
        do throws(RowProblem.Fault) {
          try sink.take(fields, of: bytes)
        } catch {
          problems.append(RowProblem(line: first, kind: error.kind))
        }
      }
    }
    return line
  }

  /// The text of a field, with doubled quotes undone.
  static func text(_ field: Field, _ bytes: UnsafeBufferPointer<UInt8>) -> String {
    let raw = String(decoding: bytes[field.start..<field.end], as: UTF8.self)
    return field.quoted ? raw.replacingOccurrences(of: "\"\"", with: "\"") : raw
  }
}
