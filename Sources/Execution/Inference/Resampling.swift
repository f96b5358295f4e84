import Graphs
import OneDNN
import Tensors

/// Images of another height and width, each pixel the nearest or a mean of four.
struct Resampling {
  /// ONNX's meaning of `Resize`.
  struct Mode {
    /// Output pixels for each input pixel, height first.
    var scales: [Float]
    var isLinear: Bool
    /// Where a pixel lies: `coordinate_transformation_mode`.
    var coordinates: String
    /// Which way a coordinate is rounded: `nearest_mode`.
    var rounding: String
  }

  /// What an output row or column is made of: two inputs, and the second's share.
  struct Tap {
    var first: Int
    var second: Int
    var share: Float
  }

  var shape: [Int]
  var rows: [Tap]
  var columns: [Tap]
  var sourceStrides: [Int]
  var destinationStrides: [Int]
  var isBFloat16: Bool
  var source: UnsafeRawPointer
  var destination: UnsafeMutableRawPointer

  func run() {
    Parallel.forEach(shape[0] * rows.count, grain: 1) { range in
      for index in range {
        let (image, y) = (index / rows.count, index % rows.count)
        for (x, column) in columns.enumerated() {
          for c in 0..<shape[1] {
            let from = image * sourceStrides[0] + c * sourceStrides[1]
            let top = mix(from + rows[y].first * sourceStrides[2], column)
            let bottom =
              rows[y].share == 0 ? 0 : mix(from + rows[y].second * sourceStrides[2], column)
            store(
              top + rows[y].share * (rows[y].share == 0 ? 0 : bottom - top),
              image * destinationStrides[0] + c * destinationStrides[1]
                + y * destinationStrides[2] + x * destinationStrides[3])
          }
        }
      }
    }
  }

  @inline(__always)
  private func mix(_ row: Int, _ tap: Tap) -> Float {
    let left = load(row + tap.first * sourceStrides[3])
    if tap.share == 0 { return left }
    return left + tap.share * (load(row + tap.second * sourceStrides[3]) - left)
  }

  @inline(__always)
  private func load(_ index: Int) -> Float {
    isBFloat16
      ? Float(
        bitPattern: UInt32(source.assumingMemoryBound(to: UInt16.self)[index]) << 16)
      : source.assumingMemoryBound(to: Float.self)[index]
  }

  @inline(__always)
  private func store(_ value: Float, _ index: Int) {
    if isBFloat16 {
      let bits = value.bitPattern
      destination.assumingMemoryBound(to: UInt16.self)[index] =
        UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
    } else {
      destination.assumingMemoryBound(to: Float.self)[index] = value
    }
  }
}

extension Resampling.Mode {
  init(_ node: Node, _ scales: [Float]) throws(ExecutionError) {
    guard scales.count == 4 else { throw ExecutionError(node, "has \(scales.count) scales") }
    self.scales = Array(scales[2...])
    let mode = node.string("mode", default: "nearest")
    guard mode == "nearest" || mode == "linear" else {
      throw ExecutionError(node, "resizes by mode '\(mode)', which is not supported")
    }
    isLinear = mode == "linear"
    coordinates = node.string("coordinate_transformation_mode", default: "half_pixel")
    rounding = node.string("nearest_mode", default: "round_prefer_floor")
  }

  /// What each output of one axis is made of.
  func taps(axis: Int, from extent: Int, to count: Int) -> [Resampling.Tap] {
    (0..<count).map { i in
      let at: Float
      switch coordinates {
      case "asymmetric": at = Float(i) / scales[axis]
      case "align_corners":
        at = count == 1 ? 0 : Float(i) * Float(extent - 1) / Float(count - 1)
      case "pytorch_half_pixel" where count == 1: at = 0
      default: at = (Float(i) + 0.5) / scales[axis] - 0.5
      }
      if isLinear {
        let inside = min(max(at, 0), Float(extent - 1))
        let first = Int(inside)
        return .init(
          first: first, second: min(first + 1, extent - 1), share: inside - Float(first))
      }
      let rounded: Float =
        switch rounding {
        case "floor": at.rounded(.down)
        case "ceil": at.rounded(.up)
        case "round_prefer_ceil": (at + 0.5).rounded(.down)
        default: (at - 0.5).rounded(.up)
        }
      let place = Int(min(max(rounded, 0), Float(extent - 1)))
      return .init(first: place, second: place, share: 0)
    }
  }
}

extension Resampling {
  init(
    _ mode: Mode, from source: Layout, at first: UnsafeRawPointer, to destination: Layout,
    at target: UnsafeMutableRawPointer
  ) {
    let (old, new) = (source.shape, destination.shape)
    self.init(
      shape: old, rows: mode.taps(axis: 0, from: old[2], to: new[2]),
      columns: mode.taps(axis: 1, from: old[3], to: new[3]), sourceStrides: source.strides,
      destinationStrides: destination.strides, isBFloat16: source.elementType == .bfloat16,
      source: first, destination: target)
  }
}
