public import Files
import SwiftProtobuf

/// Reading and writing `.onnx` files.
///
/// Files are read with suspicion: every length, name and shape is checked before it is used, and
/// what is wrong is named. Files are written in one way only: equal graphs give equal bytes.
public enum ONNXFile {
  /// The versions of ONNX's operator set that files may be in.
  public static let opsets = 11...25

  /// Reads a model.
  ///
  /// The graph that comes back is tidied: constants listed as inputs, `Constant` nodes and
  /// `Identity` copies of constants become initializers, half-precision constants become
  /// `float32`, nodes are in order and have names, and the opset is at least 17. What exporters
  /// write in several ways comes in one: computations with shapes are done, `Dropout` is gone,
  /// `Split` is slices, a mean over height and width is a `GlobalAveragePool`, `Squeeze` and
  /// `Reshape` to one row an image are `Flatten`.
  ///
  /// - Throws: ``FileError`` that says what is damaged, not supported or inconsistent, and where.
  public static func read(_ path: String) throws(FileError) -> Graph {
    try graph(try Files.read(path), path: path)
  }

  /// The model in the contents of the file at `path`; the file itself is not read.
  ///
  /// Files beside it are, where the model keeps tensors in them.
  ///
  /// - Throws: ``FileError`` as ``read(_:)`` does.
  public static func graph(_ bytes: [UInt8], path: String) throws(FileError) -> Graph {
    let model = try decode(bytes, path: path)
    do {
      return try ONNXReader(
        model: model, external: ExternalData(besideModelAt: path)
      ).graph()
    } catch {
      throw FileError(path, error.description)
    }
  }

  /// The bytes of tensors that the file with these contents keeps in files beside it.
  ///
  /// - Throws: ``FileError`` when the file is damaged.
  public static func bytesBeside(_ bytes: [UInt8], path: String) throws(FileError) -> Int {
    let model = try decode(bytes, path: path)
    do {
      var sum = 0
      for tensor in model.graph.initializer where tensor.isExternal {
        sum += try ModelInventory.Entry(tensor, name: tensor.name).externalBytes
      }
      return sum
    } catch {
      throw FileError(path, error.description)
    }
  }

  /// Writes `graph`, replacing what is at `path` only when the new file is complete.
  ///
  /// - Throws: ``FileError`` when the graph does not hang together or writing fails.
  public static func write(_ graph: Graph, to path: String) throws(FileError) {
    let bytes: [UInt8]
    do {
      bytes = try self.bytes(of: graph)
    } catch {
      throw FileError(path, "not written: \(error)")
    }
    try Files.replace(path, with: bytes)
  }

  /// The contents of the file that ``write(_:to:)`` makes.
  ///
  /// - Throws: ``GraphError`` when the graph does not hang together.
  public static func bytes(of graph: Graph) throws(GraphError) -> [UInt8] {
    _ = try graph.inferValues()
    return try encode(ONNXWriter(graph: graph).model())
  }

  /// The contents of a file without one of its metadata entries, as ``bytes(of:)`` would write it.
  ///
  /// - Throws: ``FileError`` when `contents` is not an ONNX file; `path` only names it in messages.
  public static func contents(
    _ contents: [UInt8], path: String, without key: String
  ) throws(FileError) -> [UInt8] {
    var model = try decode(contents, path: path)
    model.metadataProps.removeAll { $0.key == key }
    do { return try encode(model) } catch { throw FileError(path, error.description) }
  }

  static func encode(_ model: ONNXModelProto) throws(GraphError) -> [UInt8] {
    do {
      return try model.serializedBytes()
    } catch {
      throw GraphError("graph '\(model.graph.name)'", "is larger than an ONNX file can be, 2 GB")
    }
  }

  static func decode(_ bytes: [UInt8], path: String) throws(FileError) -> ONNXModelProto {
    do {
      return try ONNXModelProto(serializedBytes: bytes)
    } catch BinaryDecodingError.truncated {
      throw FileError(path, "is not a complete ONNX file: it ends early or is damaged")
    } catch {
      guard !bytes.starts(with: Array("PK".utf8)) else {
        throw FileError(
          path,
          "is a zip archive, as PyTorch's weights are: they come without a network; "
            + "'equant train --weights' starts from them")
      }
      throw FileError(path, "is not an ONNX file, or is damaged")
    }
  }
}
