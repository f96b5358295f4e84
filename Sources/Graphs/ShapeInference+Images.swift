import Tensors

/// The operators of image classifiers beside those of a residual network.
extension ShapeInference {
  func clip() throws(GraphError) -> Result {
    for index in 1...2 {
      guard let bound = try optional(index) else { continue }
      guard constants[bound.name] != nil, bound.elementType == .float32,
        bound.shape.allSatisfy({ $0 == 1 })
      else { throw fail("its bound '\(bound.name)' is not one float32 constant") }
    }
    return try number(0)
  }

  func concatenate() throws(GraphError) -> Result {
    let first = try any(0)
    let axis = try axis(of: first.shape, default: 1)
    guard node.attributes["axis"] != nil else { throw fail("has no axis") }
    var shape = first.shape
    for index in node.inputs.indices.dropFirst() {
      let other = try any(index)
      var aligned = other.shape
      if aligned.count == shape.count { aligned[axis] = shape[axis] }
      guard other.type == first.type, agree(aligned, shape) else {
        throw fail(
          "input '\(node.inputs[index])' is \(other.type) \(describe(other.shape)), which does not "
            + "continue \(first.type) \(describe(first.shape)) along axis \(axis)")
      }
      for i in shape.indices where i != axis { shape[i] = shape[i] ?? other.shape[i] }
      if let sum = shape[axis], let more = other.shape[axis] {
        guard sum <= Self.largestExtent else { throw fail("its result is too long") }
        shape[axis] = sum + more
      } else {
        shape[axis] = nil
      }
    }
    return (first.type, shape)
  }

  func transpose() throws(GraphError) -> Result {
    let x = try any(0)
    let order = node.ints("perm", default: Array(x.shape.indices.reversed()))
    guard order.sorted() == Array(x.shape.indices) else {
      throw fail("perm is \(order), but the input has \(x.shape.count) axes")
    }
    return (x.type, order.map { x.shape[$0] })
  }
}
