import Foundation

/// A small, fast, seeded generator whose whole state is one number.
///
/// Equal seeds give equal sequences on every platform; the state can be saved and resumed.
///
/// Source: G. Steele, D. Lea, C. Flood, *Fast Splittable Pseudorandom Number Generators*,
/// OOPSLA 2014. <https://doi.org/10.1145/2660193.2660195>
public struct SplitMix64: RandomNumberGenerator, Hashable, Codable, Sendable {
  /// Where the sequence is.
  public private(set) var state: UInt64

  /// A generator that starts at `seed`.
  public init(seed: UInt64) { state = seed }

  /// Generator number `stream` of a family: streams of one seed do not resemble each other.
  ///
  /// For work that is split over rows or threads and must not depend on the split.
  public init(seed: UInt64, stream: UInt64) {
    var root = SplitMix64(seed: seed)
    var leaf = SplitMix64(seed: root.next() ^ (stream &* 0xd134_2543_de82_ef95))
    state = leaf.next()
  }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// A number from 0 up to but not including 1, with 53 random bits.
  public mutating func uniform() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// A number from `range.lowerBound` up to `range.upperBound`.
  public mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
  }

  /// A whole number from 0 up to but not including `bound`.
  public mutating func below(_ bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A number from the standard normal distribution.
  ///
  /// Box and Muller's transform, one number for two uniform ones.
  public mutating func normal() -> Double {
    let radius = (-2 * Foundation.log(1 - uniform())).squareRoot()
    return radius * Foundation.cos(2 * .pi * uniform())
  }

  /// Shuffles `items` in place (Fisher and Yates), the same way on every platform.
  public mutating func shuffle<Item>(_ items: inout [Item]) {
    for i in stride(from: items.count - 1, to: 0, by: -1) { items.swapAt(i, below(i + 1)) }
  }
}
