public import Files
public import Tensors

/// What a model file is made of: operators, tensors and where its bytes go.
public struct ModelInventory: Hashable, Sendable {
  /// A constant as the file stores it.
  public struct Entry: Hashable, Sendable {
    /// The tensor's name; the result's name for a `Constant` node.
    public var name: String
    /// What the file stores, before any widening.
    public var elementType: ElementType
    /// The extents, outermost first.
    public var shape: [Int]
    /// The bytes of the file that its elements take; 0 when they are in another file.
    public var bytes: Int
    /// The bytes of another file that its elements take.
    public var externalBytes: Int

    /// The number of elements.
    public var count: Int { shape.reduce(1, *) }
  }

  /// The model, tidied as ``ONNXFile/read(_:)`` does.
  public var graph: Graph
  /// What is known of every tensor of the graph.
  public var values: [String: Value]
  /// The version of the file format.
  public var irVersion: Int
  /// The program that wrote the file, with its version.
  public var producer: String
  /// The version of ONNX's operators that the file declares.
  public var opset: Int
  /// The constants in the file's order.
  public var entries: [Entry]
  /// The length of the file.
  public var fileBytes: Int

  /// The bytes of all constants' elements.
  public var payload: Int { entries.reduce(0) { $0 + $1.bytes } }
  /// The bytes of elements that are in other files.
  public var externalBytes: Int { entries.reduce(0) { $0 + $1.externalBytes } }
  /// The rest of the file: names, nodes, attributes, metadata.
  ///
  /// `payload + overhead = fileBytes`.
  public var overhead: Int { fileBytes - payload }

  /// The inventory of the ONNX file at `path`.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - inputs: Extents of inputs that the file leaves free, for ``values``.
  /// - Throws: ``FileError`` as ``ONNXFile/read(_:)`` does.
  public init(path: String, inputs: [String: [Int]] = [:]) throws(FileError) {
    let bytes = try Files.read(path)
    let model = try ONNXFile.decode(bytes, path: path)
    fileBytes = bytes.count
    irVersion = Int(model.irVersion)
    producer = [model.producerName, model.producerVersion].filter { !$0.isEmpty }
      .joined(separator: " ")
    opset =
      model.opsetImport.first { $0.domain == "" || $0.domain == "ai.onnx" }
      .map { Int($0.version) } ?? 0
    do {
      graph = try ONNXReader(
        model: model, external: ExternalData(besideModelAt: path)
      ).graph()
      values = try graph.inferValues(inputs: inputs)
      entries = []
      for tensor in model.graph.initializer {
        entries.append(try Entry(tensor, name: tensor.name))
      }
      for node in model.graph.node where node.opType == "Constant" {
        for attribute in node.attribute where attribute.hasT {
          entries.append(try Entry(attribute.t, name: node.output.first ?? node.name))
        }
      }
    } catch {
      throw FileError(path, error.description)
    }
  }

  /// How often each operator occurs, the most frequent first.
  public var operations: [(operation: Operation, count: Int)] {
    Dictionary(grouping: graph.nodes, by: \.operation).map { ($0, $1.count) }
      .sorted { ($1.count, $0.operation.rawValue) < ($0.count, $1.operation.rawValue) }
  }

  /// Constants, elements and bytes of each stored element type, the largest first.
  public var byElementType: [(elementType: ElementType, tensors: Int, count: Int, bytes: Int)] {
    Dictionary(grouping: entries, by: \.elementType).map { type, entries in
      (
        type, entries.count, entries.reduce(0) { $0 + $1.count },
        entries.reduce(0) { $0 + $1.bytes }
      )
    }.sorted { ($1.bytes, $0.elementType.rawValue) < ($0.bytes, $1.elementType.rawValue) }
  }

  /// The number of weights and biases: elements of all constants but statistics, scales and zeros.
  public var parameters: Int {
    graph.initializers.reduce(0) { $0 + $1.value.count } - statistics - quantizers
  }

  /// The number of running means and variances of batch normalisations.
  public var statistics: Int {
    count { $0.operation == .batchNormalization ? Array($0.inputs.dropFirst(3)) : [] }
  }

  /// The number of scales and zero points.
  public var quantizers: Int {
    count { node in
      let quantizes = node.operation == .quantizeLinear || node.operation == .dequantizeLinear
      return quantizes ? Array(node.inputs.dropFirst()) : []
    }
  }

  /// The elements of the constants that `names` picks from the nodes, each counted once.
  private func count(_ names: (Node) -> [String]) -> Int {
    Set(graph.nodes.flatMap(names)).reduce(0) { $0 + (graph.initializers[$1]?.count ?? 0) }
  }
}

extension ModelInventory.Entry {
  init(_ proto: ONNXTensorProto, name: String) throws(GraphError) {
    self.name = name
    elementType = try proto.elementType()
    shape = proto.dims.map(Int.init)
    bytes = proto.payload
    externalBytes = proto.isExternal ? elementType.byteCount(of: shape.reduce(1, *)) : 0
  }
}
