public import Files
import Foundation
import Graphs
import Tensors

/// A model file with its codes stored by how frequent they are: smaller to send, and the same file afterwards.
///
/// The file is eight bytes `EQUANTZ1`, the length of the ONNX file (64 bits, low bytes first), its SHA-256 in
/// 64 hexadecimal digits, and then pieces until that length is reached. Each piece begins with a byte:
///
/// - 0: a length, and so many bytes as they are.
/// - 1: coded symbols. The bits of a symbol (2 to 8), their number, a frequency for each of the 2^bits symbols,
///   a length, and so many bytes of ``SymbolCoder``. Then how many fields every symbol has, and the width of
///   each, low bits first; all of the first field come first, packed as ONNX has them, low bits first.
///   Between fields lie bytes as they are, given by their length.
///
/// Numbers are of seven bits a byte, low ones first, the highest bit saying that more follow.
///
/// Source: the use of it, S. Han, H. Mao, W. Dally, *Deep Compression*, ICLR 2016, section 4, which uses
/// Huffman codes: those cannot be shorter than a bit a symbol, which bitmaps of sparse weights are.
public enum PackedModel {
  private static let magic = Array("EQUANTZ1".utf8)
  /// How many times as long as its packed form a file is at most: what is read is no reason to fill memory.
  private static let mostTimes = 32

