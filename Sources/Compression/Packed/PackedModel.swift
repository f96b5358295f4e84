public import Files
import Graphs

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
  /// How long a file may be that so many bytes are said to hold: what is read is no reason to fill memory.
  private static func most(for bytes: Int) -> Int { max(32 * bytes, 16 << 20) }

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
    var writer = PieceWriter()
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
    var reader = PieceReader(AdaptiveDecoder(bytes, from: start), path: path)
    guard length <= most(for: bytes.count) else {
      throw reader.damaged("it claims \(length) bytes, expected \(most(for: bytes.count)) at most")
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
