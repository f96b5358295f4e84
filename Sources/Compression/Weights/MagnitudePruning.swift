public import Tensors

/// Which weights are set to zero because they are small.
public struct MagnitudePruning: Sendable {
  /// How weights are compared.
  public enum Scope: String, Hashable, Codable, Sendable, CaseIterable {
    /// With all weights of the network, each as a share of its layer: its square over the sum of the squares of
    /// those that are as large or larger. The largest of a layer then count 1, so that no layer is emptied,
    /// however small its numbers are.
    ///
    /// Source: J. Lee and others, *Layer-Adaptive Sparsity for the Magnitude-Based Pruning*, ICLR 2021,
    /// section 3 <https://arxiv.org/abs/2010.07611>.
    case adaptive
    /// With all weights of the network as they are. What batch norms were folded into is scaled as they were, and
    /// layers may lose everything.
    case global
    /// With those of the same layer.
    case layer
    /// Two of every four neighbours stay, whatever the share asked for.
    case twoOfFour
  }

  /// The share of weights to drop, from 0 to below 1.
  public var sparsity: Double
  /// How weights are compared.
  public var scope: Scope

  /// A pruning as given.
  public init(sparsity: Double, scope: Scope = .adaptive) {
    self.sparsity = sparsity
    self.scope = scope
  }

  /// For every tensor which weights stay; of equal ones the earlier stay, tensors in order.
  public func kept(_ tensors: [Tensor]) -> [[Bool]] {
    let values = tensors.map(\.floats)
    switch scope {
    case .twoOfFour: return values.map(Self.twoOfFour)
    case .layer:
      return values.map { Self.largest(of: [$0], Self.sorted($0), count: wanted($0.count))[0] }
    case .adaptive:
      let sorted = values.map(Self.sorted)
      let counts = Self.adaptive(sorted, count: wanted(values.reduce(0) { $0 + $1.count }))
      return values.indices.map { Self.largest(of: [values[$0]], sorted[$0], count: counts[$0])[0] }
    case .global:
      let all = Array(values.joined())
      return Self.largest(of: values, Self.sorted(all), count: wanted(all.count))
    }
  }

  /// How many of `count` weights stay, one at least: a tensor of nothing but zeros could not be stored.
  private func wanted(_ count: Int) -> Int { max(1, count - Int(Double(count) * sparsity)) }

  /// How large numbers are, the largest first.
  private static func sorted(_ values: [Float]) -> [Float] {
    values.map { $0.magnitude }.sorted(by: >)
  }

  /// How many of each tensor's weights stay, the largest ones, when all are compared as shares, given how
  /// large they are.
  private static func adaptive(_ sorted: [[Float]], count wanted: Int) -> [Int] {
    // Shares are ordered as the weights are.
    let shares = sorted.map { tensor in
      var sum = 0.0
      return tensor.map { magnitude -> Double in
        let square = Double(magnitude) * Double(magnitude)
        sum += square
        return sum > 0 ? square / sum : 0
      }
    }
    /// How many shares of a tensor are `limit` or more.
    func count(_ shares: [Double], from limit: Double) -> Int {
      var (low, high) = (0, shares.count)
      while low < high {
        let middle = (low + high) / 2
        if shares[middle] >= limit { low = middle + 1 } else { high = middle }
      }
      return low
    }
    func counts(from limit: Double) -> [Int] { shares.map { count($0, from: limit) } }
    // The largest limit that keeps as many as wanted: numbers from 0 to 1 are ordered as their bits are.
    var (low, high) = (0 as UInt64, (1.0).bitPattern + 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      let kept = counts(from: Double(bitPattern: middle)).reduce(0, +)
      if kept >= wanted { low = middle } else { high = middle }
    }
    // Of those at the limit the earlier tensors' stay.
    let limit = Double(bitPattern: low)
    var found = counts(from: limit.nextUp)
    var left = wanted - found.reduce(0, +)
    for (i, own) in counts(from: limit).enumerated() {
      let more = min(left, own - found[i])
      found[i] += more
      left -= more
    }
    return found.map { max(1, $0) }
  }

  /// The largest of all tensors together, whose magnitudes are sorted already.
  private static func largest(
    of values: [[Float]], _ magnitudes: [Float], count wanted: Int
  ) -> [[Bool]] {
    guard wanted < magnitudes.count else { return values.map { $0.map { _ in true } } }
    let limit = magnitudes[wanted - 1]
    let above = magnitudes.firstIndex(of: limit) ?? 0
    var ties = wanted - above
    return values.map { tensor in
      var kept = tensor.map { value -> Bool in
        if value.magnitude == limit, ties > 0 {
          ties -= 1
          return true
        }
        return value.magnitude > limit
      }
      if !kept.contains(true), !kept.isEmpty {
        let largest = tensor.indices.max { tensor[$0].magnitude < tensor[$1].magnitude } ?? 0
        kept[largest] = true
      }
      return kept
    }
  }

  private static func twoOfFour(_ values: [Float]) -> [Bool] {
    var kept = [Bool](repeating: true, count: values.count)
    for start in stride(from: 0, to: values.count / 4 * 4, by: 4) {
      let order = (start..<start + 4).sorted {
        (values[$1].magnitude, $0) < (values[$0].magnitude, $1)
      }
      for i in order.suffix(2) { kept[i] = false }
    }
    return kept
  }
}
