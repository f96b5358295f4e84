/// How unevenly benefits fall, over people and between groups.
///
/// A person's benefit is `decision - label + 1`: 2 for a false positive, 0 for a false negative, 1
/// for a right decision. 0 means that all benefits are equal.
///
/// Source: T. Speicher et al., *A Unified Approach to Quantifying Algorithmic Unfairness*, KDD
/// 2018, equation 1. <https://arxiv.org/abs/1807.00787>
public enum Inequality {
  /// The generalised entropy index of `order` over all people; nil without people or benefit.
  ///
  /// Order 1 is Theil's index; order 0 is the mean log deviation, infinite when someone has no
  /// benefit.
  public static func generalizedEntropy(_ counts: Counts, order: Double = 2) -> Double? {
    let right = counts.truePositives + counts.trueNegatives
    return index(
      [(2, counts.falsePositives), (1, right), (0, counts.falseNegatives)], order: order)
  }

  /// The index after everyone was given the mean benefit of their group.
  public static func betweenGroups(_ groups: [Counts], order: Double = 2) -> Double? {
    index(
      groups.filter { $0.total > 0 }.map { counts in
        let sum = counts.total + counts.falsePositives - counts.falseNegatives
        return (sum / counts.total, counts.total)
      }, order: order)
  }

  /// Twice the square root of half the index of order 2: the standard deviation over the mean.
  public static func coefficientOfVariation(_ counts: Counts) -> Double? {
    generalizedEntropy(counts).map { (2 * $0).squareRoot() }
  }

  private static func index(
    _ benefits: [(benefit: Double, people: Double)], order: Double
  ) -> Double? {
    let people = benefits.reduce(0) { $0 + $1.people }
    let mean = benefits.reduce(0) { $0 + $1.benefit * $1.people } / people
    guard people > 0, mean > 0 else { return nil }
    func power(_ x: Double, _ y: Double) -> Double {
      if y == 2 { return x * x }
      return x > 0 ? exponential(y * logarithm(x)) : (y > 0 ? 0 : .infinity)
    }
    let sum = benefits.reduce(0.0) { sum, part in
      let share = part.benefit / mean
      if part.people == 0 { return sum }
      switch order {
      case 1: return sum + part.people * (share > 0 ? share * logarithm(share) : 0)
      case 0: return sum - part.people * logarithm(share)
      default: return sum + part.people * (power(share, order) - 1) / (order * (order - 1))
      }
    }
    return sum / people
  }

  /// The smoothed differential fairness of decisions: the largest log ratio between two groups of
  /// the probability of either decision; nil without groups.
  ///
  /// Source: J. Foulds et al., *An Intersectional Definition of Fairness*, ICDE 2020, definition
  /// 3.1 with Dirichlet smoothing. <https://arxiv.org/abs/1807.08362>
  public static func differentialFairness(
    _ groups: [Counts], concentration: Double = 1
  ) -> Double? {
    smoothed(groups, concentration) { $0.truePositives + $0.falsePositives }
  }

  /// How much more the decisions differ between groups than the labels do.
  public static func biasAmplification(
    _ groups: [Counts], concentration: Double = 1
  ) -> Double? {
    guard let labels = smoothed(groups, concentration, { $0.positives }),
      let decisions = differentialFairness(groups, concentration: concentration)
    else { return nil }
    return decisions - labels
  }

  private static func smoothed(
    _ groups: [Counts], _ concentration: Double, _ positives: (Counts) -> Double
  ) -> Double? {
    let shares = groups.map {
      (positives($0) + concentration / 2) / ($0.total + concentration)
    }
    guard let low = shares.min(), let high = shares.max() else { return nil }
    return max(logarithm(high / low), logarithm((1 - low) / (1 - high)))
  }
}
