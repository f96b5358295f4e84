/// What a fit found: what it did to the rates of every group on the rows it was fitted on.
///
/// These are no estimates of what the repair does elsewhere: that is measured on other rows.
public struct RepairFit: Hashable, Codable, Sendable {
  /// The rates of one group.
  public struct Cell: Hashable, Codable, Sendable {
    /// The name of the group.
    public var group: String
    /// The number of rows.
    public var rows: Int
    /// Before and after, as probabilities; nil where no row counts.
    public var accuracy: Change
    /// The share of positives called positive.
    public var truePositiveRate: Change
    /// The share of negatives called positive.
    public var falsePositiveRate: Change
    /// The share of rows called positive.
    public var selectionRate: Change
  }

  /// A rate before the repair, and its expectation after it.
  public struct Change: Hashable, Codable, Sendable {
    /// Before; nil when it is undefined.
    public var before: Double?
    /// After; nil when it is undefined.
    public var after: Double?

    /// How much it grew; nil when it is undefined.
    public var growth: Double? { before.flatMap { before in after.map { $0 - before } } }
  }

  /// A row was called positive before when its score was at least this.
  public var threshold: Double
  /// The choices that were made, by name, as text.
  public var settings: [String: String]
  /// Every group, in the order of the rules.
  public var cells: [Cell]
  /// Whether the fit reached what it aims at.
  public var isFeasible: Bool
  /// What a reader has to know, in plain words.
  public var notes: [String]
}

extension RepairFit {
  /// What `rules` do to the rows they were fitted on, and what has to be said about it.
  init(
    _ outcomes: Outcomes, rules: [Repair.Rule], threshold: Double, settings: [String: String],
    isFeasible: Bool, notes: [String]
  ) throws(RepairError) {
    self.threshold = threshold
    self.settings = settings
    self.isFeasible = isFeasible
    cells = []
    self.notes = []
    let repair = Repair(method: .thresholds, attribute: "", rules: rules, fit: self)
    let after = Tally(
      probabilities: try repair.probabilities(scores: outcomes.scores, groups: outcomes.groups),
      labels: outcomes.labels, groups: outcomes.groups, weights: outcomes.weights)
    let before = Tally(outcomes, threshold: threshold)
    cells = before.names.indices.map { group in
      func change(_ measure: Measure) -> Change {
        Change(
          before: before.counts[group].rate(measure).value,
          after: after.counts[group].rate(measure).value)
      }
      return Cell(
        group: before.names[group], rows: before.rows[group], accuracy: change(.accuracy),
        truePositiveRate: change(.truePositiveRate), falsePositiveRate: change(.falsePositiveRate),
        selectionRate: change(.selectionRate))
    }
    self.notes = notes + remarks(repair)
  }

  private func remarks(_ repair: Repair) -> [String] {
    var remarks: [String] = []
    remarks.append(
      repair.needsGroup
        ? "needs to know the group of everyone it decides about"
        : "treats everyone alike: it needs no group")
    let levels = repair.rules.flatMap { [$0.otherwise] + $0.steps.map(\.probability) }
    if levels.contains(where: { $0 > 0 && $0 < 1 }) {
      remarks.append(
        "decides by lot where it must: two people with equal scores may be decided differently")
    }
    for cell in cells {
      var losses: [String] = []
      let worse: [(String, Change, Double)] = [
        ("TPR", cell.truePositiveRate, -1), ("FPR", cell.falsePositiveRate, 1),
      ]
      for (name, change, sign) in worse {
        guard let growth = change.growth, growth * sign > 0.0005, let before = change.before,
          let after = change.after
        else { continue }
        losses.append("\(name) \(written(before, decimals: 3)) to \(written(after, decimals: 3))")
      }
      if !losses.isEmpty {
        remarks.append("levels \(cell.group) down: \(losses.joined(separator: ", "))")
      }
    }
    return remarks
  }
}
