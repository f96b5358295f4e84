/// The values of a statistic on many resamples, and the intervals that are read from them.
public struct Replicates: Sendable {
  /// The values in ascending order; resamples on which the statistic was undefined are left out.
  public let sorted: [Double]
  /// How many resamples there were.
  public let draws: Int

  /// The replicates `values`, of which some may be undefined (not a number).
  public init(_ values: [Double]) {
    draws = values.count
    sorted = values.filter { !$0.isNaN }.sorted()
  }

  /// The share of resamples on which the statistic was undefined.
  public var undefinedShare: Double {
    draws == 0 ? 1 : Double(draws - sorted.count) / Double(draws)
  }

  /// The value below which a share `p` of the replicates lies, interpolated as NumPy does.
  public func quantile(_ p: Double) -> Double {
    guard let last = sorted.indices.last else { return .nan }
    let place = min(1, max(0, p)) * Double(last)
    let below = Int(place)
    let rest = place - Double(below)
    return rest > 0 ? sorted[below] + (sorted[below + 1] - sorted[below]) * rest : sorted[below]
  }

  /// The percentile interval; nil when the statistic was never defined.
  public func percentile(confidence: Double = 0.95) -> Interval? {
    if sorted.isEmpty { return nil }
    let tail = (1 - confidence) / 2
    return Interval(quantile(tail), quantile(1 - tail))
  }

  /// The bias-corrected and accelerated interval; nil when the statistic was never defined.
  ///
  /// - Parameters:
  ///   - estimate: The statistic on the data itself.
  ///   - acceleration: How its standard error changes with its value, from a jackknife.
  ///   - confidence: The confidence of the interval.
  /// - Returns: The interval.
  ///
  /// Source: B. Efron, *Better Bootstrap Confidence Intervals*, JASA 82 (1987) 171-185.
  public func accelerated(
    estimate: Double, acceleration: Double, confidence: Double = 0.95
  ) -> Interval? {
    guard let first = sorted.first, let last = sorted.last else { return nil }
    if first == last { return Interval(first, last) }
    let below = sorted.reduce(0.0) { $0 + ($1 < estimate ? 1 : $1 == estimate ? 0.5 : 0) }
    let count = Double(sorted.count)
    let share = min(max(below / count, 0.5 / count), 1 - 0.5 / count)
    let bias = Normal.quantile(share)
    func level(_ z: Double) -> Double {
      let sum = bias + z
      return Normal.cumulative(bias + sum / (1 - acceleration * sum))
    }
    let z = Normal.reach(confidence)
    return Interval(quantile(level(-z)), quantile(level(z)))
  }

  /// Efron's acceleration from leave-one-out values that each stand for `weight` equal rows.
  public static func acceleration(_ leftOut: [(value: Double, weight: Double)]) -> Double {
    let known = leftOut.filter { !$0.value.isNaN && $0.weight > 0 }
    let total = known.reduce(0) { $0 + $1.weight }
    guard total > 0 else { return 0 }
    let mean = known.reduce(0) { $0 + $1.value * $1.weight } / total
    var (squares, cubes) = (0.0, 0.0)
    for (value, weight) in known {
      let distance = mean - value
      squares += weight * distance * distance
      cubes += weight * distance * distance * distance
    }
    return squares > 0 ? cubes / (6 * squares * squares.squareRoot()) : 0
  }
}

/// How new data is drawn from the data there is.
public enum Resampling: String, Hashable, Codable, Sendable, CaseIterable {
  /// Rows, any of them, with replacement.
  case rows
  /// Rows within their group and label, whose numbers stay as they are.
  case stratified
  /// Every row a Poisson number of times: what a stream can do in one pass.
  case poisson
  /// Cell probabilities within group and label from their posterior under Jeffreys' prior.
  ///
  /// Unlike a bootstrap it does not conclude from no flip in a thousand rows that none is possible.
  case posterior
}

/// Draws tables of counts as resampling rows would, without touching rows.
///
/// Rows of one cell are alike, so a resample of a million rows is a multinomial draw over its few
/// distinct cells: exact, and independent of the number of rows.
struct CellResampler: Sendable {
  /// The cells, four to a stratum.
  var strata: [SIMD4<Double>]
  var scheme: Resampling

  /// One resampled table.
  func draw(using random: inout Random) -> [SIMD4<Double>] {
    switch scheme {
    case .rows:
      let flat = strata.flatMap { stratum in (0..<4).map { stratum[$0] } }
      let drawn = random.multinomial(Int(flat.reduce(0, +).rounded()), flat)
      return strata.indices.map { i in
        SIMD4((0..<4).map { Double(drawn[4 * i + $0]) })
      }
    case .stratified:
      return strata.map { stratum in
        SIMD4(
          random.multinomial(Int(stratum.sum().rounded()), (0..<4).map { stratum[$0] })
            .map(Double.init))
      }
    case .poisson:
      return strata.map { stratum in
        SIMD4((0..<4).map { Double(random.poisson(stratum[$0])) })
      }
    case .posterior:
      return strata.map { stratum in
        let total = stratum.sum()
        guard total > 0 else { return stratum }
        let weights = SIMD4((0..<4).map { random.gamma(stratum[$0] + 0.5) })
        return weights * (total / weights.sum())
      }
    }
  }
}

/// The replicates of several statistics at once: `statistics` of every resample, by statistic.
///
/// Resample `i` has a random stream of its own, so the result does not depend on the cores.
func replicates(
  _ count: Int, seed: UInt64, of statistics: Int,
  _ draw: @Sendable (inout Random) -> [Double]
) -> [Replicates] {
  let block = 16
  let rows = onAllCores((count + block - 1) / block) { part in
    (part * block..<min(count, (part + 1) * block)).map { i in
      var random = Random(seed: seed, stream: UInt64(i))
      return draw(&random)
    }
  }.flatMap(\.self)
  return onAllCores(statistics) { statistic in Replicates(rows.map { $0[statistic] }) }
}
