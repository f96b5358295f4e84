public import Tensors

/// Weights on an even grid of a few bits, with one scale for each output channel.
public struct UniformQuantization: Sendable {
  /// The width of a code: 2 to 8.
  public var bits: Int
  /// Whether grids have a zero point of their own, so that a channel may lean to one side.
  public var isAffine: Bool

  /// A quantization of the given width.
  public init(bits: Int, isAffine: Bool = false) {
    self.bits = bits
    self.isAffine = isAffine
  }

  /// The codes of `weights`, whose first axis is the output channel.
  ///
  /// Of several ranges that clip the largest weights, that with the least squared error is taken;
  /// the scale of each is then fitted by least squares in turn with the rounding.
  public func code(_ weights: Tensor) -> CodedWeights {
    precondition(2...8 ~= bits, "\(bits) bits")
    let values = weights.floats
    let channels = max(1, weights.shape.first ?? 1)
    let perChannel = values.count / channels
    struct Channel: Sendable {
      var codes: [UInt8]
      var scale: Float
      var zeroPoint: UInt8
    }
    let found = Clustering.inParallel(channels) { channel in
      let members = Array(values[channel * perChannel..<(channel + 1) * perChannel])
      let grid = grid(of: members)
      let (zero, top) = (Float(grid.zeroPoint), Float(grid.top))
      let inverse = 1 / grid.scale
      let codes = members.map { value -> UInt8 in
        let code = (value * inverse).rounded(.toNearestOrEven) + zero
        return UInt8(min(max(code, Float(grid.bottom)), top))
      }
      return Channel(codes: codes, scale: grid.scale, zeroPoint: UInt8(grid.zeroPoint))
    }
    return CodedWeights(
      shape: weights.shape, bits: bits, codes: found.flatMap(\.codes),
      meaning: .affine(scales: found.map(\.scale), zeroPoints: found.map(\.zeroPoint)))
  }

  private struct Grid {
    var scale: Float
    var zeroPoint: Int
    var bottom: Int
    var top: Int
  }

  private func grid(of values: [Float]) -> Grid {
    let levels = 1 << bits
    let range = finiteRange(of: values) ?? ValueRange(0, 0)
    let (lower, upper) = (min(range.lower, 0), max(range.upper, 0))
    let largest = max(-lower, upper)
    guard largest > 0 else {
      return Grid(scale: QuantizationParameters.smallestScale, zeroPoint: 0, bottom: 0, top: 0)
    }
    var best = (error: Double.infinity, grid: Grid(scale: 1, zeroPoint: 0, bottom: 0, top: 0))
    for fraction: Float in [1, 0.85, 0.7, 0.55, 0.42, 0.32, 0.24] {
      var grid: Grid
      if isAffine {
        let scale = max((upper - lower) * fraction / Float(levels - 1), 1e-30)
        let zero = Int((-lower * fraction / scale).rounded())
        grid = Grid(
          scale: scale, zeroPoint: min(max(zero, 0), levels - 1), bottom: 0, top: levels - 1)
      } else {
        // As many steps on either side; the lowest code is not used.
        let side = levels / 2 - 1
        grid = Grid(
          scale: largest * fraction / Float(side), zeroPoint: levels / 2, bottom: 1, top: levels - 1
        )
      }
      for _ in 0..<4 {
        let (error, scale) = fit(values, to: grid)
        if error < best.error { best = (error, grid) }
        grid.scale = scale
      }
    }
    return best.grid
  }

  /// The squared error of rounding to `grid`, and the scale that fits the rounded codes best.
  private func fit(_ values: [Float], to grid: Grid) -> (error: Double, scale: Float) {
    typealias Lanes = SIMD8<Float>
    let low = Float(grid.bottom - grid.zeroPoint)
    let high = Float(grid.top - grid.zeroPoint)
    let inverse = 1 / grid.scale
    var (error, product, square) = (Lanes.zero, Lanes.zero, Lanes.zero)
    // Adding and taking away 1.5 × 2²³ rounds to the nearest even number.
    let magic: Float = 12_582_912
    func step(_ x: Lanes) {
      var steps = x * inverse
      steps = Lanes(repeating: high).replacing(with: steps, where: steps .< high)
      steps = Lanes(repeating: low).replacing(with: steps, where: steps .> low)
      let q = (steps + magic) - magic
      let difference = x - q * grid.scale
      error += difference * difference
      product += x * q
      square += q * q
    }
    let whole = values.count / 8 * 8
    values.withUnsafeBytes { bytes in
      for i in stride(from: 0, to: whole, by: 8) {
        step(bytes.loadUnaligned(fromByteOffset: i * 4, as: Lanes.self))
      }
    }
    for value in values[whole...] {
      var one = Lanes.zero
      one[0] = value
      step(one)
    }
    let (sumProduct, sumSquare) = (product.sum(), square.sum())
    let scale = sumSquare > 0 && sumProduct > 0 ? sumProduct / sumSquare : grid.scale
    return (Double(error.sum()), scale)
  }
}
