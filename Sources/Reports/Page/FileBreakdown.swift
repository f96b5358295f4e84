import Compression
import Files
import Graphs
import Tensors

/// Where the bytes of a model file go: by layer, role and codec.
///
/// The parts and the overhead add up to its length.
public struct FileBreakdown: Hashable, Codable, Sendable {
  /// The bytes of one layer that are stored alike.
  public struct Part: Hashable, Codable, Sendable {
    /// The layer, in the order of the network.
    public var layer: String
    /// What its numbers are for.
    public var role: String
    /// How each is stored, such as `int8`.
    public var codec: String
    /// How many numbers.
    public var count: Int
    /// How many bytes.
    public var bytes: Int
  }

  /// The model's key.
  public var model: String
  /// The length of the file.
  public var bytes: Int
  /// Operators, names, shapes, metadata.
  public var overhead: Int
  /// Everything else.
  public var parts: [Part]

  /// Breaks down the ONNX file at `path`.
  ///
  /// - Throws: `FileError` when it cannot be read as a model.
  init(path: String, model: String) throws(FileError) {
    let inventory = try ModelInventory(path: path)
    self.model = model
    bytes = inventory.fileBytes
    overhead = inventory.overhead
    let accounting = SizeAccounting(of: inventory.graph, fileBytes: inventory.fileBytes)
    let roles = Dictionary(
      accounting.entries.map { ($0.tensor, $0.role.rawValue) },
      uniquingKeysWith: { first, _ in first })
    let layers = Self.layers(of: inventory.graph)
    var merged: [Part] = []
    var places: [[String]: Int] = [:]
    for entry in inventory.entries {
      let part = Part(
        layer: layers[entry.name] ?? entry.name, role: roles[entry.name] ?? "other",
        codec: entry.elementType.rawValue, count: entry.count, bytes: entry.bytes)
      let key = [part.layer, part.role, part.codec]
      if let place = places[key] {
        merged[place].count += part.count
        merged[place].bytes += part.bytes
      } else {
        places[key] = merged.count
        merged.append(part)
      }
    }
    var order: [String: Int] = [:]
    for node in inventory.graph.nodes where order[node.name] == nil {
      order[node.name] = order.count
    }
    parts = merged.sorted {
      (order[$0.layer] ?? .max, $0.role, $0.codec) < (order[$1.layer] ?? .max, $1.role, $1.codec)
    }
  }

  /// For every constant the convolution, product or normalisation that it ends in.
  ///
  /// Scales, codebooks and what else is put between a file's numbers and a layer belong to it.
  private static func layers(of graph: Graph) -> [String: String] {
    var owners: [String: String] = [:]
    for node in graph.nodes.reversed() {
      let owner: String
      switch node.operation {
      case .convolution, .gemm, .batchNormalization: owner = node.name
      default: owner = node.outputs.compactMap { owners[$0] }.first ?? node.name
      }
      for input in node.inputs where owners[input] == nil { owners[input] = owner }
    }
    return owners
  }
}
