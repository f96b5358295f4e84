import OneDNN
import Tensors

/// An array in the middle of a constant, wherever the elements of both lie.
struct Padding {
  /// How far the source's first element lies from the destination's, along each axis.
  var begins: [Int]
  /// One element of the constant, as bits.
  var value: UInt32
  var elementBytes: Int
  var shape: [Int]
  var sourceStrides: [Int]
  var destinationStrides: [Int]
  var destinationBytes: Int
  var source: UnsafeRawPointer
  var destination: UnsafeMutableRawPointer

  func run() {
    switch elementBytes {
    case 1: fill(UInt8(truncatingIfNeeded: value))
    case 2: fill(UInt16(truncatingIfNeeded: value))
    default: fill(value)
    }
    // The innermost axis in memory is copied at once; it is the same one on both sides.
    let order = shape.indices.sorted { sourceStrides[$0] > sourceStrides[$1] }
    let offset = zip(begins, destinationStrides).reduce(0) { $0 + $1.0 * $1.1 }
    copy(order[...], 0, offset)
  }

  private func fill<Bits: FixedWidthInteger>(_ bits: Bits) {
    let count = destinationBytes / MemoryLayout<Bits>.size
    destination.assumingMemoryBound(to: Bits.self).update(repeating: bits, count: count)
  }

  private func copy(_ axes: ArraySlice<Int>, _ from: Int, _ to: Int) {
    guard let axis = axes.first else { return }
    let isInner =
      axes.count == 1 && sourceStrides[axis] == 1 && destinationStrides[axis] == 1
    if isInner {
      (destination + to * elementBytes).copyMemory(
        from: source + from * elementBytes, byteCount: shape[axis] * elementBytes)
      return
    }
    for i in 0..<shape[axis] {
      let (a, b) = (from + i * sourceStrides[axis], to + i * destinationStrides[axis])
      if axes.count == 1 {
        (destination + b * elementBytes).copyMemory(
          from: source + a * elementBytes, byteCount: elementBytes)
      } else {
        copy(axes.dropFirst(), a, b)
      }
    }
  }
}

extension Padding {
  init(
    _ begins: [Int], _ value: Float, from source: Layout, at first: UnsafeRawPointer,
    to destination: Layout, at target: UnsafeMutableRawPointer
  ) {
    let type = source.elementType ?? .float32
    let bits: UInt32 =
      switch type {
      case .float32: value.bitPattern
      case .bfloat16: (value.bitPattern + 0x7fff + (value.bitPattern >> 16 & 1)) >> 16
      default: UInt32(truncatingIfNeeded: Int(value))
      }
    self.init(
      begins: begins, value: bits, elementBytes: type.bits / 8, shape: source.shape,
      sourceStrides: source.strides, destinationStrides: destination.strides,
      destinationBytes: destination.byteCount, source: first, destination: target)
  }
}
