/// What can be said of a gap after compression.
public enum Verdict: String, Hashable, Codable, Sendable {
  /// The drift lies within the margin: shown by two one-sided tests (TOST).
  case preserved
  /// The drift is not 0 and the gap grew.
  case worse
  /// The drift is not 0 and the gap shrank.
  case better
  /// The rows do not suffice to tell.
  case undecided
}

/// How a gap changed between two models that judged the same people.
public struct Drift: Hashable, Sendable {
  /// `gap(after) - gap(before)`: of signed gaps between two groups, otherwise of their sizes.
  public var value: Double?
  /// Where the true drift lies.
  public var interval: Interval?
  /// Where it lies with the confidence of two one-sided tests (90 % for 95 %).
  public var equivalenceInterval: Interval?
  /// The gap before: signed between two groups, otherwise its size.
  public var before: Double?
  /// The gap after.
  public var after: Double?
  /// How much the size of the gap grew; negative when it shrank.
  public var growth: Double?
  /// Where the true growth lies, with the confidence of two one-sided tests.
  public var growthInterval: Interval?
  /// The group that is subtracted; nil for the widest gap among several.
  public var from: String?
  /// The group it is subtracted from.
  public var to: String?
  /// How the interval was made.
  public var method: String?
  /// The p-value of "both groups changed alike", by exchanging people between the groups.
  public var p: Double?
  /// The p-value after Holm's correction over all gaps that have one.
  public var adjustedP: Double?
  /// What follows for the declared margin.
  public var verdict = Verdict.undecided
  /// About how many rows like these would settle an undecided verdict.
  public var rowsNeeded: Int?
  /// Whether the gap shrank while no group gained and some lost.
  public var levellingDown: Bool?
  /// Why there is no value; nil when there is one.
  public var reason: String?

  /// A drift that is not known yet.
  init() {}
}

extension Drift: Codable {
  private enum Keys: String, CodingKey {
    case value, low, high, equivalenceLow, equivalenceHigh, before, after, growth, growthLow
    case growthHigh, from, to, method, p, adjustedP, verdict, rowsNeeded, levellingDown, reason
  }

  /// Reads what ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Keys.self)
    func number(_ key: Keys) throws -> Double? {
      try keyed.decodeIfPresent(Double.self, forKey: key)
    }
    func interval(_ low: Keys, _ high: Keys) throws -> Interval? {
      guard let low = try number(low), let high = try number(high) else { return nil }
      return Interval(low, high)
    }
    value = try number(.value)
    self.interval = try interval(.low, .high)
    equivalenceInterval = try interval(.equivalenceLow, .equivalenceHigh)
    before = try number(.before)
    after = try number(.after)
    growth = try number(.growth)
    growthInterval = try interval(.growthLow, .growthHigh)
    from = try keyed.decodeIfPresent(String.self, forKey: .from)
    to = try keyed.decodeIfPresent(String.self, forKey: .to)
    method = try keyed.decodeIfPresent(String.self, forKey: .method)
    p = try number(.p)
    adjustedP = try number(.adjustedP)
    verdict = try keyed.decode(Verdict.self, forKey: .verdict)
    rowsNeeded = try keyed.decodeIfPresent(Int.self, forKey: .rowsNeeded)
    levellingDown = try keyed.decodeIfPresent(Bool.self, forKey: .levellingDown)
    reason = try keyed.decodeIfPresent(String.self, forKey: .reason)
  }

  /// Writes the drift with its intervals, the gaps it is between, and the verdict.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Keys.self)
    try keyed.encode(value, forKey: .value)
    try keyed.encodeIfPresent(interval?.low, forKey: .low)
    try keyed.encodeIfPresent(interval?.high, forKey: .high)
    try keyed.encodeIfPresent(equivalenceInterval?.low, forKey: .equivalenceLow)
    try keyed.encodeIfPresent(equivalenceInterval?.high, forKey: .equivalenceHigh)
    try keyed.encodeIfPresent(before, forKey: .before)
    try keyed.encodeIfPresent(after, forKey: .after)
    try keyed.encodeIfPresent(growth, forKey: .growth)
    try keyed.encodeIfPresent(growthInterval?.low, forKey: .growthLow)
    try keyed.encodeIfPresent(growthInterval?.high, forKey: .growthHigh)
    try keyed.encodeIfPresent(from, forKey: .from)
    try keyed.encodeIfPresent(to, forKey: .to)
    try keyed.encodeIfPresent(method, forKey: .method)
    try keyed.encodeIfPresent(p, forKey: .p)
    try keyed.encodeIfPresent(adjustedP, forKey: .adjustedP)
    try keyed.encode(verdict, forKey: .verdict)
    try keyed.encodeIfPresent(rowsNeeded, forKey: .rowsNeeded)
    try keyed.encodeIfPresent(levellingDown, forKey: .levellingDown)
    try keyed.encodeIfPresent(reason, forKey: .reason)
  }
}

extension Drift {
  /// Decides what the intervals show for a margin.
  ///
  /// *Preserved* when the two one-sided tests place the drift inside `±margin`. Otherwise *worse*
  /// or *better* when the interval excludes 0 and the size's interval agrees on the direction.
  ///
  /// Source: D. Schuirmann, *A Comparison of the Two One-sided Tests Procedure and the Power
  /// Approach*, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987) 657-680.
  mutating func decide(margin: Double) {
    verdict = .undecided
    guard let interval, let equivalenceInterval, let growth else { return }
    let inside = equivalenceInterval.low > -margin && equivalenceInterval.high < margin
    if inside {
      verdict = .preserved
    } else if !interval.contains(0), let bounds = growthInterval {
      if growth > 0 && bounds.low > 0 { verdict = .worse }
      if growth < 0 && bounds.high < 0 { verdict = .better }
    }
  }

  /// How many rows would settle an undecided verdict, by the square root of their number.
  func rowsNeeded(margin: Double, rows: Int) -> Int? {
    guard let value, let interval, let equivalenceInterval, let growth else { return nil }
    // Half-widths shrink with the square root of the rows: whichever question is settled first,
    // if the drift is truly as large as it looks. A direction also needs the size's interval.
    let size =
      growthInterval.map { bounds in
        (growth > 0 ? growth - bounds.low : bounds.high - growth) / abs(growth)
      } ?? 0
    let shrink = [
      (equivalenceInterval.high - equivalenceInterval.low) / 2 / (margin - abs(value)),
      max((interval.high - interval.low) / 2 / abs(value), size),
    ].filter { $0 > 0 && $0.isFinite }.min()
    guard let shrink else { return nil }
    let needed = (Double(rows) * max(1, shrink * shrink)).rounded(.up)
    return needed < 1e15 ? max(rows + 1, Int(needed)) : nil
  }
}
