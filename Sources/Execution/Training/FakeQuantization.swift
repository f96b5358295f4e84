import OneDNN

/// Rounding to 8 bits and back within a training step, on arrays in any layout.
///
/// Forward is what `QuantizeLinear` and `DequantizeLinear` do: `scale × clip(round(x / scale))`,
/// half to even, between the ends of the grid. Backward passes the gradient on where the rounded
/// number was inside the grid, ends included, and gives zero elsewhere (straight through), as
/// `torch.fake_quantize_per_tensor_affine` does.
///
/// Source: B. Jacob and others, *Quantization and Training of Neural Networks for Efficient
/// Integer-Arithmetic-Only Inference*, CVPR 2018, section 3.
struct FakeQuantization: Sendable {
  /// The real distance of two neighbours, positive.
  var scale: Float
  /// The least and the greatest number of steps from zero.
  var steps: ClosedRange<Float>

  private typealias Lanes = SIMD8<Float>

  /// Rounds `count` elements; `result` may be `source`.
  func forward(
    _ source: UnsafePointer<Float>, to result: UnsafeMutablePointer<Float>, count: Int
  ) {
    Parallel.forEach(count) { range in
      each(range) { i, isOne in
        let rounded = Self.rounded(clipped(load(source, i, isOne) / scale, by: 0))
        store(rounded * scale, to: result, i, isOne)
      }
    }
  }

  /// Passes the gradients of `count` elements on; `result` may be `gradient`.
  func backward(
    _ source: UnsafePointer<Float>, gradient: UnsafePointer<Float>,
    to result: UnsafeMutablePointer<Float>, count: Int
  ) {
    Parallel.forEach(count) { range in
      each(range) { i, isOne in
        let rounded = Self.rounded(clipped(load(source, i, isOne) / scale, by: 1))
        let passed = load(gradient, i, isOne)
        let isOutside = rounded .< steps.lowerBound .| rounded .> steps.upperBound
        store(passed.replacing(with: 0, where: isOutside), to: result, i, isOne)
      }
    }
  }

  /// Cut off at the grid's ends, or so many steps beyond; what is no number stays so.
  private func clipped(_ values: Lanes, by margin: Float) -> Lanes {
    let (low, high) = (steps.lowerBound - margin, steps.upperBound + margin)
    return values.replacing(with: low, where: values .< low)
      .replacing(with: high, where: values .> high)
  }

  /// Adding and taking away 1.5 × 2²³ rounds what is small to the nearest even number.
  private static func rounded(_ values: Lanes) -> Lanes {
    let magic: Float = 12_582_912
    return (values + magic) - magic
  }

  /// Calls `body` for every eight elements, then for single ones.
  private func each(_ range: Range<Int>, _ body: (_ index: Int, _ isOne: Bool) -> Void) {
    let whole = range.lowerBound + range.count / 8 * 8
    for i in stride(from: range.lowerBound, to: whole, by: 8) { body(i, false) }
    for i in whole..<range.upperBound { body(i, true) }
  }

  private func load(_ values: UnsafePointer<Float>, _ i: Int, _ isOne: Bool) -> Lanes {
    if isOne { return Lanes(repeating: values[i]) }
    return UnsafeRawPointer(values + i).loadUnaligned(as: Lanes.self)
  }

  private func store(
    _ lanes: Lanes, to values: UnsafeMutablePointer<Float>, _ i: Int, _ isOne: Bool
  ) {
    if isOne {
      values[i] = lanes[0]
    } else {
      UnsafeMutableRawPointer(values + i).storeBytes(of: lanes, as: Lanes.self)
    }
  }
}
