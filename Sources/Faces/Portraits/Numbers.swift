import Foundation

typealias Point = SIMD2<Double>

/// Red, green, blue from 0 to 1, as a screen shows them.
typealias Color = SIMD3<Double>

func sine(_ x: Double) -> Double { Foundation.sin(x) }
func cosine(_ x: Double) -> Double { Foundation.cos(x) }

/// `a` at 0, `b` at 1.
func mix(_ a: Double, _ b: Double, _ t: Double) -> Double { a + (b - a) * t }
func mix(_ a: Color, _ b: Color, _ t: Double) -> Color { a + (b - a) * t }

/// 0 below 0, 1 above 1, smooth between.
@inline(__always) func smooth(_ t: Float) -> Float {
  let t = min(max(t, 0), 1)
  return t * t * (3 - 2 * t)
}

extension SIMD3<Double> {
  /// Every channel kept from 0 to 1.
  var shown: Color { clamped(lowerBound: Color(repeating: 0), upperBound: Color(repeating: 1)) }

  /// How bright it looks, from 0 to 1.
  var luminance: Double { 0.3 * x + 0.59 * y + 0.11 * z }
}
