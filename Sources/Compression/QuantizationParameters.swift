/// How real numbers are written as small integers: `real = scale * (integer - zeroPoint)`.
///
/// Rounding is half to even, then the integer is clamped to what its type can hold, as in ONNX's
/// `QuantizeLinear`.
public struct QuantizationParameters: Hashable, Codable, Sendable {
  /// The real distance of two neighbouring integers, positive.
  public var scale: Float
  /// The integer that means exactly 0.
  public var zeroPoint: Int

  /// Parameters as given.
  public init(scale: Float, zeroPoint: Int) {
    self.scale = scale
    self.zeroPoint = zeroPoint
  }

  /// Spreads `range`, extended to include 0, evenly over the integers of `grid`.
  ///
  /// The range includes 0 so that padding and what a ReLU cut off are represented exactly. A range
  /// that starts at 0 gets the grid's lowest integer as its zero point.
  ///
  /// Source: B. Jacob and others, *Quantization and Training of Neural Networks for Efficient
  /// Integer-Arithmetic-Only Inference*, CVPR 2018, section 2. The arithmetic is in `Float`, as in
  /// PyTorch's observers, so that both give the same bits.
  public init(affine range: ValueRange, grid: ClosedRange<Int>) {
    let lower = min(range.lower, 0)
    let upper = max(range.upper, 0)
    scale = max((upper - lower) / Float(grid.upperBound - grid.lowerBound), Self.smallestScale)
    let offset = Int((lower / scale).rounded(.toNearestOrEven))
    zeroPoint = min(max(grid.lowerBound - offset, grid.lowerBound), grid.upperBound)
  }

  /// No scale is below this, so that a tensor of zeros does not divide by zero.
  static let smallestScale: Float = 0x1p-23

  /// The integer that stands for `value`, clamped to `limits`.
  public func quantize(_ value: Float, limits: ClosedRange<Int>) -> Int {
    let steps = (value / scale).rounded(.toNearestOrEven) + Float(zeroPoint)
    // Clamping before the conversion: a far-off value must not trap.
    return Int(min(max(steps, Float(limits.lowerBound)), Float(limits.upperBound)))
  }

  /// The real number that `integer` stands for.
  public func dequantize(_ integer: Int) -> Float {
    scale * Float(integer - zeroPoint)
  }
}

/// The interval of real values that a quantizer has to represent; values outside are clipped.
public struct ValueRange: Hashable, Codable, Sendable {
  /// The lower end.
  public var lower: Float
  /// The upper end, not below ``lower``.
  public var upper: Float

  /// The interval from `lower` to `upper`.
  public init(_ lower: Float, _ upper: Float) {
    self.lower = lower
    self.upper = upper
  }
}
