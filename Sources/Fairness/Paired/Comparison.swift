/// Two models on the same people: who flipped, and what became of every gap.
///
/// Encodes as the JSON that `equant compare --format json` prints.
public struct Comparison: Hashable, Codable, Sendable {
  /// The decisions that changed in one group and label.
  public struct Flips: Hashable, Codable, Sendable {
    /// The name of the group.
    public var group: String
    /// The label of the rows: 1 is positive.
    public var label: Int
    /// The number of rows of the group and label.
    public var count: Int
    /// Rows that only the second model calls positive.
    public var gained: Int
    /// Rows that only the first model calls positive.
    public var lost: Int
    /// McNemar's mid-p value: whether the flips lean to one side.
    public var p: Double
  }

  /// How a rate of one group changed.
  public struct Change: Hashable, Codable, Sendable {
    /// The name of the group; `all` for all rows.
    public var group: String
    /// The rate before; nil when it is undefined.
    public var before: Double?
    /// The rate after; nil when it is undefined.
    public var after: Double?
    /// The change; nil when it is undefined.
    public var value: Double?
    /// The lower end of its interval.
    public var low: Double?
    /// The upper end of its interval.
    public var high: Double?
    /// The lower end at the confidence of one-sided tests.
    public var equivalenceLow: Double?
    /// The upper end at the confidence of one-sided tests.
    public var equivalenceHigh: Double?
    /// McNemar's mid-p value; nil where it does not apply.
    public var p: Double?
  }

  /// The number of rows.
  public var rows: Int
  /// A drift inside plus and minus this counts as none.
  public var margin: Double
  /// The confidence of every interval.
  public var confidence: Double
  /// The threshold of the first model.
  public var threshold: Double
  /// The threshold of the second model.
  public var thresholdAfter: Double
  /// The flips of every group and label.
  public var flips: [Flips]
  /// The change of the main rates, of every group and of all rows.
  public var changes: [Measure: [Change]]
  /// The drift of every gap.
  public var drift: [GapKind: Drift]
  /// What a reader has to know before believing a number, in plain words.
  public var warnings: [String]
}

/// Choices that a comparison leaves open.
public struct ComparisonOptions: Hashable, Sendable {
  /// A row is called positive when its score is at least this.
  public var threshold = 0.5
  /// Another threshold for the second model.
  public var thresholdAfter: Double?
  /// A drift inside plus and minus this counts as none.
  public var margin = 0.01
  /// The confidence of every interval.
  public var confidence = 0.95
  /// The group that the others are compared with; nil compares all pairs.
  public var reference: String?
  /// The number of resamples for drifts that have no closed interval.
  public var draws = 2000
  /// Where the random sequences start.
  public var seed: UInt64 = 0
  /// Cells with fewer rows are warned about.
  public var minimumCell = 30
  /// Whether changes and drifts of AUC, Brier score and the like are computed.
  public var scores = true

  /// The usual choices: threshold 0.5, margin 0.01, confidence 95 %, 2000 resamples.
  public init() {}
}

extension Comparison {
  /// Compares two models' outcomes on the same rows.
  ///
  /// Drifts of rates with fixed denominators have Tango's intervals joined by MOVER, with the
  /// effective number of rows when they have weights or clusters. Others are resampled: from the
  /// posterior of the cells, or by cluster; among more than two groups each group's change is, and
  /// those are joined by MOVER. AUC, Brier score and other measures of scores have normal intervals.
  ///
  /// - Throws: ``FairnessError`` when rows, labels, groups or weights differ or the reference is
  ///   unknown.
  public init(
    before: Outcomes, after: Outcomes, options: ComparisonOptions = ComparisonOptions()
  ) throws(FairnessError) {
    let tally = try PairedTally(
      before: before, after: after, threshold: options.threshold,
      thresholdAfter: options.thresholdAfter)
    let clusters = before.clusters.map {
      PairedClusters(
        before: before, after: after, clusters: $0, threshold: options.threshold,
        thresholdAfter: options.thresholdAfter ?? options.threshold)
    }
    try self.init(tally, clusters: clusters, options: options)
    func isGraded(_ score: Double) -> Bool { score != 0 && score != 1 }
    guard options.scores,
      before.scores.contains(where: isGraded) || after.scores.contains(where: isGraded)
    else { return }
    let scored = ScoreDrifts(
      before, after, reference: options.reference.flatMap { tally.names.firstIndex(of: $0) },
      options: options)
    changes.merge(scored.changes()) { _, new in new }
    drift.merge(scored.drifts()) { _, new in new }
  }

  /// Compares two models from the counts of their decisions on the same rows.
  ///
  /// - Throws: ``FairnessError/unknownGroup(_:known:)`` when the reference is not a group.
  public init(
    _ tally: PairedTally, options: ComparisonOptions = ComparisonOptions()
  ) throws(FairnessError) {
    try self.init(tally, clusters: nil, options: options)
  }

  init(
    _ tally: PairedTally, clusters: PairedClusters?, options: ComparisonOptions
  ) throws(FairnessError) {
    var reference: Int?
    if let name = options.reference {
      reference = tally.names.firstIndex(of: name)
      if reference == nil { throw .unknownGroup(name, known: tally.names) }
    }
    rows = tally.rows
    margin = options.margin
    confidence = options.confidence
    threshold = options.threshold
    thresholdAfter = options.thresholdAfter ?? options.threshold
    flips = tally.names.indices.flatMap { group in
      [false, true].map { label in
        let cell = tally.rowCell(group, label: label)
        let (gained, lost) = (Int(cell[1]), Int(cell[2]))
        return Flips(
          group: tally.names[group], label: label ? 1 : 0, count: Int(cell.sum()),
          gained: gained, lost: lost, p: McNemar.midP(lost: lost, gained: gained))
      }
    }
    let maker = DriftMaker(
      tally: tally, clusters: clusters, reference: reference, options: options)
    changes = maker.changes()
    drift = maker.drifts()
    warnings = []
    warn(tally, options, clustered: clusters != nil)
  }

  private mutating func warn(
    _ tally: PairedTally, _ options: ComparisonOptions, clustered: Bool
  ) {
    for cell in flips where cell.count < options.minimumCell {
      let label = cell.label == 1 ? "positives" : "negatives"
      warnings.append(
        cell.count == 0
          ? "group \(cell.group) has no \(label): its rate is undefined"
          : "group \(cell.group) has only \(counted(Double(cell.count), label))")
    }
    if tally.cells.allSatisfy({ $0[1] == 0 && $0[2] == 0 }) {
      warnings.append("no decision flipped: the two models decide alike on these rows")
    }
    // TNR, FNR and error rate would only repeat these.
    for kind in [GapKind.equalOpportunity, .fprDifference, .equalizedOdds, .accuracy] {
      guard let drift = drift[kind], drift.levellingDown == true, let before = drift.before,
        let after = drift.after
      else { continue }
      let chance = drift.interval?.contains(0) ?? true ? " (chance could explain that)" : ""
      warnings.append(
        "levelling down: the gap of \(kind.title) shrank from "
          + "\(written(abs(before), decimals: 3)) to \(written(abs(after), decimals: 3))\(chance), "
          + "but no group is better off and some are worse off")
    }
    if clustered {
      warnings.append(
        "intervals respect clusters; McNemar's p-values of single cells count rows")
    } else if tally.weights != nil {
      warnings.append(
        "intervals respect weights; flips and McNemar's p-values count rows, and drifts of weighted "
          + "rates have no p-value")
    }
  }
}
