/// What the next byte of a model's names and structure may be.
///
/// Names repeat: where the last four bytes were seen before, the byte that followed is expected, and one bit says
/// whether it comes, by how long that has been right. Otherwise the byte before is what it depends on.
///
/// Source: C. Bloom, *LZP: A New Data Compression Algorithm*, Data Compression Conference 1996.
struct TextModel {
  private var history: [UInt8] = []
  /// Where the bytes went on that had a hash last; -1 where none had.
  private var places = [Int](repeating: -1, count: 1 << 16)
  /// What is expected, as a place in the history, and for how many bytes that has been right.
  private var place = -1
  private var length = 0
  private var hits = SymbolModel(bits: 1, contexts: longest + 1)
  private var bytes = SymbolModel(bits: 8, contexts: 256)

  private static let longest = 31

  private var last: Int { Int(history.last ?? 0) }

  /// Codes a byte.
  mutating func encode(_ byte: UInt8, _ encoder: inout AdaptiveEncoder) {
    if place >= 0 {
      let isHit = history[place] == byte
      encoder.encode(isHit ? 1 : 0, &hits, context: length)
      if isHit { return learn(byte) }
    }
    encoder.encode(byte, &bytes, context: last)
    learn(byte)
  }

  /// The next byte.
  mutating func decode(_ decoder: inout AdaptiveDecoder) -> UInt8 {
    let byte: UInt8
    if place >= 0, decoder.decode(&hits, context: length) == 1 {
      byte = history[place]
    } else {
      byte = decoder.decode(&bytes, context: last)
    }
    learn(byte)
    return byte
  }

  private mutating func learn(_ byte: UInt8) {
    if place >= 0, history[place] == byte {
      place += 1
      length = min(length + 1, Self.longest)
    } else {
      place = -1
      length = 0
    }
    history.append(byte)
    guard history.count >= 4 else { return }
    let four = history.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let hash = Int((four &* 0x9e37_79b1) >> 16)
    if place < 0 { place = places[hash] }
    places[hash] = history.count
  }
}
