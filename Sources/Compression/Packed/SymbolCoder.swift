/// An entropy coder for numbers of few bits that are independent of one another: range asymmetric numeral
/// systems.
///
/// Every symbol has a frequency of 2¹⁴ in all; a symbol of frequency `f` costs about `14 - log2 f` bits. The
/// state is a number of 32 bits, and what does not fit leaves it in whole bytes, last ones first, so that
/// decoding goes forwards.
///
/// Source: J. Duda, *Asymmetric numeral systems*, 2013, section 3 <https://arxiv.org/abs/1311.2540>.
struct SymbolCoder: Equatable, Sendable {
  /// The frequency of every symbol; they add up to ``total``, or all are zero where there is no symbol.
  let frequencies: [UInt16]
  /// What frequencies add up to.
  static let total = 1 << precision

  private static let precision: UInt32 = 14
  /// The least state between symbols.
  private static let lowest: UInt32 = 1 << 23

  /// A coder with the frequencies of `symbols`, all below `count`, which is 256 at most.
  init(of symbols: [UInt8], count: Int) {
    var counts = [Int](repeating: 0, count: count)
    for symbol in symbols { counts[Int(symbol)] += 1 }
    let share = Double(Self.total) / Double(max(1, symbols.count))
    var frequencies = counts.map { $0 == 0 ? 0 : max(1, Int((Double($0) * share).rounded())) }
    // Rounding leaves a few too many or too few: the most frequent symbols notice least.
    var excess = symbols.isEmpty ? 0 : frequencies.reduce(0, +) - Self.total
    while excess != 0,
      let largest = frequencies.indices.max(by: { frequencies[$0] < frequencies[$1] })
    {
      let change = min(excess, max(1, frequencies[largest] / 2))
      frequencies[largest] -= change
      excess -= change
    }
    self.frequencies = frequencies.map(UInt16.init)
  }

  /// A coder with known frequencies; `nil` where they do not add up.
  init?(frequencies: [UInt16]) {
    let sum = frequencies.reduce(0) { $0 + Int($1) }
    guard sum == Self.total || sum == 0, frequencies.count <= 256 else { return nil }
    self.frequencies = frequencies
  }

  private var starts: [UInt32] {
    var sum: UInt32 = 0
    return frequencies.map { frequency in
      sum += UInt32(frequency)
      return sum - UInt32(frequency)
    }
  }

  /// The bytes that `symbols`, of which each has a frequency, are decoded from.
  func encoded(_ symbols: [UInt8]) -> [UInt8] {
    let starts = starts
    var bytes: [UInt8] = []
    bytes.reserveCapacity(symbols.count / 2 + 4)
    var state = Self.lowest
    for symbol in symbols.reversed() {
      let (frequency, start) = (UInt32(frequencies[Int(symbol)]), starts[Int(symbol)])
      let most = UInt64(Self.lowest >> (Self.precision - 8)) * UInt64(frequency)
      while UInt64(state) >= most {
        bytes.append(UInt8(truncatingIfNeeded: state))
        state >>= 8
      }
      state = (state / frequency) << Self.precision + state % frequency + start
    }
    for _ in 0..<4 {
      bytes.append(UInt8(truncatingIfNeeded: state))
      state >>= 8
    }
    return bytes.reversed()
  }

  /// So many symbols out of `bytes`; `nil` where bytes are missing, are left or are not what was encoded.
  func decoded(_ bytes: ArraySlice<UInt8>, count: Int) -> [UInt8]? {
    guard bytes.count >= 4, count == 0 || frequencies.contains(where: { $0 > 0 }) else {
      return nil
    }
    let starts = starts
    // Which symbol a place among the frequencies belongs to.
    var symbols = [UInt8](repeating: 0, count: Self.total)
    for (symbol, frequency) in frequencies.enumerated() {
      for place in Int(starts[symbol])..<Int(starts[symbol]) + Int(frequency) {
        symbols[place] = UInt8(symbol)
      }
    }
    var next = bytes.startIndex
    var state: UInt32 = 0
    for _ in 0..<4 {
      state = state << 8 | UInt32(bytes[next])
      next += 1
    }
    guard state >= Self.lowest, state < Self.lowest << 8 else { return nil }
    var isWhole = true
    let found = [UInt8](unsafeUninitializedCapacity: count) { result, made in
      for i in 0..<count {
        let place = state & UInt32(Self.total - 1)
        let symbol = symbols[Int(place)]
        result.initializeElement(at: i, to: symbol)
        state =
          UInt32(frequencies[Int(symbol)]) * (state >> Self.precision) + place
          - starts[Int(symbol)]
        while state < Self.lowest {
          guard next < bytes.endIndex else {
            isWhole = false
            break
          }
          state = state << 8 | UInt32(bytes[next])
          next += 1
        }
        made = i + 1
        if !isWhole { break }
      }
    }
    return isWhole && next == bytes.endIndex && state == Self.lowest ? found : nil
  }
}
