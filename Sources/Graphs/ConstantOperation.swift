import Tensors

/// One operator applied to constants.
struct ConstantOperation {
  let node: Node
  let operands: [Tensor]
  /// The shape of the result.
  let shape: [Int]

  func result(as type: ElementType) throws(GraphError) -> Tensor {
    switch node.operation {
    case .reshape, .identity: return operands[0].reshaped(shape)
    case .cast: return try cast(to: type)
    case .bitShift:
      let isLeft = node.string("direction", default: "") == "LEFT"
      return try bits { isLeft ? $0 << $1 : $0 >> $1 }
    case .bitwiseAnd: return try bits { $0 & $1 }
    case .bitwiseOr: return try bits { $0 | $1 }
    case .multiply: return try arithmetic(wholes: { $0 &* $1 }, reals: { $0 * $1 })
    case .add: return try arithmetic(wholes: { $0 &+ $1 }, reals: { $0 + $1 })
    case .gather: return try gather()
    case .gatherElements: return try gatherElements()
    case .slice: return try slice()
    case .cumulativeSum: return try cumulativeSum()
    case .dequantizeLinear: return try dequantize()
    case .quantizeLinear: return try quantize(to: type)
    default: throw unsupported(operands[0].elementType)
    }
  }

  private func unsupported(_ type: ElementType) -> GraphError {
    GraphError(node, "of constants of type \(type) is not supported")
  }

  private func cast(to type: ElementType) throws(GraphError) -> Tensor {
    let x = operands[0]
    switch (x.elementType, type) {
    case let (from, to) where from == to: return x
    case (.uint8, .int32): return Tensor(shape: shape, x.bytes.map { Int32($0) })
    case (.uint8, .int64): return Tensor(shape: shape, x.bytes.map { Int64($0) })
    case (.uint8, .float32): return Tensor(shape: shape, x.bytes.map { Float($0) })
    case (.uint4, .uint8), (.uint2, .uint8): return Tensor(shape: shape, narrow(x))
    case (.uint4, .int32), (.uint2, .int32):
      return Tensor(shape: shape, narrow(x).map { Int32($0) })
    case (.uint4, .int64), (.uint2, .int64):
      return Tensor(shape: shape, narrow(x).map { Int64($0) })
    case (.int32, .int64):
      return Tensor(shape: shape, x.values(as: Int32.self).map { Int64($0) })
    case (.int64, .int32):
      return Tensor(
        shape: shape, x.values(as: Int64.self).map { Int32(truncatingIfNeeded: $0) })
    case (.int32, .float32):
      return Tensor(shape: shape, x.values(as: Int32.self).map { Float($0) })
    case (.float16, .float32), (.bfloat16, .float32), (.float64, .float32):
      return x.widened ?? x
    default:
      throw GraphError(node, "of constants from \(x.elementType) to \(type) is not supported")
    }
  }

  /// Elements of 2 or 4 bits without a sign.
  private func narrow(_ x: Tensor) -> [UInt8] {
    let bits = x.elementType.bits
    let mask = UInt8(1 << bits - 1)
    return (0..<x.count).map { x.bytes[$0 * bits / 8] >> UInt8($0 * bits % 8) & mask }
  }

  private func bits(_ combine: (UInt8, UInt8) -> UInt8) throws(GraphError) -> Tensor {
    for operand in operands where operand.elementType != .uint8 {
      throw unsupported(operand.elementType)
    }
    return Tensor(shape: shape, stretched(operands[0].bytes, operands[1].bytes, combine))
  }

  private func arithmetic(
    wholes: (Int32, Int32) -> Int32, reals: (Float, Float) -> Float
  ) throws(GraphError) -> Tensor {
    switch operands[0].elementType {
    case .float32:
      return Tensor(shape: shape, stretched(operands[0].floats, operands[1].floats, reals))
    case .int32:
      let (a, b) = (operands[0].values(as: Int32.self), operands[1].values(as: Int32.self))
      return Tensor(shape: shape, stretched(a, b, wholes))
    default: throw unsupported(operands[0].elementType)
    }
  }

