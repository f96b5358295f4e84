/// Copies of files with a few places changed.
public struct Damage<Random: RandomNumberGenerator> {
  private var random: Random
  private let start: [[UInt8]]

  /// Damage of `start`, as `random` has it.
  public init(_ random: Random, start: [[UInt8]]) {
    self.random = random
    self.start = start
  }

  /// The next damaged file.
  public mutating func next() -> [UInt8] {
    var bytes = start[below(start.count)]
    for _ in 0...below(6) where !bytes.isEmpty {
      let at = below(bytes.count)
      switch below(8) {
      case 0: bytes[at] ^= 1 << UInt8(below(8))
      case 1: bytes[at] = UInt8(truncatingIfNeeded: random.next())
      case 2: bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)]
      case 3: bytes.removeSubrange(at..<min(bytes.count, at + 1 + below(8)))
      case 4:
        let part = Array(bytes[at..<min(bytes.count, at + 1 + below(32))])
        bytes.insert(contentsOf: part, at: below(bytes.count + 1))
      case 5:
        // A part of this or another file over what is there.
        let other = start[below(start.count)]
        let from = below(other.count)
        let part = other[from..<min(other.count, from + 1 + below(32))]
        bytes.replaceSubrange(at..<min(bytes.count, at + part.count), with: part)
      case 6:
        // The largest numbers that a length, an extent or an offset can be.
        let numbers: [[UInt8]] = [
          Array(repeating: 0xff, count: 9) + [1], [0xff, 0xff, 0xff, 0xff, 7],
          [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0, 0, 0, 0, 0x80],
        ]
        let number = numbers[below(4)]
        bytes.replaceSubrange(at..<min(bytes.count, at + number.count), with: number)
      default: bytes.removeSubrange(at...)
      }
    }
    return bytes
  }

  private mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
}
