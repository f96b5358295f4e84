extension Interval {
  /// Jeffreys' equal-tailed interval of a share of `successes` in `trials`.
  ///
  /// The ends are 0 and 1 when there is no success and no failure. Neither number has to be whole.
  ///
  /// Source: L. Brown, T. Cai, A. DasGupta, *Interval Estimation for a Binomial Proportion*,
  /// Statistical Science 16 (2001) 101-133, section 3.1.2.
  ///
  /// - Precondition: `successes` is from 0 to `trials`, and `trials` is above 0.
  public static func jeffreys(
    _ successes: Double, of trials: Double, confidence: Double = 0.95
  ) -> Interval {
    precondition(
      trials > 0 && successes >= 0 && successes <= trials,
      "\(successes) of \(trials) is not a share")
    let tail = (1 - confidence) / 2
    let (a, b) = (successes + 0.5, trials - successes + 0.5)
    return Interval(
      successes == 0 ? 0 : Beta.quantile(tail, a, b),
      successes == trials ? 1 : Beta.quantile(1 - tail, a, b))
  }
}