  /// Pairs of elements, stretched to the result's shape as NumPy does.
  private func stretched<Element, Result>(
    _ a: [Element], _ b: [Element], _ combine: (Element, Element) -> Result
  ) -> [Result] {
    let strides = operands.map { operand in
      let missing = shape.count - operand.shape.count
      var step = 1
      var strides = [Int](repeating: 0, count: shape.count)
      for axis in operand.shape.indices.reversed() {
        if operand.shape[axis] != 1 { strides[axis + missing] = step }
        step *= operand.shape[axis]
      }
      return strides
    }
    let count = shape.reduce(1, *)
    let last = shape.last ?? 1
    let (stepA, stepB) = (strides[0].last ?? 0, strides[1].last ?? 0)
    var result: [Result] = []
    result.reserveCapacity(count)
    var place = [Int](repeating: 0, count: shape.count)
    var (offsetA, offsetB) = (0, 0)
    while result.count < count {
      for i in 0..<last { result.append(combine(a[offsetA + i * stepA], b[offsetB + i * stepB])) }
      var axis = shape.count - 2
      while axis >= 0 {
        place[axis] += 1
        offsetA += strides[0][axis]
        offsetB += strides[1][axis]
        if place[axis] < shape[axis] { break }
        offsetA -= place[axis] * strides[0][axis]
        offsetB -= place[axis] * strides[1][axis]
        place[axis] = 0
        axis -= 1
      }
    }
    return result
  }

  private func indices(below bound: Int) throws(GraphError) -> [Int] {
    let tensor = operands[1]
    let indices =
      tensor.elementType == .int32
      ? tensor.values(as: Int32.self).map { Int($0) }
      : tensor.values(as: Int64.self).map { Int($0) }
    guard indices.allSatisfy({ -bound..<bound ~= $0 }) else {
      throw GraphError(node, "has an index outside its table of \(bound) entries")
    }
    return indices.map { $0 < 0 ? $0 + bound : $0 }
  }

