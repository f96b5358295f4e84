import Foundation
import Tensors

/// Turns ONNX's messages, which anybody may have written, into a tidy graph.
struct ONNXReader {
  var model: ONNXModelProto
  var external: ExternalData

  func graph() throws(GraphError) -> Graph {
    guard model.hasGraph else { throw GraphError("the file", "holds no ONNX graph") }
    let opset = try opset()
    let proto = model.graph
    guard model.functions.isEmpty else {
      throw GraphError("the model", "defines functions of its own, which is not supported")
    }
    guard proto.sparseInitializer.isEmpty else {
      throw GraphError("the model", "has sparse tensors, which are not supported")
    }
    var graph = Graph(name: proto.name, opset: max(17, opset))
    for entry in model.metadataProps { graph.metadata[entry.key] = entry.value }
    for tensor in proto.initializer {
      guard !tensor.name.isEmpty else { throw GraphError("a constant", "has no name") }
      let value = try tensor.tensor(external)
      guard graph.initializers.updateValue(value.halfWidened, forKey: tensor.name) == nil else {
        throw GraphError(tensor.place, "is defined twice")
      }
    }
    // Files of format version 3 list constants among the inputs.
    for input in proto.input where graph.initializers[input.name] == nil {
      guard let value = try value(input) else {
        throw GraphError("input '\(input.name)'", "has no declared shape")
      }
      graph.inputs.append(value)
    }
    try refuseUnknown(proto.node)
    var raw: [ONNXImporter.RawNode] = []
    for node in proto.node { try append(node, to: &raw, &graph, opset: opset) }
    let outputs = Set(proto.output.map(\.name))
    raw = try QOperators(constants: graph.initializers).expanded(raw, adding: &graph.initializers)
    raw = GeluPattern(raw, constants: graph.initializers, outputs: outputs).joined
    var readers: [String: Int] = [:]
    for name in raw.flatMap(\.inputs) { readers[name, default: 0] += 1 }
    var importer = ONNXImporter(graph, opset: opset, outputs: outputs, readers: readers)
    for index in Self.order(raw) { try importer.append(raw[index]) }
    graph = importer.graph
    nameNodes(of: &graph)
    graph = try graph.sorted()
    graph.removeCopiesOfConstants(keeping: outputs)

    // Outputs without a declared shape get what follows from the inputs.
    let declared: [(name: String, value: Value?)] = try proto.output.map {
      output throws(GraphError) in (output.name, try value(output))
    }
    graph.outputs = declared.map { $0.value ?? Value($0.name, shape: []) }
    let values = try graph.propagate()
    graph = ChannelScales(graph, values: values).gathered
    graph.outputs = declared.map { $0.value ?? values[$0.name] ?? Value($0.name, shape: []) }
    _ = try graph.inferValues()
    if opset < 13 { try checkOldSoftmax(graph, values) }
    return graph
  }

  private func opset() throws(GraphError) -> Int {
    let versions = model.opsetImport.filter { Self.isStandard($0.domain) }.map(\.version)
    guard let version = versions.first else {
      throw GraphError("the model", "does not say which version of ONNX's operators it uses")
    }
    guard let opset = Int(exactly: version), ONNXFile.opsets.contains(opset) else {
      throw GraphError(
        "the model",
        "uses opset \(version), expected \(ONNXFile.opsets.lowerBound) to "
          + "\(ONNXFile.opsets.upperBound); convert it with onnx.version_converter")
    }
    return opset
  }

  private static func isStandard(_ domain: String) -> Bool { domain == "" || domain == "ai.onnx" }

