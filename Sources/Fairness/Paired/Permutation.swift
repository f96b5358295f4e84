/// Tests by exchanging what would be exchangeable if nothing had happened.
///
/// Every p-value counts the data itself among the draws, so none is ever 0.
///
/// Source: B. Phipson, G. Smyth, *Permutation P-values Should Never Be Zero*, Statistical
/// Applications in Genetics and Molecular Biology 9 (2010) 39.
public enum Permutation {
  /// Whether two groups changed alike: exchanges rows between the groups.
  ///
  /// Tests `change(a) = change(b)`; unlike a test of no change it allows both to have moved. A draw
  /// places every flip in one of the two groups, in proportion to the places left. Above 5000
  /// flips the exchange's exact variance and the normal distribution take the draws' place.
  public static func equalChange(
    _ a: PairedChange, _ b: PairedChange, draws: Int = 1999, seed: UInt64 = 0
  ) -> Double {
    let (gained, lost) = (Int(a.gained + b.gained), Int(a.lost + b.lost))
    let observed = abs(a.value - b.value)
    if gained + lost > 5000 {
      let all = a.rows + b.rows
      let mean = Double(gained - lost) / all
      let variance =
        (Double(gained + lost) - all * mean * mean) / (all - 1) * (1 / a.rows + 1 / b.rows)
      return Normal.complementaryError(observed / (2 * variance).squareRoot())
    }
    let extreme = onAllCores((draws + 63) / 64) { block in
      (block * 64..<min(draws, block * 64 + 64)).reduce(0) { count, draw in
        var random = Random(seed: seed, stream: UInt64(draw))
        var left = (a: a.rows, all: a.rows + b.rows)
        var net = (a: 0.0, b: 0.0)
        for flip in 0..<gained + lost {
          let step = flip < gained ? 1.0 : -1.0
          if random.uniform() * left.all < left.a {
            net.a += step
            left.a -= 1
          } else {
            net.b += step
          }
          left.all -= 1
        }
        return count + (abs(net.a / a.rows - net.b / b.rows) >= observed * (1 - 1e-12) ? 1 : 0)
      }
    }.reduce(0, +)
    return Double(1 + extreme) / Double(1 + draws)
  }

  /// Whether anything changed at all: turns flips round at random.
  ///
  /// Tests that lost and gained are equally likely in every cell; exact given the flips.
  /// - Parameters:
  ///   - changes: The changes whose weighted sum is tested.
  ///   - weights: The weight of every change: 1 and -1 test a drift between two groups.
  ///   - draws: The number of random turns.
  ///   - seed: Where the random sequence starts.
  /// - Returns: The p-value, at least `1 / (1 + draws)`.
  public static func noChange(
    _ changes: [PairedChange], weights: [Double], draws: Int = 1999, seed: UInt64 = 0
  ) -> Double {
    precondition(changes.count == weights.count, "every change needs a weight")
    let observed = abs(zip(changes, weights).reduce(0) { $0 + $1.0.value * $1.1 })
    let extreme = onAllCores((draws + 63) / 64) { block in
      (block * 64..<min(draws, block * 64 + 64)).reduce(0) { count, draw in
        var random = Random(seed: seed, stream: UInt64(draw))
        var sum = 0.0
        for (change, weight) in zip(changes, weights) {
          let flips = Int(change.gained + change.lost)
          let gained = random.binomial(flips, 0.5)
          sum += weight * Double(2 * gained - flips) / change.rows
        }
        return count + (abs(sum) >= observed * (1 - 1e-12) ? 1 : 0)
      }
    }.reduce(0, +)
    return Double(1 + extreme) / Double(1 + draws)
  }

  /// Whether two groups changed alike, when rows come in clusters: exchanges whole clusters.
  ///
  /// - Parameters:
  ///   - clusters: For every cluster the net change, the rows, and whether it is of group `b`.
  ///   - draws: The number of random exchanges.
  ///   - seed: Where the random sequence starts.
  /// - Returns: The p-value, at least `1 / (1 + draws)`.
  public static func equalChange(
    clusters: [(change: Double, rows: Double, inB: Bool)], draws: Int = 1999, seed: UInt64 = 0
  ) -> Double {
    @Sendable func statistic(_ inB: [Bool]) -> Double {
      var (a, b) = ((change: 0.0, rows: 0.0), (change: 0.0, rows: 0.0))
      for (i, cluster) in clusters.enumerated() {
        if inB[i] {
          b = (b.change + cluster.change, b.rows + cluster.rows)
        } else {
          a = (a.change + cluster.change, a.rows + cluster.rows)
        }
      }
      guard a.rows > 0, b.rows > 0 else { return 0 }
      // Studentised: clusters of the groups may differ in size, and then only a statistic in
      // units of its own error has the same spread under every exchange.
      let (meanA, meanB) = (a.change / a.rows, b.change / b.rows)
      var squares = (a: 0.0, b: 0.0)
      for (i, cluster) in clusters.enumerated() {
        let isB = inB[i]
        let residual = cluster.change - (isB ? meanB : meanA) * cluster.rows
        if isB { squares.b += residual * residual } else { squares.a += residual * residual }
      }
      let variance = squares.a / (a.rows * a.rows) + squares.b / (b.rows * b.rows)
      return variance > 0 ? abs(meanA - meanB) / variance.squareRoot() : 0
    }
    let members = clusters.map(\.inB)
    let observed = statistic(members)
    let extreme = onAllCores((draws + 15) / 16) { block in
      (block * 16..<min(draws, block * 16 + 16)).reduce(0) { count, draw in
        var random = Random(seed: seed, stream: UInt64(draw))
        var shuffled = members
        for i in stride(from: shuffled.count - 1, to: 0, by: -1) {
          shuffled.swapAt(i, random.below(i + 1))
        }
        return count + (statistic(shuffled) >= observed * (1 - 1e-12) ? 1 : 0)
      }
    }.reduce(0, +)
    return Double(1 + extreme) / Double(1 + draws)
  }
}
