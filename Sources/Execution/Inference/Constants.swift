import Graphs
import Tensors

/// What a graph knows before it runs: its initializers, and what dequantizing them gives.
struct Constants {
  private let graph: Graph
  /// The node that makes a constant out of an initializer, by the constant's name.
  private var makers: [String: Node] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    for node in graph.nodes where [.dequantizeLinear, .identity].contains(node.operation) {
      if contains(node.inputs[0]) { makers[node.outputs[0]] = node }
    }
  }

  /// Whether `name` is known before the graph runs.
  func contains(_ name: String) -> Bool {
    graph.initializers[name] != nil || makers[name] != nil
  }

  /// A constant of whole numbers with the scales and zero points it is dequantized with.
  struct Quantized {
    var shape: [Int]
    var values: [Int]
    var scales: [Float]
    var zeroPoints: [Int]
    /// The axis along which scales vary; meaningless for one scale.
    var axis: Int

    /// The scale's number for element `index`.
    func channel(_ index: Int) -> Int {
      scales.count == 1 ? 0 : index / shape[(axis + 1)...].reduce(1, *) % shape[axis]
    }
  }

  /// The real numbers of the constant `name`, or `nil` where there is no such constant.
  func reals(_ name: String) throws(ExecutionError) -> (shape: [Int], values: [Float])? {
    if let quantized = try quantized(name) {
      let values = quantized.values.enumerated().map { i, value in
        let c = quantized.channel(i)
        return Float(value - quantized.zeroPoints[c]) * quantized.scales[c]
      }
      return (quantized.shape, values)
    }
    if let maker = makers[name] { return try reals(maker.inputs[0]) }
    guard let tensor = graph.initializers[name] else { return nil }
    guard tensor.elementType == .float32 else {
      throw ExecutionError("tensor '\(name)'", "is \(tensor.elementType), expected float32")
    }
    return (tensor.shape, tensor.floats)
  }

  /// The constant `name` before it is dequantized, or `nil` where it is not a dequantized one.
  func quantized(_ name: String) throws(ExecutionError) -> Quantized? {
    guard let maker = makers[name] else { return nil }
    if maker.operation == .identity { return try quantized(maker.inputs[0]) }
    guard let (shape, values) = try wholes(maker.inputs[0]) else {
      throw ExecutionError(maker, "dequantizes what is dequantized already")
    }
    let (scales, zeroPoints) = try scales(of: maker)
    let axis = maker.int("axis", default: 1)
    return Quantized(
      shape: shape, values: values, scales: scales, zeroPoints: zeroPoints,
      axis: axis < 0 ? axis + shape.count : axis)
  }

  /// Scales and zero points of a `QuantizeLinear` or `DequantizeLinear`, equally many.
  func scales(of node: Node) throws(ExecutionError) -> (scales: [Float], zeroPoints: [Int]) {
    guard let (_, scales) = try reals(node.inputs[1]) else {
      throw ExecutionError(node, "scale '\(node.inputs[1])' is not a constant")
    }
    guard scales.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw ExecutionError(node, "scale '\(node.inputs[1])' holds a number that is not positive")
    }
    var zeroPoints = scales.map { _ in 0 }
    if node.inputs.count > 2, node.inputs[2] != "" {
      guard let (_, values) = try wholes(node.inputs[2]) else {
        throw ExecutionError(node, "zero point '\(node.inputs[2])' is not a constant")
      }
      zeroPoints = values
    }
    return (scales, zeroPoints)
  }

  /// The whole numbers of an initializer, or `nil` where there is none of that name.
  private func wholes(_ name: String) throws(ExecutionError) -> (shape: [Int], values: [Int])? {
    if let maker = makers[name], maker.operation == .identity { return try wholes(maker.inputs[0]) }
    guard let tensor = graph.initializers[name] else { return nil }
    let values: [Int]
    switch tensor.elementType {
    case .int8: values = tensor.values(as: Int8.self).map { Int($0) }
    case .uint8: values = tensor.bytes.map { Int($0) }
    case .int32: values = tensor.values(as: Int32.self).map { Int($0) }
    case .int16, .uint16:
      values = (0..<tensor.count).map {
        let bits = UInt16(tensor.bytes[2 * $0]) | UInt16(tensor.bytes[2 * $0 + 1]) << 8
        return tensor.elementType == .int16 ? Int(Int16(bitPattern: bits)) : Int(bits)
      }
    case .int4, .uint4, .int2, .uint2:
      values = packed(tensor)
    default:
      throw ExecutionError("tensor '\(name)'", "is \(tensor.elementType), expected whole numbers")
    }
    return (tensor.shape, values)
  }

  /// The elements of a tensor of 2 or 4 bits each, low bits first.
  private func packed(_ tensor: Tensor) -> [Int] {
    let bits = tensor.elementType.bits
    let isSigned = [.int4, .int2].contains(tensor.elementType)
    return (0..<tensor.count).map { i in
      let byte = Int(tensor.bytes[i * bits / 8])
      let value = byte >> (i * bits % 8) & ((1 << bits) - 1)
      return isSigned && value >= 1 << (bits - 1) ? value - (1 << bits) : value
    }
  }
}
