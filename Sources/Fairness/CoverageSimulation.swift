/// Simulated samples from known truths, to see how often intervals cover and tests raise alarms.
///
/// Part of the library so that its claims can be checked wherever it runs.
public struct CoverageSimulation: Sendable {
  /// The number of samples for every line with closed intervals.
  public var simulations: Int
  /// The number of samples for every line with resampled intervals.
  public var resampled: Int
  /// Where random sequences start.
  public var seed: UInt64

  /// A study of given size.
  public init(simulations: Int = 4000, resampled: Int = 600, seed: UInt64 = 1) {
    self.simulations = simulations
    self.resampled = resampled
    self.seed = seed
  }

  /// What one line of the study found.
  public struct Line: Hashable, Sendable {
    /// What was simulated.
    public var name: String
    /// The method under test.
    public var method: String
    /// The share of samples that covered, or raised an alarm.
    public var share: Double
    /// The number of samples.
    public var count: Int
    /// The standard error of the share.
    public var error: Double { (share * (1 - share) / Double(count)).squareRoot() }
  }

  /// The share of `count` simulated samples for which `holds` is true; nil leaves a sample out.
  func share(
    _ name: String, _ method: String, _ count: Int, _ holds: @Sendable (inout Random) -> Bool?
  ) -> Line {
    let results = onAllCores(count) { i -> Bool? in
      var random = Random(seed: seed, stream: UInt64(i))
      return holds(&random)
    }
    let known = results.compactMap(\.self)
    let hits = known.reduce(0) { $0 + ($1 ? 1 : 0) }
    return Line(
      name: name, method: method, share: Double(hits) / Double(max(1, known.count)),
      count: known.count)
  }

  /// The coverage of 95 % intervals of one rate.
  public func rates() -> [Line] {
    let settings: [(Int, Double)] = [
      (12, 0.58), (30, 0.1), (30, 0.9), (100, 0.02), (1914, 0.65), (7984, 0.86), (7984, 0.001),
    ]
    return settings.flatMap { n, p in
      ["Wilson", "Jeffreys"].map { method in
        share("rate \(p) of \(n)", method, simulations) { random in
          let k = Double(random.binomial(n, p))
          let interval =
            method == "Wilson"
            ? Interval.wilson(k, of: Double(n)) : Interval.jeffreys(k, of: Double(n))
          return interval.contains(p)
        }
      }
    }
  }

  /// The coverage of 95 % intervals of a gap between two groups.
  public func gaps() -> [Line] {
    let settings: [(Int, Double, Int, Double)] = [
      (12, 0.58, 40, 0.8), (30, 0.1, 300, 0.1), (100, 0.02, 100, 0.05), (1914, 0.65, 7984, 0.86),
      (500, 0.999, 500, 0.99),
    ]
    return settings.map { m, p, n, q in
      share("gap of \(p) in \(m) and \(q) in \(n)", "Newcombe", simulations) { random in
        let estimates = [(m, p), (n, q)].map { size, rate in
          let k = Double(random.binomial(size, rate))
          return Estimate(k / Double(size), .wilson(k, of: Double(size)))
        }
        return Estimate.difference(from: estimates[0], to: estimates[1]).interval
          .contains(q - p)
      }
    }
  }

  /// Two groups' positives of which small shares flip, as ``PairedTally``.
  private struct Flipping: Sendable {
    var rows: [Int]
    var before: [Double]
    /// The share of all rows that is lost and gained.
    var lost: [Double]
    var gained: [Double]

    /// The true drift of the TPR gap.
    var drift: Double { gained[1] - lost[1] - gained[0] + lost[0] }

    func draw(_ random: inout Random) -> PairedTally {
      var tally = PairedTally(names: rows.indices.map { "g\($0)" })
      for group in rows.indices {
        let cells = random.multinomial(
          rows[group],
          [
            1 - before[group] - gained[group], gained[group], lost[group],
            before[group] - lost[group],
          ])
        tally.cells[2 * group + 1] = SIMD4(cells.map(Double.init))
        let negatives = random.multinomial(
          rows[group] * 2,
          [
            0.8 - gained[group], gained[group], lost[group], 0.2 - lost[group],
          ])
        tally.cells[2 * group] = SIMD4(negatives.map(Double.init))
      }
      return tally
    }

    var name: String {
      let flips = zip(lost, gained).map { "\(written(($0 + $1) * 100, decimals: 1)) %" }
      return "TPR of \(rows.map(String.init).joined(separator: " and ")), flips "
        + flips.joined(separator: " and ")
    }
  }

  private static let flippings = [
    Flipping(
      rows: [7984, 1914], before: [0.86, 0.65], lost: [0.01, 0.02], gained: [0.01, 0.005]),
    Flipping(
      rows: [7984, 1914], before: [0.86, 0.65], lost: [0.0005, 0.0008],
      gained: [0.0005, 0.0002]),
    Flipping(rows: [300, 100], before: [0.8, 0.6], lost: [0.02, 0.05], gained: [0.02, 0.01]),
    Flipping(rows: [60, 30], before: [0.8, 0.6], lost: [0.03, 0.06], gained: [0.03, 0.02]),
  ]

