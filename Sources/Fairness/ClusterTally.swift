/// The counts of every cluster: what intervals need when rows come in families.
///
/// Images of one person are decided alike more often than images of strangers, so that a thousand
/// images of a hundred people say less than a thousand people.
struct ClusterTally: Sendable {
  /// The cells of one cluster in one group, as in ``Counts``.
  struct Entry: Sendable {
    var cluster: Int32
    var group: Int32
    var cells: SIMD4<Double>
  }

  /// Ordered by cluster, then group.
  var entries: [Entry]

  /// Counts that are there already, ordered by cluster, then group.
  init(entries: [Entry]) { self.entries = entries }

  /// Counts `outcomes` by cluster and group.
  init(_ outcomes: Outcomes, clusters: [Int32], threshold: Double) {
    var table: [Int64: SIMD4<Double>] = [:]
    for row in 0..<outcomes.count {
      var one = Counts()
      one.add(
        label: outcomes.labels[row], decision: outcomes.scores[row] >= threshold,
        weight: outcomes.weights?[row] ?? 1)
      let key = Int64(clusters[row]) << 32 | Int64(outcomes.groups.codes[row])
      table[key, default: .zero] += one.cells
    }
    entries = table.sorted { $0.key < $1.key }.map { key, cells in
      Entry(
        cluster: Int32(truncatingIfNeeded: key >> 32), group: Int32(truncatingIfNeeded: key),
        cells: cells)
    }
  }

  /// How many independent rows would say as much about a share, at most `most`.
  ///
  /// The share's variance is that of its linearised sums over clusters (Taylor's method); the
  /// effective number is the one whose binomial variance is as large. A share of 0 or 1 shows no
  /// variance: the number of clusters then stands in.
  ///
  /// Source: N. Dean, M. Pagano, *Evaluating Confidence Interval Methods for Binomial Proportions
  /// in Clustered Surveys*, Journal of Survey Statistics and Methodology 3 (2015) 484-503, who find
  /// Wilson's interval with this effective number the most reliable.
  func effectiveRows(
    group: Int?, numerator: SIMD4<Double>, denominator: SIMD4<Double>, most: Double
  ) -> Double {
    var (above, below) = (0.0, 0.0)
    for entry in entries where group.map({ $0 == Int(entry.group) }) ?? true {
      above += (numerator * entry.cells).sum()
      below += (denominator * entry.cells).sum()
    }
    guard below > 0 else { return most }
    let share = above / below
    var (sum, clusters) = (0.0, 0.0)
    var (cluster, residual, inside) = (nil as Int32?, 0.0, 0.0)
    func close() {
      guard inside > 0 else { return }
      sum += residual * residual
      clusters += 1
    }
    for entry in entries where group.map({ $0 == Int(entry.group) }) ?? true {
      if entry.cluster != cluster {
        close()
        (cluster, residual, inside) = (entry.cluster, 0, 0)
      }
      let weight = (denominator * entry.cells).sum()
      residual += (numerator * entry.cells).sum() - share * weight
      inside += weight
    }
    close()
    guard clusters > 1, share > 0, share < 1, sum > 0 else { return min(most, clusters) }
    let variance = clusters / (clusters - 1) * sum / (below * below)
    return min(most, share * (1 - share) / variance)
  }
}
