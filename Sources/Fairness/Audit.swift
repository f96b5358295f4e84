/// How a classifier treats every group, and how far the groups are apart.
///
/// Encodes as the JSON that `equant audit --format json` prints.
public struct Audit: Hashable, Codable, Sendable {
  /// One group of an audit.
  public struct Group: Hashable, Codable, Sendable {
    /// The name of the group.
    public var name: String
    /// The number of its rows; 0 for a group that is known and has none.
    public var count: Int
    /// Every measure, also the undefined ones.
    public var rates: [Measure: Rate]
  }

  /// The number of rows.
  public var rows: Int
  /// A row is called positive when its score is at least this.
  public var threshold: Double
  /// The confidence of every interval.
  public var confidence: Double
  /// The group that the others are compared with; nil when all pairs are.
  public var reference: String?
  /// Every measure over all rows.
  public var overall: [Measure: Rate]
  /// Every group, also the empty ones.
  public var groups: [Group]
  /// Every gap, also the undefined ones.
  public var gaps: [GapKind: Gap]
  /// What a reader has to know before believing a number, in plain words.
  public var warnings: [String]
}

/// Choices that an audit leaves open.
public struct AuditOptions: Hashable, Sendable {
  /// A row is called positive when its score is at least this.
  public var threshold = 0.5
  /// The confidence of every interval.
  public var confidence = 0.95
  /// The group that the others are compared with; nil compares all pairs.
  public var reference: String?
  /// Cells with fewer rows are warned about; nothing is hidden.
  public var minimumCell = 30

  /// The usual choices: threshold 0.5, confidence 95 %, all pairs, cells below 30 flagged.
  public init() {}
}

/// Why an audit could not be made.
public enum FairnessError: Error, Hashable, CustomStringConvertible {
  /// The reference group is none of the groups.
  case unknownGroup(String, known: [String])
  /// Two models' rows are not the same people.
  case mismatch(String)

  /// What is wrong and what there is.
  public var description: String {
    switch self {
    case .unknownGroup(let name, let known):
      "there is no group '\(name)'; the groups are \(known.joined(separator: ", "))"
    case .mismatch(let what): what
    }
  }
}

extension Audit {
  /// Audits rows with scores: counts them, forms rates and gaps with intervals, and warns.
  ///
  /// - Throws: ``FairnessError/unknownGroup(_:known:)`` when the reference is not a group.
  public init(
    _ outcomes: Outcomes, options: AuditOptions = AuditOptions()
  ) throws(FairnessError) {
    try self.init(Tally(outcomes, threshold: options.threshold), options: options)
  }

  /// Audits counts of decisions.
  ///
  /// - Throws: ``FairnessError/unknownGroup(_:known:)`` when the reference is not a group.
  public init(_ tally: Tally, options: AuditOptions = AuditOptions()) throws(FairnessError) {
    let reference: Int?
    if let name = options.reference {
      guard let position = tally.names.firstIndex(of: name) else {
        throw .unknownGroup(name, known: tally.names)
      }
      reference = position
    } else {
      reference = nil
    }
    rows = tally.rows.reduce(0, +)
    threshold = options.threshold
    confidence = options.confidence
    self.reference = options.reference
    let all = tally.overall
    func rates(_ counts: Counts) -> [Measure: Rate] {
      Dictionary(
        uniqueKeysWithValues: Measure.ofDecisions.map {
          ($0, counts.rate($0, confidence: options.confidence))
        })
    }
    overall = rates(all)
    groups = tally.names.indices.map {
      Group(name: tally.names[$0], count: tally.rows[$0], rates: rates(tally.counts[$0]))
    }
    let maker = GapMaker(
      names: tally.names, confidence: options.confidence, reference: reference
    ) { group, measure, confidence in
      tally.counts[group].rate(measure, confidence: confidence)
    }
    gaps = Dictionary(uniqueKeysWithValues: GapKind.ofDecisions.map { ($0, maker.gap($0)) })
    warnings = []
    warn(minimumCell: options.minimumCell)
  }

  /// Says in plain words which numbers rest on few rows or on none.
  private mutating func warn(minimumCell: Int) {
    if groups.count < 2 {
      warnings.append("there is only \(groups.count) group: no gap can be formed")
    }
    let cells: [(Measure, String)] = [
      (.truePositiveRate, "positives"), (.falsePositiveRate, "negatives"),
      (.precision, "rows called positive"),
    ]
    for group in groups {
      if group.count == 0 {
        warnings.append("group \(group.name) has no rows: all its rates are undefined")
        continue
      }
      for (measure, name) in cells {
        guard let rate = group.rates[measure] else { continue }
        let count = written(rate.denominator)
        if let value = rate.value, let interval = rate.interval {
          guard rate.denominator < Double(minimumCell) else { continue }
          warnings.append(
            "group \(group.name) has \(count) \(name): its \(measure.title) is "
              + "\(written(value, decimals: 2)) with interval "
              + "\(written(interval.low, decimals: 2)) to \(written(interval.high, decimals: 2))")
        } else {
          warnings.append(
            "group \(group.name) has no \(name): its \(measure.title) is undefined")
        }
      }
    }
    for kind in GapKind.allCases {
      guard let gap = gaps[kind], gap.value != nil, !gap.leftOut.isEmpty else { continue }
      warnings.append(
        "the \(kind.title) gap leaves out \(gap.leftOut.joined(separator: ", ")): undefined there")
    }
  }
}

/// A count without a fraction when it is whole.
func written(_ count: Double) -> String {
  count == count.rounded() && abs(count) < 1e15 ? "\(Int(count))" : written(count, decimals: 2)
}

/// A number with a fixed count of decimals, without Foundation.
func written(_ value: Double, decimals: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
  var scale = 1
  for _ in 0..<decimals { scale *= 10 }
  let units = Int((abs(value) * Double(scale)).rounded())
  let sign = value < 0 && units > 0 ? "-" : ""
  guard decimals > 0 else { return "\(sign)\(units)" }
  let fraction = String(units % scale)
  let zeros = String(repeating: "0", count: decimals - fraction.count)
  return "\(sign)\(units / scale).\(zeros)\(fraction)"
}
