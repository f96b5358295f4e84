/// Whether rows that changed, changed in one direction: McNemar's test on the flips of one cell.
///
/// Only flips matter: `lost` were right before and wrong after, `gained` the other way round.
/// Without a flip both p-values are 1.
///
/// Source: M. Fagerland, S. Lydersen, P. Laake, *The McNemar Test for Binary Matched-Pairs Data:
/// Mid-p and Asymptotic Are Better than Exact Conditional*, BMC Medical Research Methodology 13
/// (2013) 91.
public enum McNemar {
  /// The exact two-sided p-value; never above its nominal level, so it rejects too rarely.
  public static func exact(lost: Int, gained: Int) -> Double {
    let flips = Double(lost + gained)
    if flips == 0 { return 1 }
    return min(1, 2 * Beta.binomialCumulative(Double(min(lost, gained)), of: flips, 0.5))
  }

  /// The mid-p value: half of the observed table's probability is taken off each side.
  public static func midP(lost: Int, gained: Int) -> Double {
    let flips = Double(lost + gained)
    if flips == 0 { return 1 }
    let least = Double(min(lost, gained))
    let point = Beta.binomialProbability(least, of: flips, 0.5)
    if lost == gained { return 1 - point / 2 }
    return min(1, 2 * Beta.binomialCumulative(least, of: flips, 0.5) - point)
  }
}
