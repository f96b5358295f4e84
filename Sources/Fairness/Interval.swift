/// A range that holds the true value with a stated confidence.
public struct Interval: Hashable, Sendable {
  /// The lower end.
  public var low: Double
  /// The upper end.
  public var high: Double

  /// The range from `low` to `high`.
  public init(_ low: Double, _ high: Double) {
    self.low = low
    self.high = high
  }

  /// Whether `value` is inside or on an end.
  public func contains(_ value: Double) -> Bool { low <= value && value <= high }

  /// The range of the absolute value.
  var absolute: Interval {
    contains(0)
      ? Interval(0, max(-low, high)) : Interval(min(abs(low), abs(high)), max(abs(low), abs(high)))
  }

  /// The score interval of a share of `successes` in `trials`.
  ///
  /// Stays inside [0, 1] and has a width also at 0 and 1. Neither number has to be whole.
  ///
  /// Source: E. B. Wilson, *Probable Inference, the Law of Succession, and Statistical Inference*,
  /// JASA 22 (1927) 209-212.
  ///
  /// - Precondition: `trials` is above 0.
  public static func wilson(
    _ successes: Double, of trials: Double, confidence: Double = 0.95
  ) -> Interval {
    precondition(trials > 0, "a share of nothing has no interval")
    let z = Normal.reach(confidence)
    let share = successes / trials
    let shrink = 1 + z * z / trials
    let centre = (share + z * z / (2 * trials)) / shrink
    let half =
      z * (share * (1 - share) / trials + z * z / (4 * trials * trials)).squareRoot() / shrink
    // At the ends the exact value is 0 or 1, which rounding would miss.
    return Interval(
      successes <= 0 ? 0 : max(0, centre - half), successes >= trials ? 1 : min(1, centre + half))
  }
}

/// A value with its interval: what differences and means of estimates are formed from.
public struct Estimate: Hashable, Sendable {
  /// The value itself.
  public var value: Double
  /// Where the true value lies.
  public var interval: Interval

  /// A value with its interval.
  public init(_ value: Double, _ interval: Interval) {
    self.value = value
    self.interval = interval
  }

  /// `to - from` for two independent estimates, by MOVER (*method of variance estimates recovery*).
  ///
  /// On Wilson's intervals this is Newcombe's hybrid score interval (his method 10).
  ///
  /// Source: G. Y. Zou, A. Donner, *Construction of Confidence Limits about Effect Measures*,
  /// Statistics in Medicine 27 (2008) 1693-1702, equation 4. R. G. Newcombe, *Interval Estimation
  /// for the Difference between Independent Proportions*, ibid. 17 (1998) 873-890.
  public static func difference(from: Estimate, to: Estimate) -> Estimate {
    let value = to.value - from.value
    let (below, above) = (to.value - to.interval.low, to.interval.high - to.value)
    let (fromBelow, fromAbove) = (
      from.value - from.interval.low, from.interval.high - from.value
    )
    return Estimate(
      value,
      Interval(
        value - (below * below + fromAbove * fromAbove).squareRoot(),
        value + (above * above + fromBelow * fromBelow).squareRoot()))
  }

  /// The mean of two independent estimates, by MOVER.
  public static func mean(_ a: Estimate, _ b: Estimate) -> Estimate {
    let negative = Estimate(-a.value, Interval(-a.interval.high, -a.interval.low))
    let sum = difference(from: negative, to: b)
    return Estimate(sum.value / 2, Interval(sum.interval.low / 2, sum.interval.high / 2))
  }
}