  /// Says all at once which operators are not supported.
  private func refuseUnknown(_ nodes: [ONNXNodeProto]) throws(GraphError) {
    func operation(_ node: ONNXNodeProto) -> String {
      Self.isStandard(node.domain) ? node.opType : "\(node.domain).\(node.opType)"
    }
    func isKnown(_ node: ONNXNodeProto) -> Bool {
      node.domain == "com.microsoft" && QOperators.microsoft.contains(node.opType)
        || Self.isStandard(node.domain)
          && (node.opType == "Constant" || Operation(rawValue: node.opType) != nil
            || ONNXImporter.rewritten.contains(node.opType)
            || QOperators.standard.contains(node.opType))
    }
    guard let first = nodes.first(where: { !isKnown($0) }) else { return }
    let all = Set(nodes.filter { !isKnown($0) }.map(operation)).sorted()
    if first.opType == "DynamicQuantizeLinear" || first.opType.hasSuffix("Integer") {
      throw GraphError(
        "node '\(first.name)' (\(first.opType))",
        "quantizes by ranges that are found while it runs; only files that hold their scales are "
          + "supported: quantize the model statically")
    }
    let others = all.count > 1 ? " (in all: \(all.prefix(12).joined(separator: ", ")))" : ""
    throw GraphError(
      "node '\(first.name)'",
      "uses the operator '\(operation(first))', which is not supported\(others); the model can "
        + "still be audited from its predictions: run it elsewhere and give 'equant audit' the CSV")
  }

  private func append(
    _ proto: ONNXNodeProto, to nodes: inout [ONNXImporter.RawNode], _ graph: inout Graph, opset: Int
  ) throws(GraphError) {
    var attributes: [String: Attribute] = [:]
    for attribute in proto.attribute {
      attributes[attribute.name] = try self.attribute(attribute, of: proto)
    }
    var outputs = proto.output
    while outputs.last == "" { outputs.removeLast() }
    if proto.opType == "Constant" { return try appendConstant(proto, attributes, to: &graph) }
    var inputs = proto.input
    while inputs.last == "" { inputs.removeLast() }
    switch proto.opType {
    case "BatchNormalization" where attributes["training_mode"] == .int(1):
      // Exported with training preserved: the further outputs are the new statistics.
      attributes["training_mode"] = .int(0)
      outputs = Array(outputs.prefix(1))
    case "Softmax", "LogSoftmax":
      if opset < 13 && attributes["axis"] == nil { attributes["axis"] = .int(1) }
    case "Dropout": outputs = Array(outputs.prefix(1))
    default: break
    }
    nodes.append(
      .init(
        name: proto.name, type: proto.opType, inputs: inputs, outputs: outputs,
        attributes: attributes))
  }

  /// The nodes' indices, each after what it reads as far as that can be; those in order stay.
  private static func order(_ nodes: [ONNXImporter.RawNode]) -> [Int] {
    var made: Set<String> = []
    let written = Set(nodes.flatMap(\.outputs))
    func isReady(_ node: ONNXImporter.RawNode) -> Bool {
      node.inputs.allSatisfy { made.contains($0) || !written.contains($0) }
    }
    var order: [Int] = []
    var waiting = Array(nodes.indices)
    // Files are in order but for rare exceptions; each pass takes all that is ready by then.
    for _ in 0..<64 where !waiting.isEmpty {
      var left: [Int] = []
      for index in waiting {
        if isReady(nodes[index]) {
          order.append(index)
          made.formUnion(nodes[index].outputs)
        } else {
          left.append(index)
        }
      }
      if left.count == waiting.count { break }
      waiting = left
    }
    return order + waiting
  }

  private func appendConstant(
    _ proto: ONNXNodeProto, _ attributes: [String: Attribute], to graph: inout Graph
  ) throws(GraphError) {
    let place = "node '\(proto.name)' (Constant)"
    guard proto.output.count == 1, attributes.count == 1, let attribute = attributes.first else {
      throw GraphError(place, "must have one output and one attribute")
    }
    let tensor: Tensor
    switch (attribute.key, attribute.value) {
    case ("value", .tensor(let value)): tensor = value
    case ("value_float", .float(let value)): tensor = Tensor(scalar: value)
    case ("value_floats", .floats(let values)): tensor = Tensor(shape: [values.count], values)
    case ("value_int", .int(let value)): tensor = Tensor(scalar: Int64(value))
    case ("value_ints", .ints(let values)):
      tensor = Tensor(shape: [values.count], values.map(Int64.init))
    default: throw GraphError(place, "'\(attribute.key)' is not supported")
    }
    guard graph.initializers.updateValue(tensor.halfWidened, forKey: proto.output[0]) == nil else {
      throw GraphError(place, "writes '\(proto.output[0])', which is already defined")
    }
  }