  private func gather() throws(GraphError) -> Tensor {
    let table = operands[0]
    let axis = node.int("axis", default: 0)
    let bytes = table.elementType.bits / 8
    guard axis == 0 || axis == -table.shape.count, bytes > 0 else {
      throw GraphError(node, "along axis \(axis) of \(table.elementType) is not supported")
    }
    let indices = try indices(below: table.shape[0])
    let entry = table.shape[1...].reduce(1, *) * bytes
    if entry == 4 {
      let words = table.bytes.withUnsafeBytes { raw in
        (0..<table.shape[0]).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) }
      }
      return Tensor(
        shape: shape, elementType: table.elementType,
        bytes: indices.map { words[$0] }.withUnsafeBytes { Array($0) })
    }
    var result: [UInt8] = []
    result.reserveCapacity(indices.count * entry)
    for index in indices { result += table.bytes[index * entry..<(index + 1) * entry] }
    return Tensor(shape: shape, elementType: table.elementType, bytes: result)
  }

  /// Along the last axis only, of tables whose rows are those of the indices.
  private func gatherElements() throws(GraphError) -> Tensor {
    let table = operands[0]
    let axis = node.int("axis", default: 0)
    let bytes = table.elementType.bits / 8
    guard let entries = table.shape.last, let columns = shape.last, bytes > 0,
      axis == table.shape.count - 1 || axis == -1
    else { throw GraphError(node, "along axis \(axis) is not supported") }
    guard table.shape.dropLast() == shape.dropLast() else {
      throw GraphError(node, "of tables of another shape than the indices is not supported")
    }
    let indices = try indices(below: entries)
    var result: [UInt8] = []
    result.reserveCapacity(indices.count * bytes)
    for (i, index) in indices.enumerated() {
      let start = (i / columns * entries + index) * bytes
      for byte in start..<start + bytes { result.append(table.bytes[byte]) }
    }
    return Tensor(shape: shape, elementType: table.elementType, bytes: result)
  }

  private func slice() throws(GraphError) -> Tensor {
    let x = operands[0]
    guard let first = shape.first, shape.dropFirst() == x.shape.dropFirst(),
      x.elementType.bits >= 8
    else { throw GraphError(node, "of constants along an inner axis is not supported") }
    var names: [String: Tensor] = [:]
    for (name, operand) in zip(node.inputs.filter { $0 != "" }, operands) { names[name] = operand }
    let inference = ShapeInference(node: node, values: [:], constants: names)
    let start = try inference.sliced(x.shape.map { $0 }).range.lowerBound
    let entry = x.shape.dropFirst().reduce(1, *) * x.elementType.bits / 8
    return Tensor(
      shape: shape, elementType: x.elementType,
      bytes: Array(x.bytes[start * entry..<(start + first) * entry]))
  }

  private func cumulativeSum() throws(GraphError) -> Tensor {
    let x = operands[0]
    guard x.elementType == .int32, x.shape.count == 1, node.int("exclusive", default: 0) == 0,
      node.int("reverse", default: 0) == 0
    else { throw GraphError(node, "of \(x.elementType) \(x.shape) is not supported") }
    var sum: Int32 = 0
    return Tensor(
      shape: shape,
      x.values(as: Int32.self).map { value in
        sum &+= value
        return sum
      })
  }

  private func dequantize() throws(GraphError) -> Tensor {
    let x = operands[0]
    let wholes: [Float]
    func numbers(_ tensor: Tensor) throws(GraphError) -> [Float] {
      switch tensor.elementType {
      case .uint8: return tensor.bytes.map { Float($0) }
      case .int8: return tensor.bytes.map { Float(Int8(bitPattern: $0)) }
      case .int32: return tensor.values(as: Int32.self).map { Float($0) }
      default: throw unsupported(tensor.elementType)
      }
    }
    wholes = try numbers(x)
    guard operands[1].elementType == .float32 else { throw unsupported(operands[1].elementType) }
    let scales = operands[1].floats
    let zeros = operands.count > 2 ? try numbers(operands[2]) : scales.map { _ in 0 }
    guard scales.count == zeros.count, !scales.isEmpty else {
      throw GraphError(node, "has \(scales.count) scales and \(zeros.count) zero points")
    }
    if scales.count == 1 {
      return Tensor(shape: shape, wholes.map { ($0 - zeros[0]) * scales[0] })
    }
    let given = node.int("axis", default: 1)
    let axis = given < 0 ? given + shape.count : given
    let inner = shape[(axis + 1)...].reduce(1, *)
    return Tensor(
      shape: shape,
      wholes.enumerated().map { i, whole in
        let channel = i / inner % shape[axis]
        return (whole - zeros[channel]) * scales[channel]
      })
  }

  /// Weights that a file stores as reals beside the step that rounds them.
  private func quantize(to type: ElementType) throws(GraphError) -> Tensor {
    guard operands[0].elementType == .float32, operands[1].elementType == .float32,
      [.int8, .uint8].contains(type)
    else { throw unsupported(type) }
    let scales = operands[1].floats
    let zeros: [Float]
    if operands.count > 2 {
      zeros =
        type == .int8
        ? operands[2].values(as: Int8.self).map { Float($0) } : operands[2].bytes.map { Float($0) }
    } else {
      zeros = scales.map { _ in 0 }
    }
    guard scales.count == zeros.count, !scales.isEmpty, scales.allSatisfy({ $0 > 0 }) else {
      throw GraphError(node, "has \(scales.count) scales and \(zeros.count) zero points")
    }
    let given = node.int("axis", default: 1)
    let axis = given < 0 ? given + shape.count : given
    let inner = scales.count == 1 ? 1 : shape[(axis + 1)...].reduce(1, *)
    let (low, high): (Float, Float) = type == .int8 ? (-128, 127) : (0, 255)
    let wholes = operands[0].floats.enumerated().map { i, value in
      let channel = scales.count == 1 ? 0 : i / inner % shape[axis]
      let rounded = (value / scales[channel]).rounded(.toNearestOrEven) + zeros[channel]
      return rounded.isNaN ? 0 : min(max(rounded, low), high)
    }
    return type == .int8
      ? Tensor(shape: shape, wholes.map { Int8($0) })
      : Tensor(shape: shape, wholes.map { UInt8($0) })
  }
}