  /// What repairs and lucky models do: gaps that vanish, that change their sign, that are 0 before
  /// and after; and four groups, of which two are equally far out.
  private static let corners = [
    Flipping(rows: [1914, 400], before: [0.8, 0.6], lost: [0.01, 0.01], gained: [0.01, 0.21]),
    Flipping(rows: [1914, 400], before: [0.8, 0.7], lost: [0.02, 0.01], gained: [0.01, 0.16]),
    Flipping(rows: [1914, 400], before: [0.8, 0.8], lost: [0.01, 0.01], gained: [0.01, 0.01]),
    Flipping(
      rows: [1000, 300, 300, 100], before: [0.8, 0.6, 0.6, 0.7], lost: [0.01, 0.02, 0.01, 0.02],
      gained: [0.01, 0.01, 0.02, 0.02]),
    Flipping(
      rows: [1000, 300, 300, 100], before: [0.8, 0.8, 0.8, 0.8], lost: [0.01, 0.02, 0.02, 0.02],
      gained: [0.01, 0.02, 0.02, 0.02]),
    Flipping(
      rows: [1000, 300, 300, 100], before: [0.8, 0.6, 0.7, 0.7], lost: [0.01, 0.01, 0.01, 0.01],
      gained: [0.01, 0.21, 0.11, 0.11]),
  ]

  /// The coverage of 95 % intervals of the drift of a gap, closed and resampled.
  public func drifts() -> [Line] {
    Self.flippings.flatMap { setting in
      let closed = share(
        "drift of equal opportunity, \(setting.name)", "Tango and MOVER", simulations
      ) { random in
        let tally = setting.draw(&random)
        let parts = (0..<2).compactMap {
          tally.change(.truePositiveRate, group: $0)?.estimate()
        }
        guard parts.count == 2 else { return nil }
        return Estimate.difference(from: parts[0], to: parts[1]).interval
          .contains(setting.drift)
      }
      let schemes = [Resampling.stratified, .rows, .poisson, .posterior].map { scheme in
        share(
          "drift of equal opportunity, \(setting.name)", "\(scheme.rawValue), percentile",
          resampled
        ) { random in
          let tally = setting.draw(&random)
          return resampledDrift(.equalOpportunity, tally, scheme, &random)
            .map { $0.contains(setting.drift) }
        }
      }
      return [closed] + schemes
    }
  }

  /// The coverage of the intervals of drifts that have no closed form.
  public func compositeDrifts() -> [Line] {
    let kinds: [GapKind] = [.predictiveParity, .equalizedOdds, .averageAbsoluteOdds, .f1]
    let growths = (Self.flippings + Self.corners).flatMap { setting in
      (setting.rows.count > 2
        ? [GapKind.equalizedOdds] : [.equalOpportunity, .averageAbsoluteOdds]).map { kind in
          let truth = Self.growth(kind, setting)
          return share("growth of \(kind.title), \(setting.name)", "MOVER by cases", simulations) {
            random in
            DriftMaker(tally: setting.draw(&random)).growths.interval(kind, .full)
              .map { $0.contains(truth) }
          }
        }
    }
    return growths
      + (Self.flippings + Self.corners).flatMap { setting in
        (setting.rows.count > 2 ? [.equalOpportunity] + kinds : kinds).flatMap { kind in
          (setting.rows.count > 2 ? [.posterior] : [Resampling.posterior, .stratified]).map {
            scheme in
            let truth = Self.truth(kind, setting)
            return share(
              "drift of \(kind.title), \(setting.name)", "\(scheme.rawValue), percentile",
              resampled
            ) { random in
              let tally = setting.draw(&random)
              return resampledDrift(kind, tally, scheme, &random).map { $0.contains(truth) }
            }
          }
        }
      }
  }

  private static func truth(_ kind: GapKind, _ setting: Flipping) -> Double {
    DriftMaker.drifts(of: cells(setting), [kind], GapTable(groups: setting.rows.count))[0]
  }

  private static func growth(_ kind: GapKind, _ setting: Flipping) -> Double {
    var tally = PairedTally(names: setting.rows.indices.map { "g\($0)" })
    tally.cells = cells(setting)
    return DriftMaker(tally: tally).drift(kind).growth ?? .nan
  }

  private static func cells(_ setting: Flipping) -> [SIMD4<Double>] {
    setting.rows.indices.flatMap { group -> [SIMD4<Double>] in
      let n = Double(setting.rows[group])
      let (gained, lost) = (setting.gained[group], setting.lost[group])
      let before = setting.before[group]
      return [
        SIMD4(0.8 - gained, gained, lost, 0.2 - lost) * (2 * n),
        SIMD4(1 - before - gained, gained, lost, before - lost) * n,
      ]
    }
  }

