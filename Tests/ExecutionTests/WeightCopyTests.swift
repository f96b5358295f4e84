import GraphReference
import Graphs
import OneDNN
import Tensors
import Testing

@testable import Execution

/// What kernels read instead of the parameters holds the parameters, whoever wrote it.
@Suite struct WeightCopyTests {
  /// Convolutions whose weights are kept in tiles, tap by tap or block by block, and some that are not.
  private static func network() -> Graph {
    var network = TinyNetwork("copies", input: [3, 16, 16])
    var x = network.convolution("input", [32, 3, 3, 3], pads: [1, 1, 1, 1])
    x = network.convolution(x, [48, 32, 3, 3], pads: [1, 1, 1, 1])
    x = network.convolution(x, [64, 48, 1, 1], strides: [2, 2])
    x = network.convolution(x, [64, 64, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1])
    x = network.convolution(x, [32, 64, 3, 3], pads: [1, 1, 1, 1])
    x = network.convolution(x, [32, 16, 3, 3], pads: [1, 1, 1, 1], groups: 2)
    x = network.append(.globalAveragePool, [x])
    x = network.append(.flatten, [x])
    let head = [network.parameter("head", [2, 32]), network.parameter("bias", [2])]
    let logits = network.append(.gemm, [x] + head, ["transB": .int(1)])
    network.graph.outputs = [Value(logits, shape: [nil, 2])]
    return network.graph
  }

  private static let precisions: [Precision] =
    Processor.current.hasNativeBFloat16 ? [.float32, .bfloat16] : [.float32]

  @Test(arguments: precisions)
  func `after a step, and after a change, kernels read the parameters as they are`(
    precision: Precision
  ) throws {
    let session = try TrainingSession(
      Self.network(), batch: 4, inputShape: [3, 16, 16], precision: precision)
    let images = FormulaWeights.images([4, 3, 16, 16]).floats
    func step() throws {
      try images.withUnsafeBufferPointer { _ = try session.forward($0) }
      try [0.5, -0.5, -0.25, 0.25, 0.125, 0, 0, 1].withUnsafeBufferPointer {
        try session.backward($0)
      }
      session.descend(Descent(rate: 0.1, decay: 1e-3))
    }
    func check() throws {
      try session.parameters.refreshCopies()
      for copy in session.parameters.copies {
        let other = WeightCopy(slot: copy.slot, layout: copy.layout, isTiled: false)
        try session.parameters.reorder(slot: copy.slot, to: other)
        let name = session.slots[copy.slot].name
        #expect(bytes(copy) == bytes(other), "\(name) \(copy.layout)")
      }
    }
    try check()
    for _ in 0..<2 {
      try step()
      try check()
    }
    let values = session.elements(of: .values)
    for i in values.indices { values[i] *= -1.5 }
    try check()
    try session.load(parameters: Self.network().initializers)
    try check()
  }

  private func bytes(_ copy: WeightCopy) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: copy.pages.pointer, count: copy.layout.byteCount))
  }

  @Test(arguments: [TileOrder.inputs, .outputs, .inputPairs, .outputPairs], [16, 40])
  func `a tile is written in its order`(order: TileOrder, rowStride: Int) {
    // A tie to even, one that goes up, the largest number, an infinity and two that are no numbers.
    let special: [UInt32] = [
      0x3F80_8000, 0x3F81_8000, 0x7F7F_FFFF, 0x7F80_0000, 0x7FFF_FFFF, 0xFF80_0001, 0x8000_0001,
    ]
    var tile = [Float](repeating: .nan, count: 16 * rowStride)
    for input in 0..<16 {
      for output in 0..<16 {
        let i = input * 16 + output
        tile[input * rowStride + output] =
          i < special.count ? Float(bitPattern: special[i]) : Float(i) / 7 - 11
      }
    }
    let width = order.elementType.bits / 8
    var copy = [UInt8](repeating: 0, count: 256 * width)
    tile.withUnsafeBytes { tile in
      copy.withUnsafeMutableBytes { copy in
        guard let from = tile.baseAddress, let to = copy.baseAddress else { return }
        order.write(from, rowStride: rowStride, to: to)
      }
    }
    for input in 0..<16 {
      for output in 0..<16 {
        let place =
          switch order {
          case .inputs: input * 16 + output
          case .outputs: output * 16 + input
          case .inputPairs: input / 2 * 32 + output * 2 + input % 2
          case .outputPairs: output / 2 * 32 + input * 2 + output % 2
          }
        let found = copy[place * width..<(place + 1) * width].reversed()
          .reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let value = tile[input * rowStride + output]
        let expected = width == 4 ? value.bitPattern : UInt32(nearest(value))
        #expect(found == expected, "input \(input), output \(output)")
      }
    }
  }

  /// The bfloat16 nearest to `value`, ties to even, found by comparing its two neighbours.
  private func nearest(_ value: Float) -> UInt16 {
    let below = UInt16(value.bitPattern >> 16)
    if value.isNaN { return below | 0x40 }
    if value.isInfinite { return below }
    let above = below + 1
    func number(_ bits: UInt16) -> Double {
      let float = Float(bitPattern: UInt32(bits) << 16)
      // Beyond the largest bfloat16 the next would be 2 to the 128.
      return float.isInfinite ? (float < 0 ? -0x1p128 : 0x1p128) : Double(float)
    }
    let (down, up) = (
      abs(number(below) - Double(value)), abs(number(above) - Double(value))
    )
    return down < up || (down == up && below.isMultiple(of: 2)) ? below : above
  }
}
