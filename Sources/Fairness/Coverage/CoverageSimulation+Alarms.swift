extension CoverageSimulation {
  /// The share of false alarms of tests at 5 %, with rows on their own and in clusters.
  public func alarms() -> [Line] {
    [1, 4].flatMap { size in
      let label = size == 1 ? "rows on their own" : "clusters of \(size) that flip together"
      return [
        alarm("McNemar, mid-p, \(label)", size) { tally, _ in
          let change = tally.cell(0, label: true)
          return McNemar.midP(lost: Int(change[2]), gained: Int(change[1]))
        },
        alarm("McNemar, exact, \(label)", size) { tally, _ in
          let change = tally.cell(0, label: true)
          return McNemar.exact(lost: Int(change[2]), gained: Int(change[1]))
        },
        alarm("equal change by exchanging rows, \(label)", size) { tally, seed in
          guard let a = tally.change(.truePositiveRate, group: 0),
            let b = tally.change(.truePositiveRate, group: 1)
          else { return 1 }
          return Permutation.equalChange(a, b, draws: 199, seed: seed)
        },
        clusteredAlarm("equal change by exchanging clusters, \(label)", size),
        clusteredCoverage("drift by cluster, \(label)", size),
      ]
    } + [weightedCoverage()]
  }

  private func alarm(
    _ name: String, _ size: Int, _ p: @Sendable (PairedTally, UInt64) -> Double
  ) -> Line {
    share(name, "alarms at 5 %", resampled * 2) { random in
      p(Self.clustered(size, &random).tally, random.next()) <= 0.05
    }
  }

  private func clusteredAlarm(_ name: String, _ size: Int) -> Line {
    share(name, "alarms at 5 %", resampled) { random in
      let clusters = Self.clustered(size, &random).clusters
      return Permutation.equalChange(clusters: clusters, draws: 199, seed: random.next()) <= 0.05
    }
  }

  private func clusteredCoverage(_ name: String, _ size: Int) -> Line {
    share(name, "95 % intervals, Tango and MOVER by cluster", resampled) { random in
      let rows = Self.clusteredRows(size, &random)
      let clusters = PairedClusters(
        before: rows.before, after: rows.after, clusters: rows.before.clusters ?? [],
        threshold: 0.5, thresholdAfter: 0.5)
      guard
        let tally = try? PairedTally(before: rows.before, after: rows.after)
      else { return nil }
      let parts = (0..<2).compactMap { group -> Estimate? in
        guard let change = tally.change(.truePositiveRate, group: group) else { return nil }
        let factor = clusters.thinning(.truePositiveRate, group: group)
        return PairedChange(
          lost: change.lost * factor, gained: change.gained * factor,
          rows: change.rows * factor
        ).estimate()
      }
      guard parts.count == 2 else { return nil }
      return Estimate.difference(from: parts[0], to: parts[1]).interval.contains(0)
    }
  }

  /// Positives of two groups in clusters of `size`; in 6 % of clusters all rows flip one way.
  private static func clustered(
    _ size: Int, _ random: inout Random
  ) -> (tally: PairedTally, clusters: [(change: Double, rows: Double, inB: Bool)]) {
    var tally = PairedTally(names: ["a", "b"])
    var clusters: [(change: Double, rows: Double, inB: Bool)] = []
    for group in 0..<2 {
      for _ in 0..<(group == 0 ? 400 : 200) {
        let flips = random.uniform() < 0.06
        let gains = random.below(2) == 0
        let cell = flips ? (gains ? 1 : 2) : 3
        tally.cells[2 * group + 1][cell] += Double(size)
        clusters.append(
          (flips ? (gains ? 1 : -1) * Double(size) : 0, Double(size), group == 1))
      }
    }
    return (tally, clusters)
  }

  /// Coverage where rows weigh from 0.2 to 3, the more so the more often they flip.
  private func weightedCoverage() -> Line {
    share("drift of weighted rows, 3 % and 6 % flip", "Tango and MOVER, weighted", resampled) {
      random in
      var (first, second): ([Bool], [Bool]) = ([], [])
      var (codes, weights): ([Int32], [Double]) = ([], [])
      for row in 0..<900 {
        let group = row < 600 ? 0 : 1
        let isHeavy = random.uniform() < 0.3
        let flips = random.uniform() < (isHeavy ? 0.06 : 0.03)
        let gains = random.below(2) == 0
        first.append(flips ? !gains : random.uniform() < 0.8)
        second.append(flips ? gains : first[row])
        codes.append(Int32(group))
        weights.append(isHeavy ? 3 : 0.2 + 0.6 * random.uniform())
      }
      let groups = Attribute("g", groups: ["a", "b"], codes: codes)
      let labels = [Bool](repeating: true, count: first.count)
      let tally = try? PairedTally(
        before: Outcomes(decisions: first, labels: labels, groups: groups, weights: weights),
        after: Outcomes(decisions: second, labels: labels, groups: groups, weights: weights))
      return tally.flatMap {
        DriftMaker(tally: $0).drift(.equalOpportunity).interval?.contains(0)
      }
    }
  }

  private static func clusteredRows(
    _ size: Int, _ random: inout Random
  ) -> (before: Outcomes, after: Outcomes) {
    var (first, second): ([Bool], [Bool]) = ([], [])
    var (codes, ids): ([Int32], [Int32]) = ([], [])
    for cluster in 0..<600 {
      let flips = random.uniform() < 0.06
      let gains = random.below(2) == 0
      for _ in 0..<size {
        first.append(flips ? !gains : true)
        second.append(flips ? gains : true)
        codes.append(cluster < 400 ? 0 : 1)
        ids.append(Int32(cluster))
      }
    }
    let groups = Attribute("g", groups: ["a", "b"], codes: codes)
    let labels = [Bool](repeating: true, count: first.count)
    return (
      Outcomes(decisions: first, labels: labels, groups: groups, clusters: ids),
      Outcomes(decisions: second, labels: labels, groups: groups)
    )
  }
}
