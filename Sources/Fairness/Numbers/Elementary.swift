// The standard library has a square root but neither logarithm nor exponential. Writing the two
// here keeps the module free of Foundation and of the C library, and the same to the last bit on
// every platform.

private let ln2High = 0x1.62e42fee00000p-1
private let ln2Low = 0x1.a39ef35793c76p-33

/// `e` to the power of `x`, within two units in the last place.
///
/// Takes out the nearest multiple of `ln 2` in two parts (Cody and Waite) and sums Taylor's series
/// on what is left, at most 0.35 in size.
func exponential(_ x: Double) -> Double {
  if x.isNaN { return x }
  if x > 709.8 { return .infinity }
  if x < -745.2 { return 0 }
  let k = (x * 1.4426950408889634).rounded()
  let r = (x - k * ln2High) - k * ln2Low
  var sum = 1.0
  for n in stride(from: 14.0, through: 1, by: -1) { sum = 1 + sum * r / n }
  // Two steps, because 2^k alone may be below the smallest number.
  let half = Int(k) / 2
  return sum * Double(sign: .plus, exponent: half, significand: 1)
    * Double(sign: .plus, exponent: Int(k) - half, significand: 1)
}

/// The natural logarithm of `x`, within two units in the last place.
///
/// `ln m = 2 artanh((m - 1) / (m + 1))` for a significand `m` from 0.7 to 1.4.
func logarithm(_ x: Double) -> Double {
  if x.isNaN || x < 0 { return .nan }
  if x == 0 { return -.infinity }
  if x == .infinity { return x }
  var m: Double
  var e: Double
  if x.isNormal {
    // As `significand` and `exponent`, without their calls: this runs once a row.
    m = Double(bitPattern: x.bitPattern & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000)
    e = Double(Int(x.bitPattern >> 52) - 1023)
  } else {
    m = x.significand
    e = Double(x.exponent)
  }
  if m > 1.4142135623730951 {
    m /= 2
    e += 1
  }
  let f = (m - 1) / (m + 1)
  return e * ln2High + (e * ln2Low + 2 * (f + f * artanhTail(f * f)))
}

/// `x²/3 + x⁴/5 + … + x²²/23` of the square of `x`, written out so that nothing is divided.
@inline(__always) private func artanhTail(_ square: Double) -> Double {
  var tail = 1.0 / 23 * square
  tail = (tail + 1.0 / 21) * square
  tail = (tail + 1.0 / 19) * square
  tail = (tail + 1.0 / 17) * square
  tail = (tail + 1.0 / 15) * square
  tail = (tail + 1.0 / 13) * square
  tail = (tail + 1.0 / 11) * square
  tail = (tail + 1.0 / 9) * square
  tail = (tail + 1.0 / 7) * square
  tail = (tail + 1.0 / 5) * square
  return (tail + 1.0 / 3) * square
}

/// `ln(1 + x)` without the loss of `1 + x` for a small `x`.
func logarithmOnePlus(_ x: Double) -> Double {
  if abs(x) > 0.3 { return logarithm(1 + x) }
  let f = x / (2 + x)
  return 2 * (f + f * artanhTail(f * f))
}
