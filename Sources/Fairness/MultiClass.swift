/// What a classifier of more than two classes decided: every class against the rest, and their mean.
public struct MultiClassOutcomes: Sendable {
  /// The names of the classes.
  public let classes: [String]
  /// For every row the position of its true class.
  public let labels: [Int32]
  /// For every row the position of the class it was given.
  public let decisions: [Int32]
  /// The groups of every row.
  public let groups: Attribute

  /// Rows with a true class and a decided one.
  ///
  /// - Precondition: columns have the same length and hold positions in `classes`.
  public init(classes: [String], labels: [Int32], decisions: [Int32], groups: Attribute) {
    precondition(
      labels.count == decisions.count && labels.count == groups.codes.count,
      "the columns differ in length")
    precondition(
      (labels + decisions).allSatisfy { $0 >= 0 && $0 < classes.count },
      "a label or decision is none of the classes")
    self.classes = classes
    self.labels = labels
    self.decisions = decisions
    self.groups = groups
  }

  /// The counts of every group when one class is positive and all others negative.
  public func tally(of position: Int) -> Tally {
    var tally = Tally(names: groups.groups)
    for row in labels.indices {
      let group = Int(groups.codes[row])
      tally.counts[group].add(
        label: labels[row] == position, decision: decisions[row] == position)
      tally.rows[group] += 1
    }
    return tally
  }

  /// An audit of every class against the rest, by the name of the class.
  ///
  /// - Throws: ``FairnessError/unknownGroup(_:known:)`` when the reference is not a group.
  public func audits(
    options: AuditOptions = AuditOptions()
  ) throws(FairnessError) -> [String: Audit] {
    var audits: [String: Audit] = [:]
    for (position, name) in classes.enumerated() {
      audits[name] = try Audit(tally(of: position), options: options)
    }
    return audits
  }

  /// The share of rows of every group that were given their true class.
  public func accuracy(confidence: Double = 0.95) -> [Rate] {
    groups.groups.indices.map { group in
      let rows = labels.indices.filter { Int(groups.codes[$0]) == group }
      let right = rows.reduce(0) { $0 + (labels[$1] == decisions[$1] ? 1 : 0) }
      return Counts(
        truePositives: right, falsePositives: rows.count - right, falseNegatives: 0,
        trueNegatives: 0
      ).rate(.accuracy, confidence: confidence)
    }
  }

  /// The mean of a measure over classes for every group, every class counting alike.
  ///
  /// Undefined where it is undefined for a class, which the reason names. No interval is offered:
  /// the classes of one group share their rows.
  public func macro(_ measure: Measure) -> [Rate] {
    let tallies = classes.indices.map(tally)
    return groups.groups.indices.map { group in
      let rates = tallies.map { $0.counts[group].rate(measure) }
      if let bad = rates.firstIndex(where: { $0.value == nil }) {
        return Rate(undefined: "class \(classes[bad]): \(rates[bad].reason ?? "")")
      }
      let sum = rates.reduce(0) { $0 + ($1.value ?? 0) }
      return Rate(
        sum / Double(classes.count), interval: nil, numerator: sum,
        denominator: Double(classes.count))
    }
  }

  /// The widest difference of a macro mean between two groups; nil unless two are defined.
  public func macroGap(_ measure: Measure) -> Double? {
    let values = macro(measure).compactMap(\.value)
    guard values.count > 1, let low = values.min(), let high = values.max() else { return nil }
    return high - low
  }
}
