import Foundation
import Graphs
import Tensors

/// Codes in a file: fields of one symbol that lie one behind the other, with other bytes between them.
struct CodedRun {
  /// Where each field's bytes are, in the order of the file.
  var places: [Range<Int>]
  /// How many bits of a symbol each has, in the order of the file.
  var widths: [Int]
  /// Which bits: how many are below them.
  var lows: [Int]

  var range: Range<Int> { (places.first?.lowerBound ?? 0)..<(places.last?.upperBound ?? 0) }
  var bits: Int { widths.reduce(0, +) }

  /// The symbols whose fields give these bytes; `nil` where none do.
  func symbols(in bytes: [UInt8]) -> [UInt8]? {
    let count = zip(places, widths).map { $0.count * 8 / $1 }.min() ?? 0
    var symbols = [UInt8](repeating: 0, count: count)
    for ((place, width), low) in zip(zip(places, widths), lows) {
      let perByte = 8 / width
      let mask = UInt8(truncatingIfNeeded: 1 << width - 1)
      for i in symbols.indices {
        let value = bytes[place.lowerBound + i / perByte] >> UInt8(i % perByte * width) & mask
        symbols[i] |= value << UInt8(low)
      }
    }
    for ((place, width), low) in zip(zip(places, widths), lows)
    where Fields.packed(symbols, low: low, width: width) != Array(bytes[place]) { return nil }
    return symbols
  }

  /// The constants of whole numbers of few bits, in the order of the file.
  static func runs(of graph: Graph, in bytes: [UInt8]) -> [CodedRun] {
    var found: [(range: Range<Int>, stem: String, width: Int)] = []
    for (name, tensor) in graph.initializers
    where (tensor.elementType == .uint8 || tensor.elementType == .int8) && tensor.bytes.count >= 64
    {
      guard let range = range(of: tensor.bytes, in: bytes) else { continue }
      let part = name.split(separator: ".").last ?? ""
      let width = ["codes1": 1, "codes2": 2, "codes4": 4][part] ?? 8
      found.append((range, width == 8 ? name : String(name.dropLast(part.count)), width))
    }
    found.sort { $0.range.lowerBound < $1.range.lowerBound }
    var runs: [CodedRun] = []
    var next = 0
    for (number, place) in found.enumerated() where place.range.lowerBound >= next {
      // Fields of the same codes: as the low bits are the widest field's, so are the lowest.
      let fields = place.width == 8 ? [place] : found[number...].filter { $0.stem == place.stem }
      let isWhole = zip(fields, fields.dropFirst()).allSatisfy { before, after in
        before.range.upperBound <= after.range.lowerBound
          && !found.contains {
            before.range.upperBound <= $0.range.lowerBound
              && $0.range.lowerBound < after.range.lowerBound
          }
      }
      let used = isWhole ? Array(fields) : [place]
      let lows = used.map { own in used.reduce(0) { $0 + ($1.width > own.width ? $1.width : 0) } }
      runs.append(CodedRun(places: used.map(\.range), widths: used.map(\.width), lows: lows))
      next = runs[runs.count - 1].range.upperBound
    }
    return runs
  }

  /// Where `part`, which is not empty, first is.
  private static func range(of part: [UInt8], in bytes: [UInt8]) -> Range<Int>? {
    bytes.withUnsafeBytes { whole in
      part.withUnsafeBytes { part in
        guard let start = whole.baseAddress, let wanted = part.baseAddress else { return nil }
        var next = 0
        while whole.count - next >= part.count {
          let left = whole.count - next - part.count + 1
          guard let found = memchr(start + next, Int32(part[0]), left) else { return nil }
          next = UnsafeRawPointer(found) - start
          if memcmp(found, wanted, part.count) == 0 { return next..<next + part.count }
          next += 1
        }
        return nil
      }
    }
  }
}

/// Fields of symbols as bytes.
enum Fields {
  /// The bits from `low` on of every symbol, `width` each, low bits first.
  static func packed(_ symbols: [UInt8], low: Int, width: Int) -> [UInt8] {
    if width == 8 { return symbols }
    let perByte = 8 / width
    let mask = UInt8(truncatingIfNeeded: 1 << width - 1)
    var bytes = [UInt8](repeating: 0, count: (symbols.count + perByte - 1) / perByte)
    for (i, symbol) in symbols.enumerated() {
      bytes[i / perByte] |= (symbol >> UInt8(low) & mask) << UInt8(i % perByte * width)
    }
    return bytes
  }
}
