/// What a gap's size would be on average if no group differed and only chance spoke.
struct NullExpectation: Sendable {
  /// Standard normal numbers: for every draw two a group, empty for two groups.
  private let normals: [Double]
  private let groups: Int
  private let draws: Int

  /// Prepares for gaps between up to `groups` groups.
  ///
  /// All kinds of gaps use the same draws. The widest of many groups varies little, so that more
  /// than 250 groups take fewer of them.
  init(groups: Int) {
    self.groups = groups
    guard groups > 2 else {
      (normals, draws) = ([], 0)
      return
    }
    let draws = max(500, min(4000, 1_000_000 / groups))
    let width = 2 * groups
    let blocks = onAllCores((draws + 99) / 100) { block in
      var random = Random(seed: 0x6e75_6c6c, stream: UInt64(block))
      return (0..<min(100, draws - block * 100) * width).map { _ in random.normal() }
    }
    self.draws = draws
    normals = blocks.flatMap(\.self)
  }

  /// The expected size, from the standard error of every group, one list a component.
  ///
  /// With `hasReference` the first group is the reference. Two groups have a closed form: a normal
  /// difference of standard deviation `s` has the mean size `s √(2/π)`, and because
  /// `max(|x|, |y|) = (|x - y| + |x + y|) / 2` so has the larger of two. For more groups the mean
  /// over 4000 seeded draws, good to about one part in a hundred.
  func size(of kind: GapKind, errors: [[Double]], hasReference: Bool) -> Double {
    guard let count = errors.first?.count, count > 1 else { return 0 }
    if count == 2 {
      let squares = errors.map { $0[0] * $0[0] + $0[1] * $0[1] }
      let mean = 0.7978845608028654
      switch kind.joining {
      case .mean: return mean * squares.reduce(0, +).squareRoot() / 2
      case .meanOfSizes: return mean * squares.reduce(0) { $0 + $1.squareRoot() } / 2
      default: return mean * squares.reduce(0, +).squareRoot()
      }
    }
    precondition(count <= groups, "\(count) groups, prepared for \(groups)")
    var values = errors
    var sum = 0.0
    for draw in 0..<draws {
      let start = draw * 2 * groups
      for part in errors.indices {
        for group in 0..<count {
          values[part][group] = errors[part][group] * normals[start + part * groups + group]
        }
      }
      sum += Self.largest(kind, values, hasReference)
    }
    return sum / Double(draws)
  }

  private static func largest(
    _ kind: GapKind, _ values: [[Double]], _ hasReference: Bool
  ) -> Double {
    func spread(_ one: [Double]) -> Double {
      if hasReference { return one.reduce(0) { max($0, abs($1 - one[0])) } }
      var (low, high) = (one[0], one[0])
      for value in one {
        low = min(low, value)
        high = max(high, value)
      }
      return high - low
    }
    switch kind.joining {
    case .mean:
      return spread(zip(values[0], values[1]).map { ($0 + $1) / 2 })
    case .meanOfSizes:
      var widest = 0.0
      for a in values[0].indices {
        for b in hasReference ? 0..<1 : 0..<a {
          let size = abs(values[0][a] - values[0][b]) + abs(values[1][a] - values[1][b])
          widest = max(widest, size / 2)
        }
      }
      return widest
    default: return values.reduce(0) { max($0, spread($1)) }
    }
  }
}
