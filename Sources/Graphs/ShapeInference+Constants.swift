public import Tensors

/// The operators that unpack weights.
extension ShapeInference {
  /// Two operands of one type, stretched to each other.
  func elementwise() throws(GraphError) -> Result {
    let (a, b) = (try any(0), try any(1))
    guard a.type == b.type else {
      throw fail("its operands are \(a.type) and \(b.type), expected equal types")
    }
    return try broadcast(a, b)
  }

  func cast() throws(GraphError) -> Result {
    let code = node.int("to", default: 0)
    guard let code = Int32(exactly: code), let type = ElementType(onnx: code) else {
      throw fail("casts to ONNX's element type \(code), which is not supported")
    }
    // Half-precision numbers are widened wherever they are.
    return (type.widened, try any(0).shape)
  }

  func reshape() throws(GraphError) -> Result {
    let x = try any(0)
    let target = try wholes(1)
    let keepsZero = node.int("allowzero", default: 0) == 0
    var shape: [Int?] = []
    for (axis, extent) in target.enumerated() {
      switch extent {
      case 0 where keepsZero:
        guard axis < x.shape.count else { throw fail("its shape \(target) has a 0 too many") }
        shape.append(x.shape[axis])
      case -1: shape.append(nil)
      case 0...Self.largestExtent: shape.append(extent)
      default: throw fail("its shape is \(target), which cannot be")
      }
    }
    guard target.filter({ $0 == -1 }).count <= 1 else { throw fail("its shape has two -1") }
    guard let count = try product(x.shape) else { return (x.type, shape) }
    if let free = target.firstIndex(of: -1) {
      var others = shape
      others.remove(at: free)
      if let known = try product(others) {
        guard known > 0, count % known == 0 else {
          throw fail("\(count) elements do not fit the shape \(target)")
        }
        shape[free] = count / known
      }
    }
    if let known = try product(shape), known != count {
      throw fail("\(count) elements do not fit the shape \(target)")
    }
    return (x.type, shape)
  }

  /// One stretch of a single axis, with constants saying which.
  func slice() throws(GraphError) -> Result {
    let x = try any(0)
    let (axis, range) = try sliced(x.shape)
    var shape = x.shape
    shape[axis] = range.count
    return (x.type, shape)
  }

  /// The axis of a slice and the part of it that is kept.
  func sliced(_ shape: [Int?]) throws(GraphError) -> (axis: Int, range: Range<Int>) {
    func one(_ index: Int, default standard: Int) throws(GraphError) -> Int {
      guard node.inputs.indices.contains(index), node.inputs[index] != "" else { return standard }
      let values = try wholes(index)
      guard values.count == 1 else { throw fail("slices \(values.count) axes; 1 is supported") }
      return values[0]
    }
    let given = try one(3, default: 0)
    guard (-shape.count..<shape.count).contains(given), try one(4, default: 1) == 1 else {
      throw fail("slices axis \(given) in steps of \(try one(4, default: 1)), not supported")
    }
    let axis = given < 0 ? given + shape.count : given
    guard let extent = shape[axis] else { throw fail("slices an axis of unknown extent") }
    func place(_ value: Int) -> Int { min(max(value < 0 ? value &+ extent : value, 0), extent) }
    let start = place(try one(1, default: 0))
    return (axis, start..<max(start, place(try one(2, default: extent))))
  }

  func gather() throws(GraphError) -> Result {
    let (table, indices) = (try any(0), try any(1))
    try checkIndices(indices.type)
    let axis = try axis(of: table.shape, default: 0)
    return (table.type, table.shape[..<axis] + indices.shape + table.shape[(axis + 1)...])
  }

  func gatherElements() throws(GraphError) -> Result {
    let (table, indices) = (try any(0), try any(1))
    try checkIndices(indices.type)
    let axis = try axis(of: table.shape, default: 0)
    guard table.shape.count == indices.shape.count,
      table.shape.indices.allSatisfy({ other in
        other == axis || agree([table.shape[other]], [indices.shape[other]])
      })
    else {
      throw fail(
        "the shapes \(describe(table.shape)) and \(describe(indices.shape)) do not go together")
    }
    return (table.type, indices.shape)
  }

  private func checkIndices(_ type: ElementType) throws(GraphError) {
    guard type == .int32 || type == .int64 else {
      throw fail("its indices are \(type), expected int32 or int64")
    }
  }

  /// The whole numbers of input `index`, which must be a constant list.
  func wholes(_ index: Int) throws(GraphError) -> [Int] {
    let name = node.inputs[index]
    guard let tensor = constants[name] else {
      throw fail("input '\(name)' is not a constant, which is not supported")
    }
    guard tensor.shape.count <= 1, tensor.count <= 16 else {
      throw fail("input '\(name)' has the shape \(tensor.shape), expected a short list")
    }
    switch tensor.elementType {
    case .int64: return tensor.values(as: Int64.self).map { Int($0) }
    case .int32: return tensor.values(as: Int32.self).map { Int($0) }
    default: throw fail("input '\(name)' is \(tensor.elementType), expected int64")
    }
  }
}

/// The axis of a `Slice` of a tensor of `shape` and the part of it that is kept.
///
/// - Throws: ``GraphError`` where the bounds are not constants or more than one axis is sliced.
public func slicedPart(
  _ node: Node, of shape: [Int], _ constants: [String: Tensor]
) throws(GraphError) -> (axis: Int, range: Range<Int>) {
  try ShapeInference(node: node, values: [:], constants: constants).sliced(shape.map { $0 })
}
