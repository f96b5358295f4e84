import Foundation
import Tensors

/// Turns a graph into ONNX's messages, always in the same order.
struct ONNXWriter {
  var graph: Graph

  func model() -> ONNXModelProto {
    var model = ONNXModelProto()
    model.irVersion = Self.irVersion(opset: graph.opset)
    model.producerName = "equant"
    var opset = ONNXOperatorSetIdProto()
    opset.domain = ""
    opset.version = Int64(graph.opset)
    model.opsetImport = [opset]
    model.metadataProps = graph.metadata.sorted { $0.key < $1.key }.map { key, value in
      var entry = ONNXStringStringEntryProto()
      entry.key = key
      entry.value = value
      return entry
    }
    var proto = ONNXGraphProto()
    proto.name = graph.name
    proto.node = graph.nodes.map(node)
    proto.initializer = initializerNames().compactMap { name in
      graph.initializers[name].map { ONNXTensorProto(name, $0) }
    }
    proto.input = graph.inputs.map(value)
    proto.output = graph.outputs.map(value)
    model.graph = proto
    return model
  }

  /// The oldest file format version that may hold each operator set, so that most runtimes read it.
  private static func irVersion(opset: Int) -> Int64 {
    switch opset {
    case ...14: 7
    case ...18: 8
    case ...20: 9
    case ...22: 10
    case 23: 11
    case 24: 12
    default: 13
    }
  }

  /// Constants in the order in which nodes first read them; those nobody reads come last.
  private func initializerNames() -> [String] {
    var seen: Set<String> = []
    let used = graph.nodes.flatMap(\.inputs).filter {
      graph.initializers[$0] != nil && seen.insert($0).inserted
    }
    return used + graph.initializers.keys.filter { !seen.contains($0) }.sorted()
  }

  private func node(_ node: Node) -> ONNXNodeProto {
    var proto = ONNXNodeProto()
    proto.name = node.name
    proto.opType = node.operation.rawValue
    proto.input = node.inputs
    proto.output = node.outputs
    proto.attribute = node.attributes.sorted { $0.key < $1.key }.map(attribute)
    return proto
  }

  private func attribute(_ key: String, _ attribute: Attribute) -> ONNXAttributeProto {
    var proto = ONNXAttributeProto()
    proto.name = key
    switch attribute {
    case .float(let value): (proto.type, proto.f) = (1, value)
    case .int(let value): (proto.type, proto.i) = (2, Int64(value))
    case .string(let value): (proto.type, proto.s) = (3, Data(value.utf8))
    case .tensor(let value): (proto.type, proto.t) = (4, ONNXTensorProto("", value))
    case .floats(let values): (proto.type, proto.floats) = (6, values)
    case .ints(let values): (proto.type, proto.ints) = (7, values.map(Int64.init))
    case .strings(let values): (proto.type, proto.strings) = (8, values.map { Data($0.utf8) })
    }
    return proto
  }

  private func value(_ value: Value) -> ONNXValueInfoProto {
    var proto = ONNXValueInfoProto()
    proto.name = value.name
    proto.type.tensorType.elemType = value.elementType.onnxCode
    // Set even when there are no axes: a missing shape means an unknown number of them.
    var shape = ONNXTensorShapeProto()
    shape.dim = value.shape.enumerated().map { axis, extent in
      var dimension = ONNXTensorShapeProto.Dimension()
      if let extent {
        dimension.dimValue = Int64(extent)
      } else {
        dimension.dimParam = freeExtent(axis, rank: value.shape.count)
      }
      return dimension
    }
    proto.type.tensorType.shape = shape
    return proto
  }

  /// A name for a free extent; equal names mean equal extents.
  private func freeExtent(_ axis: Int, rank: Int) -> String {
    switch (axis, rank) {
    case (0, _): "batch"
    case (2, 4): "height"
    case (3, 4): "width"
    default: "extent_\(axis)"
    }
  }
}