  private func resampledDrift(
    _ kind: GapKind, _ tally: PairedTally, _ scheme: Resampling, _ random: inout Random
  ) -> Interval? {
    let resampler = CellResampler(strata: tally.cells, scheme: scheme)
    let table = GapTable(groups: tally.names.count)
    let values = (0..<500).map { _ in
      DriftMaker.drifts(of: resampler.draw(using: &random), [kind], table)[0]
    }
    return Replicates(values).percentile()
  }

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

  /// The coverage of intervals of the calibration error, for scores that are calibrated or not.
  public func calibration() -> [Line] {
    let shapes: [(name: String, truth: @Sendable (Double) -> Double)] = [
      ("calibrated", { $0 }), ("scores 0.05 too high", { max(0, $0 - 0.05) }),
      ("scores too extreme", { 0.1 + 0.8 * $0 }), ("scores far too high", { $0 * $0 }),
    ]
    return [300, 2000, 20000].flatMap { rows in
      shapes.map { shape in
        let truth = Self.calibrationError(shape.truth)
        return share(
          "calibration error of \(rows) rows, \(shape.name)", "inverted bootstrap tests",
          resampled
        ) { random in
          var parts = (positives: [Double](), negatives: [Double]())
          for _ in 0..<rows {
            let score = random.uniform()
            if random.uniform() < shape.truth(score) {
              parts.positives.append(score)
            } else {
              parts.negatives.append(score)
            }
          }
          return RankedScores(
            positives: parts.positives.sorted(), negatives: parts.negatives.sorted()
          ).calibrationError(confidence: 0.95).interval?.contains(truth)
        }
      }
    }
  }

  /// The error over ten bins of evenly spread scores, by fine sums.
  private static func calibrationError(_ truth: (Double) -> Double) -> Double {
    let fine = 20_000
    return (0..<10).reduce(0.0) { sum, bin in
      let distance = (0..<fine / 10).reduce(0.0) { sum, i in
        let score = (Double(bin * fine / 10 + i) + 0.5) / Double(fine)
        return sum + truth(score) - score
      }
      return sum + abs(distance) / Double(fine)
    }
  }

  /// The coverage of pooled rates beside plain ones, over groups whose rates are drawn too, and how
  /// often the pooled rate is the nearer one.
  public func pooling() -> [Line] {
    [(groups: 4, spread: 20.0), (12, 20), (12, 400), (50, 20)].flatMap { setting in
      let name =
        "\(setting.groups) groups of 8 to 200 rows, rates spread by "
        + "\(written((0.24 / (setting.spread + 1)).squareRoot(), decimals: 2))"
      @Sendable func draw(
        _ random: inout Random
      ) -> (truth: Double, plain: Double, wilson: Interval, pooled: Estimate)? {
        var (groups, truths): ([PartialPooling.Group], [Double]) = ([], [])
        for group in 0..<setting.groups {
          let (a, b) = (random.gamma(0.6 * setting.spread), random.gamma(0.4 * setting.spread))
          let rows = group == 0 ? 8 : 8 + random.below(193)
          truths.append(a / (a + b))
          groups.append(
            .init(hits: Double(random.binomial(rows, a / (a + b))), trials: Double(rows)))
        }
        let estimates = PartialPooling.estimates(groups, confidence: 0.95)
        guard let pooled = estimates?.first else { return nil }
        let (hits, trials) = (groups[0].hits, groups[0].trials)
        return (truths[0], hits / trials, .wilson(hits, of: trials), pooled)
      }
      return [
        share("smallest of \(name)", "Wilson", resampled) { random in
          draw(&random).map { $0.wilson.contains($0.truth) }
        },
        share("smallest of \(name)", "partially pooled", resampled) { random in
          draw(&random).map { $0.pooled.interval.contains($0.truth) }
        },
        share("smallest of \(name)", "pooled is nearer than plain", resampled) { random in
          draw(&random).map { abs($0.pooled.value - $0.truth) < abs($0.plain - $0.truth) }
        },
      ]
    }
  }

  /// All lines as a Markdown table; `progress` hears what is being simulated.
  public func markdown(progress: (String) -> Void = { _ in }) -> String {
    var lines = ["| what | method | share | ± | samples |", "| --- | --- | --- | --- | --- |"]
    let parts: [(String, () -> [Line])] = [
      ("rates", rates), ("gaps", gaps), ("drifts", drifts), ("composite drifts", compositeDrifts),
      ("alarms", alarms), ("drifts by cluster", clusteredDrifts),
      ("calibration errors", calibration), ("pooled rates", pooling),
    ]
    for (name, part) in parts {
      progress("simulating \(name)")
      for line in part() {
        lines.append(
          "| \(line.name) | \(line.method) | \(written(line.share * 100, decimals: 1)) % "
            + "| \(written(line.error * 100, decimals: 1)) | \(line.count) |")
      }
    }
    return lines.joined(separator: "\n")
  }
}
