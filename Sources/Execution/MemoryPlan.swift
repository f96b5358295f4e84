/// Where in one arena every array of a program lies, so that arrays in use never overlap.
///
/// Larger arrays are placed first, each into the smallest gap that fits between those whose
/// lifetimes meet its own.
///
/// Source: Y. Pisarchyk, J. Lee, *Efficient Memory Management for Deep Neural Net Inference*,
/// 2020, section 5.1 (greedy by size). <https://arxiv.org/abs/2001.03288>
public struct MemoryPlan: Hashable, Sendable {
  /// An array and the steps between which it is needed.
  public struct Item: Hashable, Sendable {
    /// The length in bytes.
    public var byteCount: Int
    /// The steps that write or read the array, from the first to the last.
    public var lifetime: ClosedRange<Int>

    /// An array of `byteCount` bytes that is needed during `lifetime`.
    public init(byteCount: Int, lifetime: ClosedRange<Int>) {
      self.byteCount = byteCount
      self.lifetime = lifetime
    }
  }

  /// The first byte of every item, in the order the items were given.
  public let offsets: [Int]
  /// The length of the arena.
  public let byteCount: Int

  /// Places `items` at multiples of `alignment`.
  public init(_ items: [Item], alignment: Int = 64) {
    var offsets = Array(repeating: 0, count: items.count)
    var placed: [Int] = []
    var end = 0
    let lengths = items.map { ($0.byteCount + alignment - 1) / alignment * alignment }
    let order = items.indices.sorted { (lengths[$0], $1) > (lengths[$1], $0) }
    for item in order where lengths[item] > 0 {
      let neighbours = placed.filter { items[$0].lifetime.overlaps(items[item].lifetime) }
        .sorted { offsets[$0] < offsets[$1] }
      var best: (offset: Int, room: Int)?
      var free = 0
      for neighbour in neighbours {
        let room = offsets[neighbour] - free
        if room >= lengths[item], room < best?.room ?? .max { best = (free, room) }
        free = max(free, offsets[neighbour] + lengths[neighbour])
      }
      offsets[item] = best?.offset ?? free
      end = max(end, offsets[item] + lengths[item])
      placed.append(item)
    }
    self.offsets = offsets
    byteCount = end
  }
}
