/// Bootstrap intervals of a gap of one model.
///
/// Newcombe's and MOVER's intervals need no resamples and are the default; these serve as a check,
/// and where rows come in clusters.
public enum Bootstrap {
  /// How an interval is read from replicates.
  public enum Reading: String, Hashable, Sendable, CaseIterable {
    /// The replicates' own quantiles.
    case percentile
    /// Corrected for bias and for an error that changes with the value (BCa).
    case accelerated
  }

  /// The interval of a gap: signed between two groups, otherwise of the size.
  ///
  /// - Parameters:
  ///   - kind: A gap of decisions.
  ///   - tally: The counts of every group, every row counting 1.
  ///   - scheme: How resamples are drawn; `stratified` keeps the rows of every group and label.
  ///   - reading: How the interval is read from the replicates.
  ///   - draws: The number of resamples.
  ///   - confidence: The confidence of the interval.
  ///   - seed: Where the random sequence starts.
  /// - Returns: The interval; nil when the gap is undefined.
  public static func interval(
    _ kind: GapKind, _ tally: Tally, scheme: Resampling = .stratified,
    reading: Reading = .accelerated, draws: Int = 2000, confidence: Double = 0.95,
    seed: UInt64 = 0
  ) -> Interval? {
    let cells = tally.counts.map(\.cells)
    let table = GapTable(groups: cells.count)
    let estimate = table.value(kind, cells)
    if estimate.isNaN { return nil }
    let strata = strata(of: cells, scheme)
    let resampler = CellResampler(strata: strata, scheme: scheme)
    let values = replicates(draws, seed: seed, of: 1) { random in
      [table.value(kind, merged(resampler.draw(using: &random), groups: cells.count))]
    }[0]
    return read(values, reading, confidence, estimate) {
      leftOut(cells).map { (table.value(kind, $0.cells), $0.weight) }
    }
  }

  /// The interval of a gap when whole clusters of rows are drawn.
  ///
  /// - Parameters:
  ///   - kind: A gap of decisions.
  ///   - outcomes: Rows with clusters; without them every row is its own.
  ///   - threshold: A row is called positive when its score is at least this.
  ///   - reading: How the interval is read from the replicates.
  ///   - draws: The number of resamples.
  ///   - confidence: The confidence of the interval.
  ///   - seed: Where the random sequence starts.
  /// - Returns: The interval; nil when the gap is undefined.
  public static func clusterInterval(
    _ kind: GapKind, _ outcomes: Outcomes, threshold: Double = 0.5,
    reading: Reading = .accelerated, draws: Int = 2000, confidence: Double = 0.95,
    seed: UInt64 = 0
  ) -> Interval? {
    let ids = outcomes.clusters ?? (0..<outcomes.count).map { Int32(clamping: $0) }
    let entries = ClusterTally(outcomes, clusters: ids, threshold: threshold).entries
    var clusters: [Range<Int>] = []
    for i in entries.indices where i == 0 || entries[i].cluster != entries[i - 1].cluster {
      let end = entries[i...].firstIndex { $0.cluster != entries[i].cluster } ?? entries.count
      clusters.append(i..<end)
    }
    let ranges = clusters
    let groups = outcomes.groups.groups.count
    let table = GapTable(groups: groups)
    let empty = [SIMD4<Double>](repeating: .zero, count: groups)
    let all = entries.reduce(into: empty) { $0[Int($1.group)] += $1.cells }
    let estimate = table.value(kind, all)
    if estimate.isNaN { return nil }
    let values = replicates(draws, seed: seed, of: 1) { random in
      var cells = empty
      for _ in ranges.indices {
        for i in ranges[random.below(ranges.count)] {
          cells[Int(entries[i].group)] += entries[i].cells
        }
      }
      return [table.value(kind, cells)]
    }[0]
    return read(values, reading, confidence, estimate) {
      ranges.map { range in
        var cells = all
        for i in range { cells[Int(entries[i].group)] -= entries[i].cells }
        return (table.value(kind, cells), 1)
      }
    }
  }

  private static func read(
    _ values: Replicates, _ reading: Reading, _ confidence: Double, _ estimate: Double,
    leftOut: () -> [(value: Double, weight: Double)]
  ) -> Interval? {
    switch reading {
    case .percentile: values.percentile(confidence: confidence)
    case .accelerated:
      values.accelerated(
        estimate: estimate, acceleration: Replicates.acceleration(leftOut()),
        confidence: confidence)
    }
  }

  /// Group and label apart where their rows are kept, as four cells with two of them empty.
  private static func strata(
    of cells: [SIMD4<Double>], _ scheme: Resampling
  ) -> [SIMD4<Double>] {
    guard scheme == .stratified else { return cells }
    return cells.flatMap { [SIMD4($0[0], 0, $0[2], 0), SIMD4(0, $0[1], 0, $0[3])] }
  }

  private static func merged(_ drawn: [SIMD4<Double>], groups: Int) -> [SIMD4<Double>] {
    guard drawn.count == 2 * groups else { return drawn }
    return (0..<groups).map { drawn[2 * $0] + drawn[2 * $0 + 1] }
  }

  /// The table without one row, once for every kind of row, with the number of rows of the kind.
  private static func leftOut(
    _ cells: [SIMD4<Double>]
  ) -> [(cells: [SIMD4<Double>], weight: Double)] {
    cells.indices.flatMap { group in
      (0..<4).compactMap { cell in
        guard cells[group][cell] >= 1 else { return nil }
        var less = cells
        less[group][cell] -= 1
        return (less, cells[group][cell])
      }
    }
  }
}
