/// The SHA-256 digest of bytes that arrive in parts.
///
/// Names files in provenance records; not used for secrets.
///
/// Source: NIST FIPS 180-4, sections 4.1.2, 5.1.1 and 6.2.
public struct SHA256 {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var pending: [UInt8] = []
  private var length = 0

  /// The digest of nothing yet.
  public init() {}

  /// The lower-case hexadecimal digest of `bytes`.
  public static func hex(_ bytes: [UInt8]) -> String {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finish()
  }

  /// Takes in more bytes.
  public mutating func update(_ bytes: [UInt8]) {
    length += bytes.count
    var from = 0
    if !pending.isEmpty {
      from = min(64 - pending.count, bytes.count)
      pending += bytes[..<from]
      guard pending.count == 64 else { return }
      let block = pending
      compress(block.span, at: 0)
      pending.removeAll(keepingCapacity: true)
    }
    while from + 64 <= bytes.count {
      compress(bytes.span, at: from)
      from += 64
    }
    pending += bytes[from...]
  }

  /// Ends the message and returns the digest as 64 hexadecimal digits.
  public consuming func finish() -> String {
    let bits = UInt64(length) * 8
    var tail: [UInt8] = [0x80]
    while (pending.count + tail.count) % 64 != 56 { tail.append(0) }
    for shift in stride(from: 56, through: 0, by: -8) {
      tail.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }
    update(tail)
    return state.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  private mutating func compress(_ block: Span<UInt8>, at offset: Int) {
    var schedule = InlineArray<64, UInt32>(repeating: 0)
    let constants = Self.constants.span
    for i in 0..<16 {
      let at = offset + i * 4
      schedule[i] =
        UInt32(block[at]) << 24 | UInt32(block[at + 1]) << 16 | UInt32(block[at + 2]) << 8
        | UInt32(block[at + 3])
    }
    for i in 16..<64 {
      let a = schedule[i - 15]
      let b = schedule[i - 2]
      let small0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >> 3)
      let small1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >> 10)
      schedule[i] = schedule[i - 16] &+ small0 &+ schedule[i - 7] &+ small1
    }
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    for i in 0..<64 {
      let big1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      let t1 = h &+ big1 &+ ((e & f) ^ (~e & g)) &+ constants[i] &+ schedule[i]
      let big0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
      let t2 = big0 &+ ((a & b) ^ (a & c) ^ (b & c))
      (h, g, f, e, d, c, b, a) = (g, f, e, d &+ t1, c, b, a, t1 &+ t2)
    }
    for (i, word) in [a, b, c, d, e, f, g, h].enumerated() { state[i] &+= word }
  }

  private func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
    word >> count | word << (32 - count)
  }

  /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  private static let constants: [UInt32] = (0..<312).filter { n in
    n > 1 && !(2..<n).contains { $0 * $0 <= n && n % $0 == 0 }
  }.map { prime in
    // Integer cube root of prime * 2^96, kept to 32 fractional bits, by bisection: exact.
    var low: UInt64 = 0
    var high: UInt64 = 8 << 32
    while high - low > 1 {
      let middle = (low + high) / 2
      let square = middle.multipliedFullWidth(by: middle)
      let product = cubeExceeds(square, middle, UInt64(prime) << 32)
      if product { high = middle } else { low = middle }
    }
    return UInt32(truncatingIfNeeded: low)
  }

  /// Whether `square * factor` (at most 105 bits) is above `bound * 2^64`.
  private static func cubeExceeds(
    _ square: (high: UInt64, low: UInt64), _ factor: UInt64, _ bound: UInt64
  ) -> Bool {
    let low = square.low.multipliedFullWidth(by: factor)
    let high = square.high &* factor
    let top = high &+ low.high
    return top > bound || (top == bound && low.low > 0)
  }
}
