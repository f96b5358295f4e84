/// The standard normal distribution.
///
/// Source: M. Abramowitz, I. Stegun, *Handbook of Mathematical Functions*, 7.1.6 (series), 7.1.14
/// (continued fraction), 26.2.23 (first guess of the quantile).
package enum Normal {
  /// The probability of a value up to `x`.
  static func cumulative(_ x: Double) -> Double {
    if x > -3 { return complementaryError(-x / 2.0.squareRoot()) / 2 }
    if x < -38.6 { return 0 }
    // Far out even the rounding of x/√2 shows: density over Laplace's continued fraction.
    let y = -x
    var fraction = y
    for k in stride(from: 100.0, through: 1, by: -1) { fraction = y + k / fraction }
    let high = (y * 0x1p20).rounded() * 0x1p-20
    let tail = exponential(-high * high / 2) * exponential(-(y - high) * (y + high) / 2)
    return tail * 0.3989422804014327 / fraction
  }

  /// The density at `x`.
  static func density(_ x: Double) -> Double { exponential(-x * x / 2) * 0.3989422804014327 }

  /// The value below which a share `p` lies; infinite at 0 and 1.
  package static func quantile(_ p: Double) -> Double {
    guard p > 0 else { return p == 0 ? -.infinity : .nan }
    guard p < 1 else { return p == 1 ? .infinity : .nan }
    if p > 0.5 { return -quantile(1 - p) }
    let t = (-2 * logarithm(p)).squareRoot()
    var x =
      -(t - (2.515517 + t * (0.802853 + t * 0.010328))
        / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))))
    // Halley's steps from a guess that is good to 4.5e-4: each one triples the digits.
    for _ in 0..<4 {
      let step = (cumulative(x) - p) / density(x)
      x -= step / (1 + x * step / 2)
    }
    return x
  }

  /// How many standard errors a two-sided interval of `confidence` reaches to each side.
  static func reach(_ confidence: Double) -> Double { -quantile((1 - confidence) / 2) }

  /// One minus the error function, with full relative precision in the upper tail.
  static func complementaryError(_ x: Double) -> Double {
    if x < 2 {
      if x < -6 { return 2 }
      if x < -2 { return 2 - complementaryError(-x) }
      // erf x = 2/√π · e^(-x²) · Σ 2ⁿ x^(2n+1) / (1·3·5…(2n+1)): no cancellation.
      var term = x
      var sum = x
      var n = 0.0
      while abs(term) > abs(sum) * 1e-17 && n < 200 {
        n += 1
        term *= 2 * x * x / (2 * n + 1)
        sum += term
      }
      return 1 - 1.1283791670955126 * exponential(-x * x) * sum
    }
    if x > 27.3 { return 0 }
    // e^(-x²)/√π · 1/(x + ½/(x + 1/(x + 3/2/(x + …)))), from the far end.
    var fraction = x
    for k in stride(from: 80.0, through: 1, by: -1) { fraction = x + k / 2 / fraction }
    // The rounding of x² would be magnified: take out its low part.
    let high = (x * 0x1p20).rounded() * 0x1p-20
    let tail = exponential(-high * high) * exponential(-(x - high) * (x + high))
    return tail * 0.5641895835477563 / fraction
  }
}
