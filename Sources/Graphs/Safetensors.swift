public import Files
import Foundation
public import Tensors

/// Reading and writing `.safetensors` files: named tensors and a little text, nothing to execute.
///
/// A file is a length (8 bytes, little-endian), that many bytes of JSON that place every tensor,
/// and the tensors' bytes without gaps.
///
/// Source: the format's description, <https://github.com/huggingface/safetensors>.
public enum Safetensors {
  /// What a file holds.
  public struct Contents: Hashable, Sendable {
    /// The tensors by name, as stored.
    public var tensors: [String: Tensor]
    /// Free text by key.
    public var metadata: [String: String]

    /// The given tensors and text.
    public init(tensors: [String: Tensor], metadata: [String: String] = [:]) {
      self.tensors = tensors
      self.metadata = metadata
    }
  }

  /// Reads the tensors of a file.
  ///
  /// - Throws: ``FileError`` that says what is damaged, and where.
  public static func read(_ path: String) throws(FileError) -> [String: Tensor] {
    try readContents(path).tensors
  }

  /// Reads a file with its text.
  ///
  /// - Throws: ``FileError`` that says what is damaged, and where.
  public static func readContents(_ path: String) throws(FileError) -> Contents {
    try contents(try Files.read(path), path: path)
  }

  /// Writes `tensors` and `metadata`, replacing what is at `path` only when the file is complete.
  ///
  /// - Throws: ``FileError`` when writing fails.
  public static func write(
    _ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String
  ) throws(FileError) {
    let bytes = try bytes(of: Contents(tensors: tensors, metadata: metadata), path: path)
    try Files.replace(path, with: bytes)
  }

  /// What the bytes of a file hold; `path` only names it in messages.
  ///
  /// - Throws: ``FileError`` as ``readContents(_:)`` does.
  public static func contents(_ bytes: [UInt8], path: String) throws(FileError) -> Contents {
    guard bytes.count >= 8 else {
      throw FileError(path, "is not a safetensors file: it has only \(bytes.count) bytes")
    }
    let length = bytes[..<8].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    guard length <= largestHeader, length <= bytes.count - 8 else {
      throw FileError(
        path,
        "is not a complete safetensors file: it announces a header of \(length) bytes, but "
          + "\(bytes.count - 8) follow")
    }
    let start = 8 + Int(length)
    let header = try header(Data(bytes[8..<start]), path)
    var contents = Contents(tensors: [:], metadata: header.metadata)
    var end = 0
    for (name, entry) in header.entries.sorted(by: Entry.isBefore) {
      let problem = "tensor '\(name)' "
      guard let type = ElementType(safetensors: entry.dtype) else {
        throw FileError(path, problem + "has the element type \(entry.dtype), not supported")
      }
      guard let count = entry.count else {
        throw FileError(path, problem + "has the impossible shape \(entry.shape)")
      }
      guard entry.offsets.count == 2, entry.offsets[0] == end,
        entry.offsets[0]...bytes.count - start ~= entry.offsets[1]
      else {
        throw FileError(
          path,
          problem + "lies at \(entry.offsets), expected to start at \(end) and end within "
            + "\(bytes.count - start)")
      }
      guard entry.offsets[1] - end == type.byteCount(of: count) else {
        throw FileError(
          path,
          problem + "has \(entry.offsets[1] - end) bytes, expected "
            + "\(type.byteCount(of: count)) for \(entry.dtype) of shape \(entry.shape)")
      }
      contents.tensors[name] = Tensor(
        shape: entry.shape, elementType: type,
        bytes: Array(bytes[(start + end)..<(start + entry.offsets[1])]))
      end = entry.offsets[1]
    }
    guard end == bytes.count - start else {
      throw FileError(path, "has \(bytes.count - start - end) bytes after its last tensor")
    }
    return contents
  }