  private func attribute(
    _ proto: ONNXAttributeProto, of node: ONNXNodeProto
  ) throws(GraphError) -> Attribute {
    let place = "node '\(node.name)' (\(node.opType))"
    func text(_ data: Data) throws(GraphError) -> String {
      guard let text = String(validating: data, as: UTF8.self) else {
        throw GraphError(place, "attribute '\(proto.name)' is not UTF-8 text")
      }
      return text
    }
    guard proto.refAttrName.isEmpty else {
      throw GraphError(place, "attribute '\(proto.name)' refers to a function's; not supported")
    }
    switch proto.type {
    case 1: return .float(proto.f)
    case 2: return .int(Int(proto.i))
    case 3: return .string(try text(proto.s))
    case 4: return .tensor(try proto.t.tensor(external))
    case 6: return .floats(proto.floats)
    case 7: return .ints(proto.ints.map(Int.init))
    case 8:
      var strings: [String] = []
      for data in proto.strings { strings.append(try text(data)) }
      return .strings(strings)
    default:
      throw GraphError(
        place, "attribute '\(proto.name)' is of ONNX's kind \(proto.type), which is not supported")
    }
  }

  /// `nil` when the shape is not declared.
  private func value(_ proto: ONNXValueInfoProto) throws(GraphError) -> Value? {
    guard proto.hasType, proto.type.hasTensorType else {
      throw GraphError("value '\(proto.name)'", "is not declared as a tensor")
    }
    let type = proto.type.tensorType
    guard let elementType = ElementType(onnx: type.elemType)?.widened else {
      throw GraphError(
        "value '\(proto.name)'",
        "has ONNX's element type \(type.elemType), which is not supported")
    }
    guard type.hasShape else { return nil }
    // Some exporters write 0 or -1 for a free extent.
    let shape = type.shape.dim.map { $0.dimValue > 0 ? Int($0.dimValue) : nil }
    return Value(proto.name, elementType, shape: shape)
  }

  /// Gives nodes without a name, or with a name that is taken, a name of their own.
  private func nameNodes(of graph: inout Graph) {
    var taken = Set(graph.nodes.map(\.name))
    var seen: Set<String> = [""]
    for index in graph.nodes.indices where !seen.insert(graph.nodes[index].name).inserted {
      let base = "\(graph.nodes[index].operation.rawValue)_\(index)"
      var name = base
      var count = 1
      while !taken.insert(name).inserted {
        count += 1
        name = "\(base)_\(count)"
      }
      graph.nodes[index].name = name
    }
  }

  /// Before opset 13, Softmax joined all axes from `axis` on; only then is it the same as today.
  private func checkOldSoftmax(
    _ graph: Graph, _ values: [String: Value]
  ) throws(GraphError) {
    for node in graph.nodes where [.softmax, .logSoftmax].contains(node.operation) {
      let rank = values[node.outputs[0]]?.shape.count ?? 0
      let axis = node.int("axis", default: 1)
      guard axis == -1 || axis == rank - 1 else {
        throw GraphError(
          node, "axis \(axis) of \(rank) means something else before opset 13; convert the model")
      }
    }
  }
}

extension Tensor {
  /// Half-precision numbers as `float32`; anything else as it is.
  fileprivate var halfWidened: Tensor {
    elementType.widened == elementType ? self : widened ?? self
  }
}

extension Graph {
  /// Lets nodes read constants themselves instead of copies that `Identity` makes of them.
  fileprivate mutating func removeCopiesOfConstants(keeping outputs: Set<String>) {
    var origins: [String: String] = [:]
    nodes = nodes.compactMap { node in
      var node = node
      node.inputs = node.inputs.map { origins[$0] ?? $0 }
      if node.operation == .identity, node.inputs.count == 1, node.outputs.count == 1,
        initializers[node.inputs[0]] != nil, !outputs.contains(node.outputs[0])
      {
        origins[node.outputs[0]] = node.inputs[0]
        return nil
      }
      return node
    }
  }
}
