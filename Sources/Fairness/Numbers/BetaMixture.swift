/// Several beta distributions, of which a share is drawn from one.
struct BetaMixture: Sendable {
  /// One distribution; the weights of all sum to 1.
  struct Part: Sendable {
    var a: Double
    var b: Double
    var weight: Double

    var mean: Double { a / (a + b) }
    var variance: Double { mean * (1 - mean) / (a + b + 1) }
  }

  var parts: [Part]

  var mean: Double { parts.reduce(0) { $0 + $1.weight * $1.mean } }

  private var variance: Double {
    let mean = self.mean
    return parts.reduce(0) { sum, part in
      let distance = part.mean - mean
      return sum + part.weight * (part.variance + distance * distance)
    }
  }

  /// The share of the distribution below `x`.
  func cumulative(_ x: Double) -> Double {
    parts.reduce(0) { $0 + $1.weight * Beta.cumulative(x, $1.a, $1.b) }
  }

  /// The value below which a share `p` of the distribution lies, to nine digits of `p`.
  ///
  /// It lies near that of the beta distribution with the same mean and variance. From there secants
  /// lead on, inside a bracket that is halved where they leave it.
  func quantile(_ p: Double) -> Double {
    let (mean, variance) = (mean, max(variance, 1e-300))
    let rows = max(mean * (1 - mean) / variance - 1, 1e-6)
    var x = Beta.quantile(p, mean * rows, (1 - mean) * rows)
    var (low, high) = (0.0, 1.0)
    var (last, excessAtLast) = (Double.nan, Double.nan)
    for _ in 0..<200 {
      let excess = cumulative(x) - p
      if abs(excess) < 1e-10 || high - low < 1e-15 { break }
      if excess > 0 { high = x } else { low = x }
      var next = x - excess * (x - last) / (excess - excessAtLast)
      if excessAtLast.isNaN {
        let step = 0.05 * variance.squareRoot()
        next = excess > 0 ? x - step : x + step
      }
      if !(next > low && next < high) { next = (low + high) / 2 }
      (last, excessAtLast, x) = (x, excess, next)
    }
    return x
  }
}
