/// The gamma function's logarithm and the beta and binomial distributions.
///
/// Probabilities of large counts are formed from deviances and Stirling errors, not from
/// differences of large logarithms, so that they keep twelve digits for a million trials.
///
/// Source: C. Loader, *Fast and Accurate Computation of Binomial Probabilities*, 2000 (deviances);
/// Abramowitz and Stegun 6.1.41 (Stirling's series), 26.5.8 (continued fraction).
enum Beta {
  /// `ln Γ(x)` for `x` above 0.
  static func logGamma(_ x: Double) -> Double {
    if x < 16 {
      var shift = 1.0
      var y = x
      while y < 16 {
        shift *= y
        y += 1
      }
      return logGamma(y) - logarithm(shift)
    }
    return (x - 0.5) * logarithm(x) - x + 0.9189385332046728 + stirlingTail(x)
  }

  /// What Stirling's formula for `ln Γ(x)` lacks, for `x` from 16.
  private static func stirlingTail(_ x: Double) -> Double {
    let s = 1 / (x * x)
    let inner = 1 / 1188.0 - s * (691 / 360360.0 - s / 156)
    return (1 / 12.0 - s * (1 / 360.0 - s * (1 / 1260.0 - s * (1 / 1680.0 - s * inner)))) / x
  }

  /// `ln n! - ln(√(2πn) (n/e)ⁿ)`.
  static func stirlingError(_ n: Double) -> Double {
    if n >= 16 { return stirlingTail(n) }
    if n == 0 { return 0 }
    return logGamma(n + 1) - (n + 0.5) * logarithm(n) + n - 0.9189385332046728
  }

  /// The deviance `x ln(x/m) + m - x`, without cancellation when the two are close.
  static func deviance(_ x: Double, _ m: Double) -> Double {
    if abs(x - m) < 0.1 * (x + m) {
      let v = (x - m) / (x + m)
      var sum = (x - m) * v
      var term = 2 * x * v
      for j in 1..<1000 {
        term *= v * v
        let next = sum + term / Double(2 * j + 1)
        if next == sum { break }
        sum = next
      }
      return sum
    }
    return x * logarithm(x / m) + m - x
  }

  /// `C(n, x) pˣ (1-p)ⁿ⁻ˣ`, also for numbers that are not whole.
  static func binomialProbability(_ x: Double, of n: Double, _ p: Double) -> Double {
    let q = 1 - p
    if x < 0 || x > n { return 0 }
    if p <= 0 { return x == 0 ? 1 : 0 }
    if q <= 0 { return x == n ? 1 : 0 }
    if x == 0 { return exponential(n * logarithmOnePlus(-p)) }
    if x == n { return exponential(n * logarithm(p)) }
    let exponent =
      stirlingError(n) - stirlingError(x) - stirlingError(n - x) - deviance(x, n * p)
      - deviance(n - x, n * q)
    return exponential(exponent) * (n / (6.283185307179586 * x * (n - x))).squareRoot()
  }

  /// The share of a beta distribution below `x` (the regularised incomplete beta function).
  static func cumulative(_ x: Double, _ a: Double, _ b: Double) -> Double {
    if x <= 0 { return 0 }
    if x >= 1 { return 1 }
    if x > (a + 1) / (a + b + 2) { return 1 - lower(1 - x, x, b, a) }
    return lower(x, 1 - x, a, b)
  }

  /// The continued fraction, which converges fast below the mean.
  private static func lower(_ x: Double, _ y: Double, _ a: Double, _ b: Double) -> Double {
    // x^a y^b / (a B(a, b)) is b / (a + b) times a binomial probability of a successes in a + b.
    let n = a + b
    let exponent =
      stirlingError(n) - stirlingError(a) - stirlingError(b) - deviance(a, n * x)
      - deviance(b, n * y)
    let front =
      exponential(exponent) * (n / (6.283185307179586 * a * b)).squareRoot() * b / n
    let tiny = 1e-300
    var c = 1.0
    var d = 1 - n * x / (a + 1)
    d = 1 / (abs(d) < tiny ? tiny : d)
    var fraction = d
    for m in 1..<20000 {
      let m = Double(m)
      for term in [
        m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
        -(a + m) * (n + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
      ] {
        d = 1 + term * d
        d = 1 / (abs(d) < tiny ? tiny : d)
        c = 1 + term / c
        if abs(c) < tiny { c = tiny }
        fraction *= d * c
      }
      if abs(d * c - 1) < 1e-16 { break }
    }
    return front * fraction
  }

  /// The value below which a share `p` of a beta distribution lies.
  static func quantile(_ p: Double, _ a: Double, _ b: Double) -> Double {
    if p <= 0 { return 0 }
    if p >= 1 { return 1 }
    var low = 0.0
    var high = 1.0
    var x = a / (a + b)
    // Newton's steps, kept inside a bracket that halves when a step leaves it.
    for _ in 0..<200 {
      let error = cumulative(x, a, b) - p
      if error > 0 { high = x } else { low = x }
      let density = binomialDensity(x, a, b)
      var next = x - error / density
      if !(next > low && next < high) { next = (low + high) / 2 }
      if abs(next - x) <= 1e-16 * x { return next }
      x = next
    }
    return x
  }

  private static func binomialDensity(_ x: Double, _ a: Double, _ b: Double) -> Double {
    exponential(
      (a - 1) * logarithm(x) + (b - 1) * logarithmOnePlus(-x) + logGamma(a + b) - logGamma(a)
        - logGamma(b))
  }

  /// The probability of at most `x` successes in `n` trials.
  static func binomialCumulative(_ x: Double, of n: Double, _ p: Double) -> Double {
    if x < 0 { return 0 }
    if x >= n { return 1 }
    return cumulative(1 - p, n - x, x + 1)
  }
}
