/// Two models' decisions on the same people by cluster: what paired intervals need when rows come
/// in families.
struct PairedClusters: Sendable {
  /// The cells of one cluster in one group, as in ``PairedTally``.
  struct Entry: Sendable {
    var cluster: Int32 = 0
    var group: Int
    var no: SIMD4<Double>
    var yes: SIMD4<Double>
  }

  /// Ordered by cluster.
  var entries: [Entry]
  /// Where every cluster's entries are.
  var clusters: [Range<Int>]

  init(
    before: Outcomes, after: Outcomes, clusters codes: [Int32], threshold: Double,
    thresholdAfter: Double
  ) {
    var table: [Int64: Entry] = [:]
    for row in 0..<before.count {
      let cell =
        (before.scores[row] >= threshold ? 2 : 0)
        + (after.scores[row] >= thresholdAfter ? 1 : 0)
      let group = before.groups.codes[row]
      let key = Int64(codes[row]) << 32 | Int64(group)
      var entry =
        table[key] ?? Entry(cluster: codes[row], group: Int(group), no: .zero, yes: .zero)
      let weight = before.weights?[row] ?? 1
      if before.labels[row] { entry.yes[cell] += weight } else { entry.no[cell] += weight }
      table[key] = entry
    }
    let sorted = table.sorted { $0.key < $1.key }
    entries = sorted.map(\.value)
    clusters = []
    var start = 0
    for i in sorted.indices {
      let last = i + 1 == sorted.count || sorted[i + 1].key >> 32 != sorted[i].key >> 32
      if last {
        clusters.append(start..<i + 1)
        start = i + 1
      }
    }
  }

  /// How many flipped clusters are added to those seen: ``thinning(_:group:most:)``.
  static let added = 0.25

  /// How much a group's change is thinned out so that its rows count as if independent, in (0, 1].
  ///
  /// The change's variance is that of its linearised cluster sums (Taylor's method); the factor
  /// makes the variance of independent rows as large. Whether rows of a cluster flip together can
  /// only be seen from flips. To both variances a quarter of an event is therefore added in which a
  /// whole cluster, any of them, flips: without flips the factor is that of Kish's effective number
  /// of clusters, a flip that comes alone moves it a little, and a hundred flips decide it. A
  /// quarter is what simulations needed (docs/fairness/coverage.md).
  ///
  /// - Parameters:
  ///   - measure: The measure that changed.
  ///   - group: The group.
  ///   - most: The factor that makes as many rows as there are: 1 where rows count 1.
  /// - Returns: The factor.
  func thinning(_ measure: Measure, group: Int, most: Double = 1) -> Double {
    let sums = clusters.compactMap { range -> (change: Double, flips: Double, rows: Double)? in
      var (no, yes) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
      for i in range where entries[i].group == group {
        no += entries[i].no
        yes += entries[i].yes
      }
      guard let sums = PairedTally.change(measure, no: no, yes: yes), sums.rows > 0 else {
        return nil
      }
      return (sums.gained - sums.lost, sums.gained + sums.lost, sums.rows)
    }
    let rows = sums.reduce(0) { $0 + $1.rows }
    let flips = sums.reduce(0) { $0 + $1.flips }
    let count = Double(sums.count)
    guard rows > 0 else { return most }
    let change = sums.reduce(0) { $0 + $1.change } / rows
    let squares = sums.reduce(0.0) { sum, cluster in
      let residual = cluster.change - change * cluster.rows
      return sum + residual * residual
    }
    let clustered = count > 1 ? count / (count - 1) * squares : 0
    let independent = max(0, flips - change * change * rows)
    let sizes = sums.reduce(0) { $0 + $1.rows * $1.rows }
    return min(
      most, (independent + Self.added * rows / count) / (clustered + Self.added * sizes / count))
  }

  /// The same rows with the first model's decisions turned round, as ``PairedTally/turned``.
  var turned: PairedClusters {
    var turned = self
    for i in entries.indices {
      turned.entries[i].no = PairedTally.turned(entries[i].no)
      turned.entries[i].yes = PairedTally.turned(entries[i].yes)
    }
    return turned
  }

  /// One model's counts of every cluster.
  func side(after: Bool) -> ClusterTally {
    let positive = after ? 1 : 2
    return ClusterTally(
      entries: entries.map { entry in
        let (no, yes) = (entry.no, entry.yes)
        return ClusterTally.Entry(
          cluster: entry.cluster, group: Int32(entry.group),
          cells: SIMD4(
            yes[positive] + yes[3], no[positive] + no[3], yes[0] + yes[3 - positive],
            no[0] + no[3 - positive]))
      })
  }

  /// One table of whole clusters drawn with replacement, as cells of a ``PairedTally``.
  func draw(groups: Int, using random: inout Random) -> [SIMD4<Double>] {
    var cells = [SIMD4<Double>](repeating: .zero, count: 2 * groups)
    for _ in clusters.indices {
      for i in clusters[random.below(clusters.count)] {
        cells[2 * entries[i].group] += entries[i].no
        cells[2 * entries[i].group + 1] += entries[i].yes
      }
    }
    return cells
  }
}
