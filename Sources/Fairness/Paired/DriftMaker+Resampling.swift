/// Drifts of rates whose denominators flip too: what resamples say of them.
extension DriftMaker {
  /// Puts what the replicates of a kind say into its drift.
  func read(
    _ kind: GapKind, _ resampled: [Replicates], _ thinned: String, into drift: inout Drift
  ) {
    drift.method = drawsClusters ? "cluster bootstrap" : "posterior of the cells" + thinned
    guard tally.names.count == 2 else {
      drift.method? += " and MOVER"
      let widest = WidestResampledGap(
        kind, resampled, sides: [false, true].map { tally.tally(after: $0).counts.map(\.cells) },
        reference: reference, confidence: options.confidence)
      drift.interval = widest.interval(.full, with: drift.value ?? 0)
      drift.equivalenceInterval = widest.interval(.equivalence, with: drift.value ?? 0)
      drift.growthInterval = drift.equivalenceInterval
      return
    }
    drift.interval = resampled[0].percentile(confidence: options.confidence)
    drift.equivalenceInterval = resampled[0].percentile(confidence: equivalence)
    drift.growthInterval = drift.equivalenceInterval
    if let moved = drift.equivalenceInterval,
      let sum = resampled[1].percentile(confidence: equivalence),
      let before = sideGap(kind, after: false), let after = sideGap(kind, after: true)
    {
      drift.growthInterval =
        GrowthMaker.growth(drift: moved, sum: sum, before: before, after: after).interval
    }
  }

  /// The gap of one model with an interval at 99 %.
  private func sideGap(_ kind: GapKind, after: Bool) -> Estimate? {
    let counts = tally.tally(after: after).counts
    let gap = GapMaker(names: tally.names, confidence: 0.99, reference: reference) {
      counts[$0].rate($1, confidence: $2)
    }.gap(kind)
    guard let value = gap.value, let interval = gap.interval else { return nil }
    return Estimate(value, interval)
  }

  /// Whether whole clusters are drawn: unless no decision flipped, which they would all repeat.
  private var drawsClusters: Bool {
    clusters != nil && tally.cells.contains { $0[1] > 0 || $0[2] > 0 }
  }

  /// The replicates of every kind: of a signed gap's drift and sum, or of every group's rates as
  /// ``WidestResampledGap`` takes them.
  func replicates(_ kinds: [GapKind]) -> [GapKind: [Replicates]] {
    guard !kinds.isEmpty else { return [:] }
    let groups = tally.names.count
    let table = GapTable(groups: groups, reference: reference)
    // A posterior rests on the effective number of rows: Kish's of weights or clusters.
    let scale = tally.cells.indices.map { i -> Double in
      if self.clusters != nil {
        let measure = i % 2 == 0 ? Measure.falsePositiveRate : .truePositiveRate
        return factors[measure]?[i / 2].change ?? 1
      }
      guard let squares = tally.weights?.squares[i].sum(), squares > 0 else { return 1 }
      return tally.cells[i].sum() / squares
    }
    let strata = zip(tally.cells, scale).map { $0 * $1 }
    let resampler = CellResampler(strata: strata, scheme: .posterior)
    let clusters = drawsClusters ? clusters : nil
    let width = groups == 2 ? 2 : WidestResampledGap.width * groups
    let drawn = Fairness.replicates(
      options.draws, seed: options.seed, of: width * kinds.count
    ) { random in
      let cells =
        clusters?.draw(groups: groups, using: &random)
        ?? zip(resampler.draw(using: &random), scale).map { $0 / $1 }
      let (before, after) = (Self.side(cells, positive: 2), Self.side(cells, positive: 1))
      return kinds.flatMap { kind in
        if groups != 2 { return WidestResampledGap.statistics(kind, before, after) }
        let (first, second) = (table.value(kind, before), table.value(kind, after))
        return [second - first, second + first]
      }
    }
    return Dictionary(
      uniqueKeysWithValues: kinds.enumerated().map { place, kind in
        (kind, Array(drawn[place * width..<(place + 1) * width]))
      })
  }

  /// The drift of every kind in one table of cells.
  static func drifts(
    of cells: [SIMD4<Double>], _ kinds: [GapKind], _ table: GapTable
  ) -> [Double] {
    let (before, after) = (side(cells, positive: 2), side(cells, positive: 1))
    return kinds.map { table.value($0, after) - table.value($0, before) }
  }

  private static func side(_ cells: [SIMD4<Double>], positive: Int) -> [SIMD4<Double>] {
    stride(from: 0, to: cells.count, by: 2).map { i in
      let (no, yes) = (cells[i], cells[i + 1])
      return SIMD4(
        yes[positive] + yes[3], no[positive] + no[3], yes[0] + yes[3 - positive],
        no[0] + no[3 - positive])
    }
  }
}
