/// A difference between two groups, or the widest one among more.
public struct Gap: Hashable, Sendable {
  /// `rate(to) - rate(from)`; nil when it is undefined.
  public var value: Double?
  /// The size without the sign.
  public var absolute: Double?
  /// Where the true signed gap between ``from`` and ``to`` lies.
  public var interval: Interval?
  /// Where the true size lies; for more than two groups, that of the widest true gap.
  public var absoluteInterval: Interval?
  /// The size that chance alone would show on average if no group differed.
  ///
  /// A size is never below 0, so it is above 0 on average even for groups that are treated alike,
  /// and the more so the more groups there are.
  public var expectedIfEqual: Double?
  /// The group that is subtracted.
  public var from: String?
  /// The group it is subtracted from.
  public var to: String?
  /// Groups that could not take part because their rate is undefined.
  public var leftOut: [String] = []
  /// Why there is no value; nil when there is one.
  public var reason: String?
}

extension Gap: Codable {
  private enum Keys: String, CodingKey {
    case value, absolute, low, high, absoluteLow, absoluteHigh, expectedIfEqual, from, to
    case leftOut, reason
  }

  /// Reads what ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Keys.self)
    func interval(_ low: Keys, _ high: Keys) throws -> Interval? {
      guard let low = try keyed.decodeIfPresent(Double.self, forKey: low),
        let high = try keyed.decodeIfPresent(Double.self, forKey: high)
      else { return nil }
      return Interval(low, high)
    }
    value = try keyed.decodeIfPresent(Double.self, forKey: .value)
    absolute = try keyed.decodeIfPresent(Double.self, forKey: .absolute)
    self.interval = try interval(.low, .high)
    absoluteInterval = try interval(.absoluteLow, .absoluteHigh)
    expectedIfEqual = try keyed.decodeIfPresent(Double.self, forKey: .expectedIfEqual)
    from = try keyed.decodeIfPresent(String.self, forKey: .from)
    to = try keyed.decodeIfPresent(String.self, forKey: .to)
    leftOut = try keyed.decodeIfPresent([String].self, forKey: .leftOut) ?? []
    reason = try keyed.decodeIfPresent(String.self, forKey: .reason)
  }

  /// Writes the signed and the absolute gap with their intervals, and the names of the groups.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Keys.self)
    try keyed.encode(value, forKey: .value)
    try keyed.encode(absolute, forKey: .absolute)
    try keyed.encodeIfPresent(interval?.low, forKey: .low)
    try keyed.encodeIfPresent(interval?.high, forKey: .high)
    try keyed.encodeIfPresent(absoluteInterval?.low, forKey: .absoluteLow)
    try keyed.encodeIfPresent(absoluteInterval?.high, forKey: .absoluteHigh)
    try keyed.encodeIfPresent(expectedIfEqual, forKey: .expectedIfEqual)
    try keyed.encodeIfPresent(from, forKey: .from)
    try keyed.encodeIfPresent(to, forKey: .to)
    if !leftOut.isEmpty { try keyed.encode(leftOut, forKey: .leftOut) }
    try keyed.encodeIfPresent(reason, forKey: .reason)
  }
}

/// Forms gaps from the rates of every group.
///
/// Among more than two groups the widest pair is named after looking, so every interval is taken
/// at a confidence that holds for all pairs together (Bonferroni).
struct GapMaker: Sendable {
  var names: [String]
  var confidence: Double
  /// The position of the group that the others are compared with; nil compares all pairs.
  var reference: Int?
  /// What chance alone would show; nil leaves it out.
  var chance: NullExpectation?
  /// A measure of a group, given its position and a confidence.
  var rate: @Sendable (Int, Measure, Double) -> Rate