  /// The bytes of the file that ``write(_:metadata:to:)`` makes: tensors in order of their names.
  ///
  /// - Throws: ``FileError`` when an element type has no name in safetensors.
  public static func bytes(
    of contents: Contents, path: String
  ) throws(FileError) -> [UInt8] {
    var entries: [String: Header.Item] = [:]
    var body: [UInt8] = []
    body.reserveCapacity(contents.tensors.values.reduce(0) { $0 + $1.bytes.count })
    for (name, tensor) in contents.tensors.sorted(by: { $0.key < $1.key }) {
      guard let type = tensor.elementType.safetensorsName, name != Header.metadataKey else {
        throw FileError(path, "tensor '\(name)' (\(tensor.elementType)) does not fit safetensors")
      }
      let range = [body.count, body.count + tensor.bytes.count]
      entries[name] = .tensor(Entry(dtype: type, shape: tensor.shape, offsets: range))
      body += tensor.bytes
    }
    if !contents.metadata.isEmpty { entries[Header.metadataKey] = .text(contents.metadata) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard var json = try? [UInt8](encoder.encode(entries)) else {
      throw FileError(path, "the header could not be encoded")
    }
    while json.count % 8 != 0 { json.append(UInt8(ascii: " ")) }
    let length = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) }
    return length + json + body
  }

  /// The format's own limit.
  private static let largestHeader: UInt64 = 100_000_000

  private static func header(_ json: Data, _ path: String) throws(FileError) -> Header {
    guard json.first == UInt8(ascii: "{") else {
      throw FileError(path, "is not a safetensors file: its header does not start with '{'")
    }
    do {
      return try Header(JSONDecoder().decode([String: Header.Item].self, from: json))
    } catch let error as DecodingError {
      throw FileError(path, "has a damaged header: \(error.reason)")
    } catch {
      throw FileError(path, "has a damaged header")
    }
  }
}

/// Where a tensor is, as a header says it.
private struct Entry: Codable {
  var dtype: String
  var shape: [Int]
  var offsets: [Int]

  enum CodingKeys: String, CodingKey {
    case dtype, shape
    case offsets = "data_offsets"
  }

  /// The number of elements; `nil` for shapes that cannot be.
  var count: Int? {
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow, product <= ShapeInference.largestCount else { return nil }
      count = product
    }
    return count
  }

  /// By place; empty tensors before the one that starts where they are.
  static func isBefore(_ a: (key: String, value: Entry), _ b: (key: String, value: Entry)) -> Bool {
    a.value.offsets.lexicographicallyPrecedes(b.value.offsets)
      || (a.value.offsets == b.value.offsets && a.key < b.key)
  }
}

/// The JSON before the tensors.
private struct Header {
  static let metadataKey = "__metadata__"

  var entries: [String: Entry] = [:]
  var metadata: [String: String] = [:]

  enum Item: Codable {
    case tensor(Entry)
    case text([String: String])

    init(from decoder: any Decoder) throws {
      if decoder.codingPath.last?.stringValue == Header.metadataKey {
        self = .text(try [String: String](from: decoder))
      } else {
        self = .tensor(try Entry(from: decoder))
      }
    }

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .tensor(let entry): try entry.encode(to: encoder)
      case .text(let text): try text.encode(to: encoder)
      }
    }
  }

  init(_ items: [String: Item]) {
    for (name, item) in items {
      switch item {
      case .tensor(let entry): entries[name] = entry
      case .text(let text): metadata = text
      }
    }
  }
}

extension DecodingError {
  /// What was wrong and at which key, in one line.
  fileprivate var reason: String {
    let (context, missing): (Context, String?) =
      switch self {
      case .dataCorrupted(let context): (context, nil)
      case .keyNotFound(let key, let context): (context, key.stringValue)
      case .typeMismatch(_, let context), .valueNotFound(_, let context): (context, nil)
      @unknown default: (Context(codingPath: [], debugDescription: ""), nil)
      }
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    if let missing { return "'\(path)' has no '\(missing)'" }
    return path.isEmpty ? "it is not JSON of the expected form" : "'\(path)' is not as expected"
  }
}

extension ElementType {
  private static let safetensorsNames: [ElementType: String] = [
    .float64: "F64", .float32: "F32", .float16: "F16", .bfloat16: "BF16", .int64: "I64",
    .int32: "I32", .int16: "I16", .int8: "I8", .uint64: "U64", .uint32: "U32", .uint16: "U16",
    .uint8: "U8", .bool: "BOOL",
  ]

  fileprivate init?(safetensors name: String) {
    guard let type = Self.safetensorsNames.first(where: { $0.value == name })?.key else {
      return nil
    }
    self = type
  }

  /// What safetensors calls the type; `nil` where it has none.
  fileprivate var safetensorsName: String? { Self.safetensorsNames[self] }
}
