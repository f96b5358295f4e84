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
    /// How often each decision met each truth.
    public var counts: Counts
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
  /// Every ratio, also the undefined ones.
  public var ratios: [RatioKind: Ratio]
  /// The worst and the best group of every measure that any group has.
  public var extremes: [Measure: Extremes]
  /// How unevenly decisions fall over people and between groups.
  public var inequality: [InequalityKind: InequalityIndex]
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
  /// Whether AUC, calibration and the like are computed, which takes sorting the scores.
  public var scores = true

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
  /// When the rows have clusters, intervals of decisions use the effective number of rows.
  ///
  /// - Throws: ``FairnessError/unknownGroup(_:known:)`` when the reference is not a group.
  public init(
    _ outcomes: Outcomes, options: AuditOptions = AuditOptions()
  ) throws(FairnessError) {
    var source = Source(tally: Tally(outcomes, threshold: options.threshold))
    if options.scores && outcomes.scores.contains(where: { $0 != 0 && $0 != 1 }) {
      source.scores = ScoreTable(outcomes)
    }
    if let clusters = outcomes.clusters {
      source.clusters = ClusterTally(
        outcomes, clusters: clusters, threshold: options.threshold)
    }
    try self.init(source, options: options)
  }

  /// Audits counts of decisions.
  ///
  /// - Throws: ``FairnessError/unknownGroup(_:known:)`` when the reference is not a group.
  public init(_ tally: Tally, options: AuditOptions = AuditOptions()) throws(FairnessError) {
    try self.init(Source(tally: tally), options: options)
  }

  /// What rates are computed from.
  struct Source: Sendable {
    var tally: Tally
    var scores: ScoreTable?
    var clusters: ClusterTally?

    /// The measures that can be computed from what there is.
    var measures: [Measure] { scores == nil ? Measure.ofDecisions : Measure.allCases }

    /// A measure of one group, or of all rows when `group` is nil.
    func rate(_ measure: Measure, group: Int?, confidence: Double) -> Rate {
      if measure.isOfDecisions {
        let counts = group.map { tally.counts[$0] } ?? tally.overall
        return counts.rate(measure, confidence: confidence) { hits, inside, most in
          clusters?.effectiveRows(
            group: group, numerator: hits, denominator: inside, most: most) ?? most
        }
      }
      return scores?.rate(measure, group: group ?? 0, confidence: confidence)
        ?? Rate(undefined: "needs scores, not counts of decisions")
    }
  }

  init(_ source: Source, options: AuditOptions) throws(FairnessError) {
    let tally = source.tally
    var reference: Int?
    if let name = options.reference {
      reference = tally.names.firstIndex(of: name)
      if reference == nil { throw .unknownGroup(name, known: tally.names) }
    }
    rows = tally.rows.reduce(0, +)
    threshold = options.threshold
    confidence = options.confidence
    self.reference = options.reference
    var whole = source
    whole.scores = source.scores?.overall
    func rates(_ source: Source, _ group: Int?) -> [Measure: Rate] {
      Dictionary(
        uniqueKeysWithValues: source.measures.map {
          ($0, source.rate($0, group: group, confidence: options.confidence))
        })
    }
    overall = rates(whole, nil)
    groups = tally.names.indices.map { group in
      Group(
        name: tally.names[group], count: tally.rows[group], counts: tally.counts[group],
        rates: rates(source, group))
    }
    let maker = GapMaker(
      names: tally.names, confidence: options.confidence, reference: reference,
      chance: NullExpectation(groups: tally.names.count)
    ) { group, measure, confidence in
      source.rate(measure, group: group, confidence: confidence)
    }
    let kinds = GapKind.allCases.filter { $0.measures.allSatisfy(source.measures.contains) }
    gaps = Dictionary(
      uniqueKeysWithValues: zip(kinds, onAllCores(kinds.count) { maker.gap(kinds[$0]) }))
    let ratioKinds = RatioKind.allCases
    ratios = Dictionary(
      uniqueKeysWithValues: zip(
        ratioKinds, onAllCores(ratioKinds.count) { maker.ratio(ratioKinds[$0]) }))
    extremes = [:]
    for measure in source.measures { extremes[measure] = Extremes(measure, groups) }
    inequality = Dictionary(
      uniqueKeysWithValues: InequalityKind.allCases.map { ($0, $0.index(of: tally.counts)) })
    warnings = []
    pool(source, confidence: options.confidence)
    warn(minimumCell: options.minimumCell)
  }

  /// Adds to the shares of every group what they are when groups inform each other.
  private mutating func pool(_ source: Source, confidence: Double) {
    guard groups.filter({ $0.count > 0 }).count >= 3 else { return }
    let measures = PartialPooling.measures
    let names = groups.indices
    let pooled = onAllCores(measures.count) { place -> [(Int, Estimate)] in
      let parts = names.compactMap { group -> (Int, PartialPooling.Group)? in
        let counts = source.tally.counts[group]
        let share = counts.effectiveHits(measures[place]) { hits, inside, most in
          source.clusters?.effectiveRows(
            group: group, numerator: hits, denominator: inside, most: most) ?? most
        }
        return share.map { (group, $0) }
      }
      let estimates = PartialPooling.estimates(parts.map(\.1), confidence: confidence)
      return estimates.map { Array(zip(parts.map(\.0), $0)) } ?? []
    }
    for (measure, estimates) in zip(measures, pooled) {
      for (group, estimate) in estimates { groups[group].rates[measure]?.pooled = estimate }
    }
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
    for group in groups where group.count == 0 {
      warnings.append("group \(group.name) has no rows: all its rates are undefined")
    }
    for (measure, name) in cells {
      warn(of: measure, name, minimumCell: Double(minimumCell))
    }
    let formed = Self.toldOf.filter { gaps[$0]?.value != nil }
    for group in groups where group.count > 0 {
      let without = formed.filter { gaps[$0]?.leftOut.contains(group.name) ?? false }
      guard !without.isEmpty else { continue }
      let names = without.map(\.title).joined(separator: ", ")
      warnings.append("group \(group.name) takes no part in the gaps it has no rate for: \(names)")
    }
  }
}

