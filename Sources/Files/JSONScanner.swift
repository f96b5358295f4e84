/// Finds places in JSON: values in text that a decoder has found to be well-formed, or the first
/// byte that makes it ill-formed.
///
/// Foundation's decoder tells neither.
struct JSONScanner {
  let bytes: [UInt8]
  /// Where the value begins that was entered last.
  private(set) var start = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    start = afterBlanks(0)
    if start == bytes.count { start = 0 }
  }

  /// Goes to an element of the list at ``start``; false, without moving, when there is none.
  mutating func enter(element index: Int) -> Bool {
    guard start < bytes.count, bytes[start] == 91 else { return false }
    var at = afterBlanks(start + 1)
    for _ in 0..<index {
      at = afterBlanks(afterValue(at))
      guard at < bytes.count, bytes[at] == 44 else { return false }
      at = afterBlanks(at + 1)
    }
    guard at < bytes.count, bytes[at] != 93 else { return false }
    start = at
    return true
  }

  /// Goes to a member of the object at ``start``; false, without moving, when there is none.
  mutating func enter(member name: String) -> Bool {
    guard start < bytes.count, bytes[start] == 123 else { return false }
    let wanted = Array(name.utf8)
    var at = afterBlanks(start + 1)
    while at < bytes.count, bytes[at] == 34 {
      let end = afterString(at)
      let isIt = end - at >= 2 && bytes[(at + 1)..<(end - 1)].elementsEqual(wanted)
      at = afterBlanks(end)
      guard at < bytes.count, bytes[at] == 58 else { return false }
      at = afterBlanks(at + 1)
      if isIt && at < bytes.count {
        start = at
        return true
      }
      at = afterBlanks(afterValue(at))
      guard at < bytes.count, bytes[at] == 44 else { return false }
      at = afterBlanks(at + 1)
    }
    return false
  }

  func afterBlanks(_ from: Int) -> Int {
    var at = from
    while at < bytes.count, [9, 10, 13, 32].contains(bytes[at]) { at += 1 }
    return at
  }

  private func afterString(_ from: Int) -> Int {
    var at = from + 1
    while at < bytes.count, bytes[at] != 34 { at += bytes[at] == 92 ? 2 : 1 }
    return min(bytes.count, at + 1)
  }

  private func afterValue(_ from: Int) -> Int {
    var (at, depth) = (from, 0)
    while at < bytes.count {
      switch bytes[at] {
      case 34:
        at = afterString(at) - 1
      case 91, 123: depth += 1
      case 93, 125:
        // The end of the list or object that this value is the last of.
        if depth == 0 { return at }
        depth -= 1
      case 44 where depth == 0: return at
      default: break
      }
      at += 1
    }
    return at
  }
}

extension JSONScanner {
  private enum Expected: String {
    case value = "a value"
    case valueOrEnd = "a value or ']'"
    case key = "a name in quotes"
    case keyOrEnd = "a name in quotes or '}'"
    case colon = "':'"
    case commaOrEnd = "',' or the end of the list or object"
    case nothing = "nothing more"
  }

  /// The first place that is not JSON, with what is wrong there; nil when all of it is.
  func firstError() -> (offset: Int, what: String)? {
    var open: [UInt8] = []
    var expected = Expected.value
    var at = afterBlanks(0)
    while at < bytes.count {
      let byte = bytes[at]
      var end: Int?
      switch (expected, byte) {
      case (.value, 123), (.valueOrEnd, 123), (.value, 91), (.valueOrEnd, 91):
        open.append(byte)
        (end, expected) = (at + 1, byte == 123 ? .keyOrEnd : .valueOrEnd)
      case (.valueOrEnd, 93), (.keyOrEnd, 125), (.commaOrEnd, 93), (.commaOrEnd, 125):
        guard open.last == byte - 2 else { break }
        open.removeLast()
        (end, expected) = (at + 1, open.isEmpty ? .nothing : .commaOrEnd)
      case (.commaOrEnd, 44): (end, expected) = (at + 1, open.last == 123 ? .key : .value)
      case (.colon, 58): (end, expected) = (at + 1, .value)
      case (.key, 34), (.keyOrEnd, 34):
        guard let close = endOfString(at) else { return (at, "this text has no end or a bad sign") }
        (end, expected) = (close, .colon)
      case (.value, _), (.valueOrEnd, _):
        if byte == 34 && endOfString(at) == nil {
          return (at, "this text has no end or a bad sign")
        }
        end = byte == 34 ? endOfString(at) : endOfWord(at)
        if byte != 34, let end,
          Double(String(decoding: bytes[at..<end], as: UTF8.self))?.isFinite == false
        {
          return (at, "this number is too large")
        }
        if end != nil { expected = open.isEmpty ? .nothing : .commaOrEnd }
      default: break
      }
      guard let end else {
        let found = String(decoding: bytes[at..<min(bytes.count, at + 4)], as: UTF8.self)
        let first = found.unicodeScalars.first.map { $0.escaped(asASCII: false) } ?? ""
        return (at, "found '\(first)', expected \(expected.rawValue)")
      }
      at = afterBlanks(end)
    }
    return expected == .nothing
      ? nil : (bytes.count, "the file ends here, expected \(expected.rawValue)")
  }

  /// Where a text ends that starts at `from`; nil when it does not, or holds what no text may.
  private func endOfString(_ from: Int) -> Int? {
    var at = from + 1
    while at < bytes.count, bytes[at] != 34 {
      if bytes[at] < 32 { return nil }
      if bytes[at] == 92 {
        guard at + 1 < bytes.count else { return nil }
        switch bytes[at + 1] {
        case 34, 47, 92, 98, 102, 110, 114, 116: at += 1
        case 117:
          let digits = bytes[(at + 2)...].prefix(4)
          guard digits.count == 4, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit })
          else { return nil }
          at += 5
        default: return nil
        }
      }
      at += 1
    }
    guard at < bytes.count, String(validating: bytes[from...at], as: UTF8.self) != nil else {
      return nil
    }
    return at + 1
  }

  /// Where a number, `true`, `false` or `null` ends that starts at `from`; nil when it is none.
  private func endOfWord(_ from: Int) -> Int? {
    var end = from
    while end < bytes.count, ![9, 10, 13, 32, 44, 58, 91, 93, 123, 125, 34].contains(bytes[end]) {
      end += 1
    }
    let word = String(decoding: bytes[from..<end], as: UTF8.self)
    let isNumber = word.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/) != nil
    return isNumber || ["true", "false", "null"].contains(word) ? end : nil
  }
}
