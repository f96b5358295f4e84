public import Files
import Foundation
import Graphs
import Tensors

/// A model file with its codes stored by how frequent they are: smaller to send, and the same file afterwards.
///
/// The file is eight bytes `EQUANTZ1`, the length of the ONNX file (64 bits, low bytes first), its SHA-256 in
/// 64 hexadecimal digits, and then what ``AdaptiveEncoder`` writes of the pieces of the file. Each piece begins
/// with a byte:
///
/// - 0: a length, and so many bytes of the file.
/// - 1: symbols. The bits of a symbol (1 to 8) and their number; how many fields a symbol has; of each the bits
///   below it and its width. Then the symbols, in a model of their own. In the file each field has its own place,
///   packed as ONNX has them, low bits first; between two fields come a length and so many bytes of the file.
///
/// Numbers are of seven bits a byte, low ones first, the highest bit saying that more follow. They and all bytes
/// share one ``TextModel``.
///
/// Source: the use of it, S. Han, H. Mao, W. Dally, *Deep Compression*, ICLR 2016, section 4, which uses
/// Huffman codes: those cannot be shorter than a bit a symbol, and bitmaps of sparse weights are.
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
    var next = 0
    for run in CodedRun.runs(of: graph, in: bytes) {
      writer.plain(bytes[next..<run.range.lowerBound])
      writer.write(run, in: bytes)
      next = run.range.upperBound
    }
    writer.plain(bytes[next...])
    let length = (0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) }
    return magic + length + Array(SHA256.hex(bytes).utf8) + writer.finished()
  }

  /// The ONNX file that was packed, to the last byte.
  ///
  /// - Throws: `FileError` when the file is damaged, or is no packed model.
  public static func unpacked(_ bytes: [UInt8], path: String) throws(FileError) -> [UInt8] {
    let start = magic.count + 72
    guard isPacked(bytes), bytes.count >= start else {
      throw FileError(path, "is no packed model: it does not begin as one")
    }
    let length = bytes[magic.count..<magic.count + 8].reversed().reduce(UInt64(0)) {
      $0 << 8 | UInt64($1)
    }
    var reader = Reader(AdaptiveDecoder(bytes, from: start), path: path)
    guard length <= bytes.count * mostTimes else {
      throw reader.damaged("it claims \(length) bytes, more than \(mostTimes) times its own")
    }
    var result: [UInt8] = []
    while result.count < length { try reader.piece(into: &result, most: Int(length)) }
    guard reader.decoder.next == bytes.count else {
      throw reader.damaged("bytes are left behind the model")
    }
    guard Array(SHA256.hex(result).utf8) == Array(bytes[magic.count + 8..<start]) else {
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
  private var encoder = AdaptiveEncoder()
  private var text = TextModel()

  private mutating func byte(_ byte: UInt8) { text.encode(byte, &encoder) }

  private mutating func number(_ value: Int) {
    var left = value
    while left >= 128 {
      byte(UInt8(left & 127) | 128)
      left >>= 7
    }
    byte(UInt8(left))
  }

  private mutating func counted(_ part: ArraySlice<UInt8>) {
    number(part.count)
    for byte in part { self.byte(byte) }
  }

  /// A piece of bytes, where there are any.
  mutating func plain(_ part: ArraySlice<UInt8>) {
    guard !part.isEmpty else { return }
    byte(0)
    counted(part)
  }

  /// A piece of symbols; of bytes where they are none after all.
  mutating func write(_ run: CodedRun, in all: [UInt8]) {
    guard let symbols = run.symbols(in: all) else { return plain(all[run.range]) }
    byte(1)
    byte(UInt8(run.bits))
    number(symbols.count)
    number(run.places.count)
    for (low, width) in zip(run.lows, run.widths) {
      byte(UInt8(low))
      byte(UInt8(width))
    }
    var own = SymbolModel(bits: run.bits)
    for symbol in symbols { encoder.encode(symbol, &own) }
    for (place, next) in zip(run.places, run.places.dropFirst()) {
      counted(all[place.upperBound..<next.lowerBound])
    }
  }

  /// All that was written.
  mutating func finished() -> [UInt8] {
    encoder.finish()
    return encoder.bytes
  }
}

/// Reads pieces; nothing in them is believed.
private struct Reader {
  private(set) var decoder: AdaptiveDecoder
  private let path: String
  private var text = TextModel()

  init(_ decoder: AdaptiveDecoder, path: String) {
    self.decoder = decoder
    self.path = path
  }

  func damaged(_ problem: String) -> FileError {
    FileError(path, "byte \(decoder.next): the packed model is damaged: \(problem)")
  }

  private mutating func byte() throws(FileError) -> UInt8 {
    let byte = text.decode(&decoder)
    guard !decoder.isShort else { throw damaged("it ends too early") }
    return byte
  }

  private mutating func number() throws(FileError) -> Int {
    var (value, shift) = (0, 0)
    while true {
      let byte = try byte()
      value |= Int(byte & 127) << shift
      if byte < 128 { return value }
      shift += 7
      guard shift < 56 else { throw damaged("a number is too long") }
    }
  }

  /// Adds bytes of the file, of which no more than `most` may be there afterwards.
  private mutating func counted(into result: inout [UInt8], most: Int) throws(FileError) {
    let count = try number()
    guard count <= most - result.count else {
      throw damaged("a piece of \(count) bytes, where \(most - result.count) are missing")
    }
    for _ in 0..<count { result.append(try byte()) }
  }

  /// Reads one piece; the model is no longer than `most` afterwards.
  mutating func piece(into result: inout [UInt8], most: Int) throws(FileError) {
    let kind = try byte()
    guard kind <= 1 else { throw damaged("a piece is of kind \(kind), expected 0 or 1") }
    let before = result.count
    if kind == 0 {
      try counted(into: &result, most: most)
      guard result.count > before else { throw damaged("a piece is empty") }
      return
    }
    let bits = Int(try byte())
    let (count, fields) = (try number(), try number())
    guard 1...8 ~= bits, 1...3 ~= fields else {
      throw damaged("symbols of \(bits) bits in \(fields) fields, expected 1 to 8 in 1 to 3")
    }
    // A field has a byte for eight symbols at least.
    guard count > 0, count <= 8 * (most - result.count) else {
      throw damaged("\(count) symbols, where \(most - result.count) bytes are missing")
    }
    var places: [(low: Int, width: Int)] = []
    for _ in 0..<fields {
      let (low, width) = (Int(try byte()), Int(try byte()))
      guard [1, 2, 4, 8].contains(width), low + width <= 8 else {
        throw damaged("a field of \(width) bits above \(low)")
      }
      places.append((low, width))
    }
    var own = SymbolModel(bits: bits)
    var symbols: [UInt8] = []
    symbols.reserveCapacity(count)
    for _ in 0..<count where !decoder.isShort { symbols.append(decoder.decode(&own)) }
    guard !decoder.isShort else { throw damaged("it ends too early") }
    for (number, place) in places.enumerated() {
      if number > 0 { try counted(into: &result, most: most) }
      let field = Fields.packed(symbols, low: place.low, width: place.width)
      guard field.count <= most - result.count else {
        throw damaged("a field of \(field.count) bytes, where \(most - result.count) are missing")
      }
      result += field
    }
  }
}