  /// Whether a file begins as packed models do.
  public static func isPacked(_ bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

  /// The ONNX file at `path`, whether it is packed or not.
  ///
  /// - Throws: `FileError` when it cannot be read, or is packed and damaged.
  public static func read(_ path: String) throws(FileError) -> [UInt8] {
    let bytes = try Files.read(path)
    return isPacked(bytes) ? try unpacked(bytes, path: path) : bytes
  }

  /// Packs an ONNX file.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - path: What it is called in errors.
  /// - Returns: The packed file.
  /// - Throws: `FileError` when it is no ONNX file.
  public static func packed(_ bytes: [UInt8], path: String) throws -> [UInt8] {
    let graph = try ONNXFile.graph(bytes, path: path)
    var writer = Writer()
    writer.bytes = magic
    for byte in 0..<8 { writer.bytes.append(UInt8(truncatingIfNeeded: bytes.count >> (8 * byte))) }
    writer.bytes += Array(SHA256.hex(bytes).utf8)
    var next = 0
    for run in CodedRun.runs(of: graph, in: bytes) {
      writer.plain(bytes[next..<run.range.lowerBound])
      writer.shortest(of: run, in: bytes)
      next = run.range.upperBound
    }
    writer.plain(bytes[next...])
    return writer.bytes
  }

  /// The ONNX file that was packed, to the last byte.
  ///
  /// - Throws: `FileError` when the file is damaged, or is no packed model.
  public static func unpacked(_ bytes: [UInt8], path: String) throws(FileError) -> [UInt8] {
    guard isPacked(bytes), bytes.count >= magic.count + 72 else {
      throw FileError(path, "is no packed model: it does not begin as one")
    }
    var reader = Reader(bytes: bytes, next: magic.count, path: path)
    let length = try reader.take(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= bytes.count * mostTimes else {
      throw reader.damaged("it claims \(length) bytes, more than \(mostTimes) times its own")
    }
    let digest = try reader.take(64)
    var result: [UInt8] = []
    while result.count < length { try reader.piece(into: &result, most: Int(length)) }
    guard reader.isAtEnd else { throw reader.damaged("bytes are left behind the model") }
    guard result.count == length, Array(SHA256.hex(result).utf8) == Array(digest) else {
      throw reader.damaged("the model in it has another SHA-256 than it says")
    }
    return result
  }
}

/// Codes in a file: fields of one symbol that lie one behind the other, with other bytes between them.
private struct CodedRun {
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
private enum Fields {
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

/// Writes pieces.
private struct Writer {
  var bytes: [UInt8] = []

  mutating func number(_ value: Int) {
    var left = value
    while left >= 128 {
      bytes.append(UInt8(left & 127) | 128)
      left >>= 7
    }
    bytes.append(UInt8(left))
  }

  mutating func plain(_ part: ArraySlice<UInt8>) {
    guard !part.isEmpty else { return }
    bytes.append(0)
    number(part.count)
    bytes += part
  }

  /// The run as symbols, each field's bytes as symbols, or as it is: whichever is shortest.
  mutating func shortest(of run: CodedRun, in all: [UInt8]) {
    var ways: [Writer] = [Writer(), Writer()]
    ways[0].plain(all[run.range])
    var next = run.range.lowerBound
    for place in run.places {
      ways[1].plain(all[next..<place.lowerBound])
      ways[1].coded(CodedRun(places: [place], widths: [8], lows: [0]), Array(all[place]), in: all)
      next = place.upperBound
    }
    if 2..<8 ~= run.bits, let symbols = run.symbols(in: all) {
      var way = Writer()
      way.coded(run, symbols, in: all)
      ways.append(way)
    }
    bytes += ways.min { $0.bytes.count < $1.bytes.count }?.bytes ?? []
  }

  private mutating func coded(_ run: CodedRun, _ symbols: [UInt8], in all: [UInt8]) {
    let coder = SymbolCoder(of: symbols, count: 1 << run.bits)
    bytes += [1, UInt8(run.bits)]
    number(symbols.count)
    for frequency in coder.frequencies { number(Int(frequency)) }
    let coded = coder.encoded(symbols)
    number(coded.count)
    bytes += coded
    number(run.places.count)
    var next = run.range.lowerBound
    for (place, (width, low)) in zip(run.places, zip(run.widths, run.lows)) {
      number(place.lowerBound - next)
      bytes += all[next..<place.lowerBound]
      bytes += [UInt8(low), UInt8(width)]
      next = place.upperBound
    }
  }
}

/// Reads pieces; nothing in them is believed.
private struct Reader {
  let bytes: [UInt8]
  var next: Int
  let path: String

  var isAtEnd: Bool { next == bytes.count }

  func damaged(_ problem: String) -> FileError {
    FileError(path, "byte \(next): the packed model is damaged: \(problem)")
  }

  mutating func byte() throws(FileError) -> UInt8 {
    guard next < bytes.count else { throw damaged("it ends too early") }
    next += 1
    return bytes[next - 1]
  }

  mutating func number() throws(FileError) -> Int {
    var (value, shift) = (0, 0)
    while true {
      let byte = try byte()
      value |= Int(byte & 127) << shift
      if byte < 128 { return value }
      shift += 7
      guard shift < 56 else { throw damaged("a number is too long") }
    }
  }

  mutating func take(_ count: Int) throws(FileError) -> ArraySlice<UInt8> {
    guard count <= bytes.count - next else {
      throw damaged("\(count) bytes are to follow, \(bytes.count - next) do")
    }
    next += count
    return bytes[next - count..<next]
  }

  /// Reads one piece; the model is no longer than `most` afterwards.
  mutating func piece(into result: inout [UInt8], most: Int) throws(FileError) {
    let kind = try byte()
    guard kind <= 1 else { throw damaged("a piece is of kind \(kind), expected 0 or 1") }
    if kind == 0 {
      let count = try number()
      guard count > 0, count <= most - result.count else {
        throw damaged("a piece of \(count) bytes, where \(most - result.count) are missing")
      }
      result += try take(count)
      return
    }
    let bits = Int(try byte())
    guard 2...8 ~= bits else { throw damaged("symbols of \(bits) bits, expected 2 to 8") }
    let count = try number()
    // Symbols have two bits at least.
    guard count > 0, count <= 4 * (most - result.count) else {
      throw damaged("\(count) symbols, where \(most - result.count) bytes are missing")
    }
    var frequencies: [UInt16] = []
    for _ in 0..<1 << bits {
      let frequency = try number()
      guard frequency <= SymbolCoder.total else { throw damaged("a frequency of \(frequency)") }
      frequencies.append(UInt16(frequency))
    }
    let coded = try take(number())
    guard let coder = SymbolCoder(frequencies: frequencies),
      let symbols = coder.decoded(coded, count: count)
    else { throw damaged("its symbols are not what was coded") }
    let fields = try number()
    guard 1...3 ~= fields else { throw damaged("\(fields) fields, expected 1 to 3") }
    for _ in 0..<fields {
      result += try take(number())
      let (low, width) = (Int(try byte()), Int(try byte()))
      guard [1, 2, 4, 8].contains(width), low + width <= 8 else {
        throw damaged("a field of \(width) bits above \(low)")
      }
      guard (count + 8 / width - 1) / (8 / width) <= most - result.count else {
        throw damaged("\(count) symbols, where \(most - result.count) bytes are missing")
      }
      result += Fields.packed(symbols, low: low, width: width)
    }
  }
}
