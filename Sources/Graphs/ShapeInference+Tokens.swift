import Tensors

/// The operators of transformers and ConvNeXts, and padding and resizing.
extension ShapeInference {
  func pad() throws(GraphError) -> Result {
    let x = try number(0)
    let mode = node.string("mode", default: "constant")
    guard mode == "constant" else { throw fail("pads by mode '\(mode)', which is not supported") }
    guard try optional(3) == nil else { throw fail("pads chosen axes only, not supported") }
    if let value = try optional(2) {
      guard constants[value.name]?.count == 1, value.elementType == .float32 else {
        throw fail("its value '\(value.name)' is not one float32 constant")
      }
    }
    let pads = try wholes(1)
    guard pads.count == 2 * x.shape.count else {
      throw fail("has \(pads.count) pads, expected \(2 * x.shape.count)")
    }
    guard pads.allSatisfy({ 0...Self.largestExtent ~= $0 }) else {
      throw fail("pads are \(pads); cutting off is not supported")
    }
    var shape = x.shape
    for (axis, extent) in x.shape.enumerated() {
      let added = pads[axis] + pads[axis + x.shape.count]
      guard let extent else {
        guard added == 0 else { throw fail("pads axis \(axis), whose extent is not known") }
        continue
      }
      shape[axis] = extent + added
    }
    return (x.type, shape)
  }

  func slopes() throws(GraphError) -> Result {
    let (x, slopes) = (try number(0), try number(1))
    guard x.shape.count >= 2, constants[node.inputs[1]] != nil else {
      throw fail("its slopes '\(node.inputs[1])' are not a constant for channels")
    }
    let rank = x.shape.count
    let padded = Array(repeating: 1, count: max(0, rank - slopes.shape.count)) + slopes.shape
    guard padded.count == rank,
      padded.indices.allSatisfy({ padded[$0] == 1 || $0 == 1 && agree([padded[$0]], [x.shape[1]]) })
    else {
      throw fail("its slopes have the shape \(describe(slopes.shape)), expected one a channel")
    }
    return x
  }

  func resize() throws(GraphError) -> Result {
    let x = try number(0, rank: 4, "[batch, channels, height, width]")
    guard let scales = constants[node.inputs[2]], scales.elementType == .float32, scales.count == 4
    else { throw fail("its scales '\(node.inputs[2])' are not four constant numbers") }
    let factors = scales.floats
    guard factors[0] == 1, factors[1] == 1,
      factors[2...].allSatisfy({ $0 > 0 && $0 < 1_048_576 })
    else { throw fail("its scales are \(factors); only height and width are resized") }
    var shape = x.shape
    for axis in 2...3 {
      guard let extent = x.shape[axis], extent <= 1 << 20 else {
        shape[axis] = nil
        continue
      }
      let wanted = (Float(extent) * factors[axis]).rounded(.down)
      shape[axis] = Int(wanted)
      guard wanted >= 1 else { throw fail("leaves nothing of \(describe(x.shape))") }
    }
    return (x.type, shape)
  }

  func layerNormalization() throws(GraphError) -> Result {
    let x = try number(0)
    guard try axis(of: x.shape, default: -1) == x.shape.count - 1, let last = x.shape.last else {
      throw fail("normalizes several axes; only the last one is supported")
    }
    for index in 1...2 { try parameter(index, count: last, "features") }
    return x
  }

  func gelu() throws(GraphError) -> Result {
    let kind = node.string("approximate", default: "none")
    guard ["none", "tanh"].contains(kind) else {
      throw fail("approximates by '\(kind)', expected 'none' or 'tanh'")
    }
    return try number(0)
  }

  func matMul() throws(GraphError) -> Result {
    let (a, b) = (try number(0), try number(1))
    guard a.shape.count >= 2, b.shape.count >= 2, let inner = a.shape.last else {
      throw fail("multiplies \(describe(a.shape)) by \(describe(b.shape)), expected matrices")
    }
    let rows = b.shape[b.shape.count - 2]
    guard agree([inner], [rows]) else {
      throw fail("multiplies rows of \(describe([inner])) by columns of \(describe([rows]))")
    }
    let leading = try broadcast(
      (a.type, Array(a.shape.dropLast(2))), (b.type, Array(b.shape.dropLast(2))))
    return (a.type, leading.shape + [a.shape[a.shape.count - 2], b.shape[b.shape.count - 1]])
  }
}
