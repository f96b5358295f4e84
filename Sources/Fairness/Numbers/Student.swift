/// Student's t distribution: intervals of means over a few runs.
enum Student {
  /// How many standard errors a two-sided interval reaches with few observations.
  ///
  /// - Precondition: there is at least one degree of freedom.
  static func reach(_ confidence: Double, degrees: Int) -> Double {
    precondition(degrees > 0, "one observation has no spread")
    let degrees = Double(degrees)
    // P(|T| > t) is the regularised incomplete beta function at v / (v + t²).
    let x = Beta.quantile(1 - confidence, degrees / 2, 0.5)
    return (degrees * (1 - x) / x).squareRoot()
  }
}

extension Estimate {
  /// The mean of observations of equal standing, such as one model a seed, with Student's interval.
  ///
  /// - Returns: nil when there are fewer than two observations: one has no spread.
  public static func mean(of values: [Double], confidence: Double = 0.95) -> Estimate? {
    guard values.count > 1 else { return nil }
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    let half =
      Student.reach(confidence, degrees: values.count - 1) * (variance / count).squareRoot()
    return Estimate(mean, Interval(mean - half, mean + half))
  }
}
