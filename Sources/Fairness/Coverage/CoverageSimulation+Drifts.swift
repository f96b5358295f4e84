extension CoverageSimulation {
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
    return growths + defaults()
      + (Self.flippings + Self.corners).flatMap { setting in
        (setting.rows.count > 2 ? [.equalOpportunity] + kinds : kinds).flatMap { kind in
          Self.alternatives(kind, groups: setting.rows.count).map { scheme in
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

  /// What could be drawn instead of what is the default for a kind.
  private static func alternatives(_ kind: GapKind, groups: Int) -> [Resampling] {
    if groups > 2 { return [.posterior] }
    return kind == .predictiveParity || kind == .f1 ? [.stratified] : [.posterior, .stratified]
  }

  /// The coverage of what ``Comparison`` gives for rates whose denominators flip too.
  private func defaults() -> [Line] {
    (Self.flippings + Self.corners.filter { $0.rows.count == 2 }).flatMap(defaults)
      + widestResampled()
  }

  /// The same for more than two groups.
  func widestResampled() -> [Line] {
    Self.corners.filter { $0.rows.count > 2 }.flatMap(defaults)
  }

  private func defaults(_ setting: Flipping) -> [Line] {
    [GapKind.predictiveParity, .f1].map { kind in
      let truth = Self.truth(kind, setting)
      let joining = setting.rows.count > 2 ? " and MOVER" : ""
      return share(
        "drift of \(kind.title), \(setting.name)",
        "posterior of the cells\(joining), as compare has it", 2 * resampled
      ) { random in
        var options = ComparisonOptions()
        options.seed = random.next()
        let maker = DriftMaker(tally: setting.draw(&random), options: options)
        return maker.drift(kind, maker.replicates([kind])[kind]).interval?.contains(truth)
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
}
