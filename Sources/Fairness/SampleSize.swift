/// How many rows it takes to see a difference of a given size.
public enum SampleSize {
  /// The rows of each of two groups for a gap's interval to reach `margin` to each side.
  ///
  /// - Parameters:
  ///   - first: The rate of the first group.
  ///   - second: The rate of the second group.
  ///   - margin: The half-width that is asked for.
  ///   - confidence: The confidence of the interval.
  /// - Returns: The rows of each group that count in the rate's denominator.
  public static func gap(
    _ first: Double, _ second: Double, margin: Double, confidence: Double = 0.95
  ) -> Int {
    precondition(margin > 0, "a margin is above 0")
    let z = Normal.reach(confidence)
    let variance = first * (1 - first) + second * (1 - second)
    return rows(z * z * variance / (margin * margin))
  }

  /// The rows of each of two groups to show by two one-sided tests that a gap did not drift by
  /// more than `margin`, if it did not drift at all.
  ///
  /// - Parameters:
  ///   - flipRate: The share of decisions that flip in both groups, in either direction alike.
  ///   - margin: The drift that counts as none.
  ///   - power: How probable the demonstration shall be.
  ///   - level: The level of each of the two tests.
  /// - Returns: The rows of each group that count in the rate's denominator.
  ///
  /// Source: S.-C. Chow, J. Shao, H. Wang, *Sample Size Calculations in Clinical Research*, 2nd
  /// edition, 2008, section 4.2.2, with a paired variance of `flipRate` a group.
  public static func preservation(
    flipRate: Double, margin: Double, power: Double = 0.8, level: Double = 0.05
  ) -> Int {
    precondition(margin > 0, "a margin is above 0")
    let reach = -Normal.quantile(level) - Normal.quantile((1 - power) / 2)
    return rows(reach * reach * 2 * flipRate / (margin * margin))
  }

  private static func rows(_ count: Double) -> Int {
    count < 0x1p52 ? Int(count.rounded(.up)) : Int(0x1p52)
  }
}
