/// Gives every distinct text a number, in order of appearance.
///
/// Open addressing over the bytes' hash; the last text is tried first, since rows often repeat it.
struct Names {
  private(set) var texts: [String] = []
  private var arena: [UInt8] = []
  private var ends: [Int] = [0]
  private var hashes: [UInt64] = []
  private var table: [Int32] = .init(repeating: -1, count: 64)
  private var last = 0

  /// The number of the text in a field.
  mutating func number(of field: Field, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    if !hashes.isEmpty && equals(last, field, bytes) { return last }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for i in field.start..<field.end { hash = (hash ^ UInt64(bytes[i])) &* 0x100_0000_01b3 }
    hash ^= hash >> 32
    var slot = Int(truncatingIfNeeded: hash) & (table.count - 1)
    while table[slot] >= 0 {
      let number = Int(table[slot])
      if hashes[number] == hash && equals(number, field, bytes) {
        last = number
        return number
      }
      slot = (slot + 1) & (table.count - 1)
    }
    last = hashes.count
    table[slot] = Int32(truncatingIfNeeded: last)
    hashes.append(hash)
    arena += bytes[field.start..<field.end]
    ends.append(arena.count)
    texts.append(RowParser.text(field, bytes))
    if hashes.count * 2 > table.count { grow() }
    return last
  }

  private func equals(
    _ number: Int, _ field: Field, _ bytes: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    let (from, to) = (ends[number], ends[number + 1])
    guard to - from == field.end - field.start else { return false }
    for i in 0..<to - from where arena[from + i] != bytes[field.start + i] { return false }
    return true
  }

  private mutating func grow() {
    table = .init(repeating: -1, count: table.count * 2)
    for (number, hash) in hashes.enumerated() {
      var slot = Int(truncatingIfNeeded: hash) & (table.count - 1)
      while table[slot] >= 0 { slot = (slot + 1) & (table.count - 1) }
      table[slot] = Int32(truncatingIfNeeded: number)
    }
  }
}
