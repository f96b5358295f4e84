/// How likely each bit of a symbol is to be set, learned while symbols come.
///
/// A symbol is coded from its highest bit down; what a bit is like depends on the bits above it and on a context.
/// Each such place keeps two estimates, one that follows the last few dozen bits and one that follows the last
/// few hundred, and uses their mean.
struct SymbolModel: Sendable {
  /// The width of a symbol.
  let bits: Int
  /// Estimates that the next bit is set, in 2⁻¹⁶: fast, then slow, for every context and place.
  private var estimates: [(fast: UInt16, slow: UInt16)]

  /// A model that knows nothing of symbols of `bits` bits, 1 to 8, in so many contexts.
  init(bits: Int, contexts: Int = 1) {
    self.bits = bits
    estimates = Array(repeating: (1 << 15, 1 << 15), count: contexts << bits)
  }

  /// The place of a symbol's first bit in a context.
  fileprivate func root(of context: Int) -> Int { context << bits }

  /// The probability of a set bit, never quite 0 or 1.
  fileprivate func probability(at place: Int) -> UInt32 {
    let (fast, slow) = estimates[place]
    return min(max((UInt32(fast) + UInt32(slow)) >> 1, 32), (1 << 16) - 32)
  }

  fileprivate mutating func learn(_ isSet: Bool, at place: Int) {
    if isSet {
      estimates[place].fast += (.max - estimates[place].fast) >> 5
      estimates[place].slow += (.max - estimates[place].slow) >> 9
    } else {
      estimates[place].fast -= estimates[place].fast >> 5
      estimates[place].slow -= estimates[place].slow >> 9
    }
  }
}

/// Codes bits of known probability as the digits of a number: a binary arithmetic coder.
///
/// Between two bounds, each bit keeps the part that is its own; leading bytes that both bounds have in common are
/// written.
///
/// Source: J. Rissanen, G. Langdon, *Arithmetic Coding*, IBM Journal of Research and Development 23 (2), 1979;
/// the estimates, M. Mahoney, *Adaptive Weighing of Context Models for Lossless Data Compression*, 2005.
struct AdaptiveEncoder {
  private(set) var bytes: [UInt8] = []
  private var low: UInt32 = 0
  private var high: UInt32 = .max

  /// Codes a symbol and lets the model learn it.
  mutating func encode(_ symbol: UInt8, _ model: inout SymbolModel, context: Int = 0) {
    let root = model.root(of: context)
    var place = 1
    for bit in (0..<model.bits).reversed() {
      let isSet = symbol >> UInt8(bit) & 1 == 1
      let probability = model.probability(at: root + place)
      let middle = low + UInt32((UInt64(high - low) * UInt64(probability)) >> 16)
      if isSet { high = middle } else { low = middle + 1 }
      while (low ^ high) >> 24 == 0 {
        bytes.append(UInt8(high >> 24))
        low <<= 8
        high = high << 8 | 255
      }
      model.learn(isSet, at: root + place)
      place = 2 * place + (isSet ? 1 : 0)
    }
  }

  /// Writes what tells the last symbols apart from all others.
  mutating func finish() {
    for shift in [24, 16, 8, 0] as [UInt32] {
      bytes.append(UInt8(truncatingIfNeeded: low >> shift))
    }
  }
}

/// Reads what ``AdaptiveEncoder`` wrote, given models that know the same.
struct AdaptiveDecoder {
  private let bytes: [UInt8]
  /// The next byte to read.
  private(set) var next: Int
  private var low: UInt32 = 0
  private var high: UInt32 = .max
  private var number: UInt32 = 0
  /// Whether bytes were missing; symbols mean nothing from then on.
  private(set) var isShort = false

  /// Starts at a byte.
  init(_ bytes: [UInt8], from start: Int) {
    self.bytes = bytes
    next = start
    for _ in 0..<4 { number = number << 8 | UInt32(byte()) }
  }

  private mutating func byte() -> UInt8 {
    guard next < bytes.count else {
      isShort = true
      return 0
    }
    next += 1
    return bytes[next - 1]
  }

  /// The next symbol, which the model learns.
  mutating func decode(_ model: inout SymbolModel, context: Int = 0) -> UInt8 {
    let root = model.root(of: context)
    var place = 1
    for _ in 0..<model.bits {
      let probability = model.probability(at: root + place)
      let middle = low + UInt32((UInt64(high - low) * UInt64(probability)) >> 16)
      let isSet = number <= middle
      if isSet { high = middle } else { low = middle + 1 }
      while (low ^ high) >> 24 == 0 {
        low <<= 8
        high = high << 8 | 255
        number = number << 8 | UInt32(byte())
      }
      model.learn(isSet, at: root + place)
      place = 2 * place + (isSet ? 1 : 0)
    }
    return UInt8(truncatingIfNeeded: place - 1 << model.bits)
  }
}
