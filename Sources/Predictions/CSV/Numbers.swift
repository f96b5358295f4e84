/// Reads a decimal number such as `0.4375` or `-1e-3`, rounded as IEEE 754 asks; nil if it is none.
///
/// The usual case, up to 19 digits of which up to 19 are after the point, is one division of whole
/// numbers. Whatever is longer goes the standard library's way.
func number(_ bytes: UnsafeBufferPointer<UInt8>, _ from: Int, _ to: Int) -> Double? {
  var at = from
  var to = to
  while at < to && bytes[at] == 32 { at += 1 }
  while to > at && bytes[to - 1] == 32 { to -= 1 }
  let start = at
  var negative = false
  if at < to && (bytes[at] == 45 || bytes[at] == 43) {
    negative = bytes[at] == 45
    at += 1
  }
  var digits = 0
  var value: UInt64 = 0
  var decimals = 0
  var point = false
  while at < to {
    // Most of a score is a run of decimals: eight at a time. Zeros at their start count as digits
    // here, which at worst sends a number the slow way.
    if point && to - at >= 8, digits <= 11, let eight = eightDigits(bytes, at) {
      value = value &* 100_000_000 &+ eight
      (digits, decimals, at) = (digits + 8, decimals + 8, at + 8)
      continue
    }
    let byte = bytes[at]
    let digit = byte &- 48
    if digit < 10 {
      // Leading zeros are no digits: 0.0000123 has three.
      if value > 0 || digit > 0 { digits += 1 }
      if digits > 19 { return slow(bytes, start, to) }
      value = value &* 10 &+ UInt64(digit)
      if point { decimals += 1 }
    } else if byte == 46 && !point {
      point = true
    } else {
      return slow(bytes, start, to)
    }
    at += 1
  }
  let signs = negative || start < to && bytes[start] == 43 ? 1 : 0
  guard to - start - signs - (point ? 1 : 0) > 0 else { return nil }
  guard let result = quotient(value, decimals) else { return slow(bytes, start, to) }
  return negative ? -result : result
}

/// The number that eight bytes write in decimal; nil when one of them is no digit.
@inline(__always) private func eightDigits(
  _ bytes: UnsafeBufferPointer<UInt8>, _ at: Int
) -> UInt64? {
  guard let start = bytes.baseAddress else { return nil }
  let word = UInt64(
    littleEndian: UnsafeRawPointer(start + at).loadUnaligned(as: UInt64.self))
  let high = word & 0xf0f0_f0f0_f0f0_f0f0
  let carried = (word &+ 0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0
  guard high | carried >> 4 == 0x3333_3333_3333_3333 else { return nil }
  // Neighbours join to numbers below 100, 10 000 and 100 000 000.
  var joined = ((word & 0x0f0f_0f0f_0f0f_0f0f) &* 2561) >> 8
  joined = ((joined & 0x00ff_00ff_00ff_00ff) &* 6_553_601) >> 16
  return ((joined & 0x0000_ffff_0000_ffff) &* 42_949_672_960_001) >> 32
}

/// Written out, so that reading it is not behind a lock.
private let powers: [UInt64] = [
  1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
  10_000_000_000, 100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000,
  1_000_000_000_000_000, 10_000_000_000_000_000, 100_000_000_000_000_000,
  1_000_000_000_000_000_000, 10_000_000_000_000_000_000,
]

/// `value / 10^decimals`, correctly rounded; nil when the power does not fit.
private func quotient(_ value: UInt64, _ decimals: Int) -> Double? {
  if value == 0 { return 0 }
  if decimals == 0 { return Double(value) }
  guard decimals <= 19 else { return nil }
  let power = powers[decimals]
  if value < 1 << 53 && decimals <= 15 { return Double(value) / Double(power) }
  // Both with the top bit set, so that the quotient has 64 bits or one more.
  let (up, down) = (value.leadingZeroBitCount, power.leadingZeroBitCount)
  let numerator = value << UInt64(up)
  let divisor = power << UInt64(down)
  // numerator / divisor is in (1/2, 2): halve the numerator to keep the quotient below 2^64.
  let (whole, rest) = divisor.dividingFullWidth((numerator >> 1, numerator << 63))
  // The last bit stands for all that follow, so that the conversion rounds the right way.
  let sticky = whole | (rest == 0 ? 0 : 1)
  let scale = Double(bitPattern: UInt64(1023 + down - up - 63) << 52)
  return Double(sticky) * scale
}

private func slow(_ bytes: UnsafeBufferPointer<UInt8>, _ from: Int, _ to: Int) -> Double? {
  guard to > from, to - from < 400 else { return nil }
  let first = bytes[from]
  // No "nan", "inf" or hexadecimal.
  guard first == 43 || first == 45 || first == 46 || (48...57).contains(first) else { return nil }
  let allowed = bytes[from..<to].allSatisfy {
    (48...57).contains($0) || [43, 45, 46, 69, 101].contains($0)
  }
  guard allowed else { return nil }
  return Double(String(decoding: bytes[from..<to], as: UTF8.self))
}
