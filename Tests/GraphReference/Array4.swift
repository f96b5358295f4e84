import Graphs
import Tensors

/// A tensor's elements as `Double`, whatever they are stored as.
struct Array4 {
  var shape: [Int]
  var values: [Double]
  var elementType = ElementType.float32

  init(_ shape: [Int], _ value: (Int) -> Double) {
    self.shape = shape
    values = (0..<shape.reduce(1, *)).map(value)
  }

  init(_ tensor: Tensor) {
    shape = tensor.shape
    elementType = tensor.elementType
    values =
      switch tensor.elementType {
      case .float32: tensor.floats.map(Double.init)
      case .int8: tensor.values(as: Int8.self).map(Double.init)
      case .uint8: tensor.values(as: UInt8.self).map(Double.init)
      case .int32: tensor.values(as: Int32.self).map(Double.init)
      case .int64: tensor.values(as: Int64.self).map { Double($0) }
      case .float16: tensor.widened!.floats.map(Double.init)
      default: preconditionFailure("the reference does not read \(tensor.elementType)")
      }
  }

  func tensor(_ type: ElementType) -> Tensor {
    switch type {
    case .float32: Tensor(shape: shape, values.map(Float.init))
    case .int8: Tensor(shape: shape, values.map { Int8($0) })
    case .uint8: Tensor(shape: shape, values.map { UInt8($0) })
    case .int32: Tensor(shape: shape, values.map { Int32($0) })
    default: preconditionFailure("the reference does not write \(type)")
    }
  }

  /// The least and greatest number that the element type holds.
  var range: ClosedRange<Double> {
    switch elementType {
    case .int8: -128...127
    case .uint8: 0...255
    default: preconditionFailure("the reference does not quantize to \(elementType)")
    }
  }

  /// `axis`, counted from the front.
  func axis(_ axis: Int) -> Int { axis < 0 ? axis + shape.count : axis }

  /// The element that stands at flat `index` of the larger `shape` after stretching.
  func broadcast(_ index: Int, in target: [Int]) -> Double {
    var (rest, at, stride) = (index, 0, 1)
    for axis in target.indices.reversed() {
      let place = rest % target[axis]
      rest /= target[axis]
      let own = axis - (target.count - shape.count)
      guard own >= 0 else { break }
      if shape[own] != 1 { at += place * stride }
      stride *= shape[own]
    }
    return values[at]
  }

  /// The scale or zero point that belongs to flat `index` of `x`.
  func parameter(_ index: Int, of x: Array4, _ node: Node) -> Double {
    if values.count == 1 { return values[0] }
    let axis = x.axis(node.int("axis", default: 1))
    return values[index / x.shape[(axis + 1)...].reduce(1, *) % x.shape[axis]]
  }
}
