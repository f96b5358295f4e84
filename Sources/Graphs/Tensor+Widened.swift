public import Tensors

extension Tensor {
  /// The same numbers as `float32`: exact from half precision, rounded from `float64`.
  ///
  /// `nil` when the tensor holds whole numbers.
  public var widened: Tensor? {
    switch elementType {
    case .float32: return self
    case .float64: return Tensor(shape: shape, values(as: Double.self).map { Float($0) })
    case .bfloat16:
      // A bfloat16 is the upper half of a float32.
      return Tensor(shape: shape, halves().map { Float(bitPattern: UInt32($0) << 16) })
    case .float16: return Tensor(shape: shape, halves().map(Self.number))
    default: return nil
    }
  }

  private func halves() -> [UInt16] {
    (0..<count).map { UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8 }
  }

  /// The number that IEEE 754's half-precision format, `binary16`, gives these bits.
  private static func number(_ half: UInt16) -> Float {
    let sign = UInt32(half & 0x8000) << 16
    let exponent = UInt32(half >> 10 & 0x1f)
    let fraction = UInt32(half & 0x3ff)
    switch exponent {
    case 0:
      let magnitude = Float(fraction) * 0x1p-24
      return sign == 0 ? magnitude : -magnitude
    case 0x1f: return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
