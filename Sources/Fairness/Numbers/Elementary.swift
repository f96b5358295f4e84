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
  var m = x.significand
  var e = Double(x.exponent)
  if m > 1.4142135623730951 {
    m /= 2
    e += 1
  }
  let f = (m - 1) / (m + 1)
  let square = f * f
  var tail = 0.0
  for n in stride(from: 23.0, through: 3, by: -2) { tail = (tail + 1 / n) * square }
  return e * ln2High + (e * ln2Low + 2 * (f + f * tail))
}

/// `ln(1 + x)` without the loss of `1 + x` for a small `x`.
func logarithmOnePlus(_ x: Double) -> Double {
  if abs(x) > 0.3 { return logarithm(1 + x) }
  let f = x / (2 + x)
  let square = f * f
  var tail = 0.0
  for n in stride(from: 23.0, through: 3, by: -2) { tail = (tail + 1 / n) * square }
  return 2 * (f + f * tail)
}