extension Audit {
  /// The gaps that a warning about a group that is left out names; the others say the same.
  private static let toldOf: [GapKind] = [
    .equalOpportunity, .fprDifference, .equalizedOdds, .demographicParity, .predictiveParity,
    .accuracy, .auc,
  ]

  /// As many groups with small cells of one kind are told of one by one.
  private static let most = 6

  /// Says which groups have few or no rows under the fraction bar of `measure`.
  private mutating func warn(of measure: Measure, _ name: String, minimumCell: Double) {
    let known = groups.filter { $0.count > 0 }.compactMap { group in
      group.rates[measure].map { (name: group.name, rate: $0) }
    }
    for group in known where group.rate.value == nil {
      warnings.append("group \(group.name) has no \(name): its \(measure.title) is undefined")
    }
    let small = known.filter { $0.rate.value != nil && $0.rate.denominator < minimumCell }
      .sorted { $0.rate.denominator < $1.rate.denominator }
    for group in small.prefix(small.count > Self.most ? 3 : Self.most) {
      guard let value = group.rate.value, let interval = group.rate.interval else { continue }
      warnings.append(
        "group \(group.name) has \(counted(group.rate.denominator, name)): its "
          + "\(measure.title) is \(written(value, decimals: 2)) with interval "
          + "\(written(interval.low, decimals: 2)) to \(written(interval.high, decimals: 2))")
    }
    if small.count > Self.most {
      warnings.append(
        "\(small.count - 3) more groups have fewer than \(written(minimumCell)) \(name): "
          + "see the interval of each \(measure.title)")
    }
  }
}

/// `1 positive`, `2 positives`, `1 row called positive`.
func counted(_ count: Double, _ names: String) -> String {
  guard count == 1 else { return "\(written(count)) \(names)" }
  let words = names.split(separator: " ", maxSplits: 1)
  let rest = words.count > 1 ? " \(words[1])" : ""
  return "1 \(words[0].dropLast())\(rest)"
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
