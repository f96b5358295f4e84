import Foundation

typealias Point = SIMD2<Double>

/// Red, green, blue from 0 to 1, as a screen shows them.
typealias Color = SIMD3<Double>

func sine(_ x: Double) -> Double { Foundation.sin(x) }
func exponential(_ x: Double) -> Double { Foundation.exp(x) }
func cosine(_ x: Double) -> Double { Foundation.cos(x) }

/// `a` at 0, `b` at 1.
func mix(_ a: Double, _ b: Double, _ t: Double) -> Double { a + (b - a) * t }
func mix(_ a: Color, _ b: Color, _ t: Double) -> Color { a + (b - a) * t }

/// 0 below 0, 1 above 1, smooth between.
@inline(__always) func smooth(_ t: Float) -> Float {
  let t = min(max(t, 0), 1)
  return t * t * (3 - 2 * t)
}

/// An opaque pixel of red, green and blue; what is above 255 becomes 255, what is below 0 zero.
@inline(__always) func pixel(_ color: SIMD4<Float>) -> UInt32 {
  var c = color
  c.replace(with: 0, where: c .< 0)
  c.replace(with: 255, where: c .> 255)
  // Above 2^23 a float's last bits are whole numbers: adding it rounds without converting.
  let whole = unsafeBitCast(c + 0x1p23, to: SIMD4<UInt32>.self) & 0xff
  return 0xff00_0000 | whole.x << 16 | whole.y << 8 | whole.z
}

extension SIMD3<Double> {
  /// Every channel kept from 0 to 1.
  var shown: Color { clamped(lowerBound: Color(repeating: 0), upperBound: Color(repeating: 1)) }

  /// How bright it looks, from 0 to 1.
  var luminance: Double { 0.3 * x + 0.59 * y + 0.11 * z }
}
