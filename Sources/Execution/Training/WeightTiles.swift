import OneDNN
import Tensors

/// A convolution's weights seen as tiles of 16 inputs by 16 outputs.
///
/// Tiles that follow each other in the master copy make a chunk, which is contiguous. A step of the
/// descent moves a chunk and writes it to all copies while it is in the cache.
struct WeightTiles {
  /// The number of chunks.
  let chunkCount: Int
  /// The elements of a chunk.
  let chunkLength: Int

  /// The number of tiles along outputs, inputs, rows and columns of the kernel.
  private let extents: [Int]
  /// The distance between tiles of the master along each axis, in elements.
  private let strides: [Int]
  private let rowStride: Int
  /// The axis along which the tiles of a chunk follow each other.
  private let inner: Int
  /// The other axes, those of the kernel last: copies have all taps of a tile together, so that
  /// what is written next lies near what was written before.
  private let outer: [Int]

  /// The tiles of `master`, or nil where it does not consist of them.
  init?(master: Layout) {
    let shape = master.shape
    var strides = master.strides
    guard shape.count == 4, strides.count == 4, master.elementType == .float32,
      shape[0].isMultiple(of: 16), shape[1].isMultiple(of: 16)
    else { return nil }
    if master.blocks.isEmpty {
      guard strides[0] == 1, strides[1] == shape[0] else { return nil }
      rowStride = strides[1]
      strides[0] = 16
      strides[1] *= 16
      inner = 0
    } else {
      guard TileOrder(master.blocks) == .inputs, strides[3] == 256 else { return nil }
      rowStride = 16
      inner = 3
    }
    let extents = [shape[0] / 16, shape[1] / 16, shape[2], shape[3]]
    self.strides = strides
    self.extents = extents
    outer = (0..<4).filter { [inner] in $0 != inner }
    chunkLength = extents[inner] * 256
    chunkCount = outer.reduce(1) { $0 * extents[$1] }
  }

  /// Where in the master `chunk` starts.
  func start(of chunk: Int) -> Int { offset(of: chunk, strides) }

  /// Writes one chunk of `master` in the order of `copy`.
  func write(
    chunk: Int, of master: UnsafePointer<Float>, to copy: TiledCopy,
    at base: UnsafeMutableRawPointer
  ) {
    let from = UnsafeRawPointer(master + start(of: chunk))
    let to = base + offset(of: chunk, copy.strides) * copy.width
    for tile in 0..<extents[inner] {
      copy.order.write(
        from + tile * strides[inner] * 4, rowStride: rowStride,
        to: to + tile * copy.strides[inner] * copy.width)
    }
  }

  private func offset(of chunk: Int, _ strides: [Int]) -> Int {
    var (rest, offset) = (chunk, 0)
    for axis in outer.reversed() {
      offset += rest % extents[axis] * strides[axis]
      rest /= extents[axis]
    }
    return offset
  }
}

/// A kernel's layout of weights that consists of tiles.
struct TiledCopy {
  let order: TileOrder
  /// The distance between tiles along each axis, in elements.
  let strides: [Int]
  /// The bytes of an element.
  let width: Int

  /// The tiles of `layout`, or nil where it does not consist of tiles that can be written.
  init?(_ layout: Layout) {
    guard let order = TileOrder(layout.blocks), layout.shape == layout.paddedShape,
      layout.shape.count == 4, layout.elementType == order.elementType
    else { return nil }
    self.order = order
    strides = layout.strides
    width = order.elementType.bits / 8
  }
}

/// How the 16 inputs by 16 outputs of a tile lie in memory.
enum TileOrder {
  /// Float32, input by input.
  case inputs
  /// Float32, output by output.
  case outputs
  /// Bfloat16, the outputs of two inputs at a time, in turns.
  case inputPairs
  /// Bfloat16, the inputs of two outputs at a time, in turns.
  case outputPairs

  init?(_ blocks: [(axis: Int, size: Int)]) {
    switch blocks.map({ [$0.axis, $0.size] }) {
    case [[1, 16], [0, 16]]: self = .inputs
    case [[0, 16], [1, 16]]: self = .outputs
    case [[1, 8], [0, 16], [1, 2]]: self = .inputPairs
    case [[0, 8], [1, 16], [0, 2]]: self = .outputPairs
    default: return nil
    }
  }

  var elementType: ElementType {
    switch self {
    case .inputs, .outputs: .float32
    case .inputPairs, .outputPairs: .bfloat16
    }
  }

  /// Writes a tile whose inputs are `rowStride` floats apart.
  func write(_ tile: UnsafeRawPointer, rowStride: Int, to copy: UnsafeMutableRawPointer) {
    func row(_ input: Int) -> SIMD16<Float> {
      tile.loadUnaligned(fromByteOffset: input * rowStride * 4, as: SIMD16<Float>.self)
    }
    switch self {
    case .inputs:
      for input in 0..<16 {
        copy.storeBytes(of: row(input), toByteOffset: input * 64, as: SIMD16<Float>.self)
      }
    case .outputs:
      for input in stride(from: 0, to: 16, by: 2) {
        let (even, odd) = (row(input), row(input + 1))
        for output in 0..<16 {
          copy.storeBytes(
            of: SIMD2(even[output], odd[output]), toByteOffset: output * 64 + input * 4,
            as: SIMD2<Float>.self)
        }
      }
    case .inputPairs:
      for input in stride(from: 0, to: 16, by: 2) {
        let (even, odd) = (rounded(row(input)), rounded(row(input + 1)))
        copy.storeBytes(
          of: even &>> 16 | odd & 0xFFFF_0000, toByteOffset: input * 32, as: SIMD16<UInt32>.self)
      }
    case .outputPairs:
      for input in stride(from: 0, to: 16, by: 2) {
        let (even, odd) = (rounded(row(input)), rounded(row(input + 1)))
        let first = even.evenHalf &>> 16 | even.oddHalf & 0xFFFF_0000
        let second = odd.evenHalf &>> 16 | odd.oddHalf & 0xFFFF_0000
        for pair in 0..<8 {
          copy.storeBytes(
            of: SIMD2(first[pair], second[pair]), toByteOffset: pair * 64 + input * 4,
            as: SIMD2<UInt32>.self)
        }
      }
    }
  }

  /// The nearest bfloat16, ties to even, in the upper halves; the lower halves mean nothing.
  @inline(__always)
  private func rounded(_ values: SIMD16<Float>) -> SIMD16<UInt32> {
    let bits = unsafeBitCast(values, to: SIMD16<Int32>.self)
    let up = bits &+ 0x7FFF &+ (bits &>> 16 & 1)
    // Rounding must not make a number of what is none. Comparing vectors is slow, shifting is not.
    let isNone = (0x7F80_0000 &- bits & 0x7FFF_FFFF) &>> 31
    return unsafeBitCast(up & ~isNone | (bits | 0x40_0000) & isNone, to: SIMD16<UInt32>.self)
  }
}
