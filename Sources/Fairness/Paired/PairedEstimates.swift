/// What two models' decisions say of every group's rates: the change, the sum, and both values,
/// each with its interval.
///
/// Everything that is known of a drift between groups is joined from these.
struct PairedEstimates: Sendable {
  /// Which two-sided confidence an interval has.
  enum Level: Int, CaseIterable { case full, equivalence }

  /// One rate of one group.
  struct Estimates: Sendable {
    /// `after - before` at every ``Level``.
    var change: [Estimate]
    /// `before + after - 1` at every ``Level``; the 1 leaves every difference between groups.
    var sum: [Estimate]
    /// The rate of either model with an interval at 99 %.
    var before: Estimate
    var after: Estimate
  }

  /// By how much every group's rows are thinned out to count as independent ones of weight 1.
  struct Factors: Sendable {
    var change = 1.0
    var sum = 1.0
    var before = 1.0
    var after = 1.0
  }

  /// The measures whose denominator both models share.
  static let measures: [Measure] = [
    .accuracy, .errorRate, .truePositiveRate, .falsePositiveRate, .trueNegativeRate,
    .falseNegativeRate, .selectionRate,
  ]

  /// By measure and group; nil where a group has no rows.
  let table: [Measure: [Estimates?]]

  /// Estimates that were made otherwise.
  init(table: [Measure: [Estimates?]]) { self.table = table }

  /// How rows are thinned out, by measure and group; empty where each counts as it is.
  static func factors(
    _ tally: PairedTally, _ clusters: PairedClusters?
  ) -> [Measure: [Factors]] {
    guard clusters != nil || tally.weights != nil else { return [:] }
    let (turnedTally, turnedClusters) = (tally.turned, clusters?.turned)
    let sides = [false, true].map { after in
      (tally: tally.tally(after: after), clusters: clusters?.side(after: after))
    }
    let all = onAllCores(measures.count) { place in
      let measure = measures[place]
      return tally.names.indices.map { group -> Factors in
        func factor(_ tally: PairedTally, _ clusters: PairedClusters?) -> Double {
          guard let clusters else { return tally.thinning(measure, group: group) }
          return clusters.thinning(measure, group: group, most: tally.most(measure, group: group))
        }
        func factor(_ side: (tally: Tally, clusters: ClusterTally?)) -> Double {
          side.tally.counts[group].effectiveShare(measure) { hits, inside, most in
            side.clusters?.effectiveRows(
              group: group, numerator: hits, denominator: inside, most: most) ?? most
          }
        }
        return Factors(
          change: factor(tally, clusters), sum: factor(turnedTally, turnedClusters),
          before: factor(sides[0]), after: factor(sides[1]))
      }
    }
    return Dictionary(uniqueKeysWithValues: zip(measures, all))
  }

  /// The estimates of `measures`.
  ///
  /// - Parameters:
  ///   - tally: The decisions.
  ///   - factors: What ``factors(_:_:)`` gave for these rows, or fewer like them.
  ///   - confidence: The confidence of two-sided intervals.
  ///   - measures: What is wanted of ``measures``.
  init(
    _ tally: PairedTally, factors: [Measure: [Factors]], confidence: Double,
    measures: [Measure] = Self.measures
  ) {
    let levels = [confidence, 1 - 2 * (1 - confidence)]
    let turned = tally.turned
    var table: [Measure: [Estimates?]] = [:]
    for measure in measures {
      table[measure] = tally.names.indices.map { group in
        guard let change = tally.change(measure, group: group),
          let sum = turned.change(measure, group: group)
        else { return nil }
        let factor = factors[measure]?[group] ?? Factors()
        func side(_ after: Bool, _ factor: Double) -> Estimate {
          // Of the rows that count in both, or in only one of the models.
          let hits = sum.gained + (after ? change.gained : change.lost)
          let trials = change.rows * factor
          return Estimate(
            hits / change.rows,
            .wilson(hits / change.rows * trials, of: trials, confidence: 0.99))
        }
        return Estimates(
          change: levels.map { change.thinned(factor.change).estimate(confidence: $0) },
          sum: levels.map { sum.thinned(factor.sum).estimate(confidence: $0) },
          before: side(false, factor.before), after: side(true, factor.after))
      }
    }
    self.table = table
  }
}

extension PairedChange {
  /// The same change of `factor` as many rows.
  func thinned(_ factor: Double) -> PairedChange {
    PairedChange(lost: lost * factor, gained: gained * factor, rows: rows * factor)
  }
}

extension PairedTally {
  /// How many rows there are for a weight of 1 under the fraction bar of a measure.
  func most(_ measure: Measure, group: Int) -> Double {
    let (no, yes) = (2 * group, 2 * group + 1)
    guard let weights,
      let sums = Self.change(measure, no: cells[no], yes: cells[yes]), sums.rows > 0,
      let rows = Self.change(measure, no: weights.rows[no], yes: weights.rows[yes])
    else { return 1 }
    return rows.rows / sums.rows
  }

  /// `factor` times as many rows, with half a flip more in every direction of every group and label.
  ///
  /// For plans: that no decision flipped among a few rows does not promise that none will among
  /// many. Half a flip to each side is what Jeffreys' prior adds.
  func planned(_ factor: Double) -> PairedTally {
    var planned = self
    for i in cells.indices where cells[i].sum() > 0 {
      let rows = cells[i].sum()
      let more = cells[i] + Cell(0, 0.5, 0.5, 0)
      planned.cells[i] = more * (rows * factor / more.sum())
    }
    planned.weights = nil
    return planned
  }
}
