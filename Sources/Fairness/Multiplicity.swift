/// Corrections for asking several questions of one set of rows.
public enum Multiplicity {
  /// Holm's adjusted p-values: rejecting those up to α keeps any false alarm below α.
  ///
  /// Source: S. Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian
  /// Journal of Statistics 6 (1979) 65-70.
  public static func holm(_ p: [Double]) -> [Double] {
    var adjusted = p
    var highest = 0.0
    for (rank, i) in p.indices.sorted(by: { p[$0] < p[$1] }).enumerated() {
      highest = max(highest, min(1, p[i] * Double(p.count - rank)))
      adjusted[i] = highest
    }
    return adjusted
  }

  /// Benjamini and Hochberg's adjusted p-values: of those up to α, a share of at most α is false.
  ///
  /// Source: Y. Benjamini, Y. Hochberg, *Controlling the False Discovery Rate*, JRSS B 57 (1995)
  /// 289-300.
  public static func benjaminiHochberg(_ p: [Double]) -> [Double] {
    var adjusted = p
    var lowest = 1.0
    for (rank, i) in p.indices.sorted(by: { p[$0] < p[$1] }).enumerated().reversed() {
      lowest = min(lowest, p[i] * Double(p.count) / Double(rank + 1))
      adjusted[i] = lowest
    }
    return adjusted
  }
}