  /// The gap of one kind; when `from` is given, only that pair.
  func gap(_ kind: GapKind) -> Gap {
    let rates = names.indices.map { group in
      kind.measures.map { rate(group, $0, confidence) }
    }
    let defined = names.indices.filter { group in rates[group].allSatisfy { $0.value != nil } }
    var gap = Gap()
    gap.leftOut = names.indices.filter { !defined.contains($0) }.map { names[$0] }
    if let reference, !defined.contains(reference) {
      let reason = rates[reference].compactMap(\.reason).first ?? ""
      gap.reason = "the reference group \(names[reference]) has no value: \(reason)"
      return gap
    }
    guard defined.count > 1 else {
      let missing = gap.leftOut.first.map { "; \($0) has none" } ?? ""
      gap.reason = "needs two groups with a value\(missing)"
      return gap
    }
    let others = defined.filter { $0 != reference }
    let pairs = reference == nil ? defined.count * (defined.count - 1) / 2 : others.count
    let level = 1 - (1 - confidence) / Double(pairs * kind.measures.count)
    let exact = defined.map { group in kind.measures.map { rate(group, $0, level) } }
    let estimates = Dictionary(uniqueKeysWithValues: zip(defined, exact))
    var widest: Pair?
    var low = 0.0
    var high = 0.0
    func consider(_ from: Int, _ to: Int) {
      guard let a = estimates[from], let b = estimates[to] else { return }
      let pair = Pair(kind, from: from, to: to, a, b)
      if let absolute = pair.absoluteInterval {
        low = max(low, absolute.low)
        high = max(high, absolute.high)
      }
      if pair.absolute > widest?.absolute ?? -1 { widest = pair }
    }
    if let reference {
      for group in others { consider(reference, group) }
    } else {
      for (i, from) in defined.enumerated() {
        for to in defined[(i + 1)...] { consider(from, to) }
      }
    }
    guard var pair = widest else { return gap }
    // Two groups keep their order, so that the sign has a fixed meaning; of more, the difference
    // runs from the lowest to the highest.
    if reference == nil && names.count > 2 && pair.value < 0 { pair.turn() }
    gap.value = pair.value
    gap.absolute = pair.absolute
    gap.interval = pair.interval
    gap.absoluteInterval = pair.absoluteInterval == nil ? nil : Interval(low, high)
    gap.from = names[pair.from]
    gap.to = names[pair.to]
    let z = Normal.reach(confidence)
    let errors = kind.measures.indices.map { part in
      (reference.map { [$0] } ?? []).map { (rates[$0][part], true) }
        + others.map { (rates[$0][part], false) }
    }.map { part in
      part.compactMap { rate, _ in rate.interval.map { ($0.high - $0.low) / (2 * z) } }
    }
    if let chance, errors.allSatisfy({ $0.count == defined.count }) {
      gap.expectedIfEqual = chance.size(
        of: kind, errors: errors, hasReference: reference != nil)
    }
    return gap
  }

  /// The gap of one pair.
  private struct Pair {
    var from: Int
    var to: Int
    var value: Double
    var absolute: Double
    var interval: Interval?
    var absoluteInterval: Interval?

    init(_ kind: GapKind, from: Int, to: Int, _ a: [Rate], _ b: [Rate]) {
      self.from = from
      self.to = to
      let differences = zip(a, b).map { ($1.value ?? 0) - ($0.value ?? 0) }
      let estimates = zip(a, b).compactMap { from, to in
        from.estimate.flatMap { from in
          to.estimate.map { Estimate.difference(from: from, to: $0) }
        }
      }
      let complete = estimates.count == differences.count
      switch kind.joining {
      case .larger:
        let larger = abs(differences[0]) > abs(differences[1]) ? 0 : 1
        value = differences[larger]
        absolute = abs(value)
        guard complete else { return }
        interval = estimates[larger].interval
        let parts = estimates.map(\.interval.absolute)
        absoluteInterval = Interval(
          max(parts[0].low, parts[1].low), max(parts[0].high, parts[1].high))
      case .mean:
        value = (differences[0] + differences[1]) / 2
        absolute = abs(value)
        guard complete else { return }
        interval = Estimate.mean(estimates[0], estimates[1]).interval
        absoluteInterval = interval?.absolute
      case .meanOfSizes:
        value = (abs(differences[0]) + abs(differences[1])) / 2
        absolute = value
        guard complete else { return }
        let parts = estimates.map(\.interval.absolute)
        interval = Interval(
          (parts[0].low + parts[1].low) / 2, (parts[0].high + parts[1].high) / 2)
        absoluteInterval = interval
      case .single:
        value = differences[0]
        absolute = abs(value)
        guard complete else { return }
        interval = estimates[0].interval
        absoluteInterval = interval?.absolute
      }
    }

    mutating func turn() {
      swap(&from, &to)
      // A sum of sizes has no sign.
      guard value != absolute else { return }
      value = -value
      interval = interval.map { Interval(-$0.high, -$0.low) }
    }
  }
}
