/// The limits that a compressed model has to keep, as written in a policy file.
///
/// ```json
/// {"maxDrift": {"equalOpportunity": 0.02, "fprDifference": 0.02}, "minAccuracyChange": -0.01}
/// ```
public struct GatePolicy: Hashable, Sendable {
  /// How much the size of a gap may grow.
  public var maxDrift: [GapKind: Double] = [:]
  /// How large a gap of the second model may be.
  public var maxGap: [GapKind: Double] = [:]
  /// How much the accuracy over all rows may change; negative allows a loss.
  public var minAccuracyChange: Double?
  /// How much the accuracy of every single group may change.
  public var minGroupAccuracyChange: Double?
  /// Whether a limit that the rows cannot decide counts as kept.
  public var allowUndecided = false

  /// A policy without limits.
  public init() {}

  /// Whether there is nothing to check.
  public var isEmpty: Bool {
    maxDrift.isEmpty && maxGap.isEmpty && minAccuracyChange == nil
      && minGroupAccuracyChange == nil
  }
}

extension GatePolicy: Codable {
  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// Reads a policy; a key that is not known is refused, since a misspelt limit limits nothing.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Key.self)
    func refuse(_ what: String, at path: [Key]) -> DecodingError {
      .dataCorrupted(.init(codingPath: decoder.codingPath + path, debugDescription: what))
    }
    func limits(_ key: Key) throws -> [GapKind: Double] {
      let given = try keyed.decode([String: Double].self, forKey: key)
      var limits: [GapKind: Double] = [:]
      for (name, limit) in given {
        guard let kind = GapKind(rawValue: name) else {
          let known = GapKind.ofDecisions.map(\.rawValue).joined(separator: ", ")
          throw refuse(
            "\(key.stringValue): there is no gap '\(name)'; the gaps are \(known)",
            at: [key, Key(stringValue: name)])
        }
        guard limit >= 0 else {
          throw refuse(
            "\(key.stringValue): \(name) is below 0", at: [key, Key(stringValue: name)])
        }
        limits[kind] = limit
      }
      return limits
    }
    for key in keyed.allKeys {
      switch key.stringValue {
      case "maxDrift": maxDrift = try limits(key)
      case "maxGap": maxGap = try limits(key)
      case "minAccuracyChange": minAccuracyChange = try keyed.decode(Double.self, forKey: key)
      case "minGroupAccuracyChange":
        minGroupAccuracyChange = try keyed.decode(Double.self, forKey: key)
      case "allowUndecided": allowUndecided = try keyed.decode(Bool.self, forKey: key)
      default:
        throw refuse(
          "there is no limit '\(key.stringValue)'; known are maxDrift, maxGap, "
            + "minAccuracyChange, minGroupAccuracyChange, allowUndecided", at: [key])
      }
    }
  }

  /// Writes the limits that are set.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Key.self)
    if !maxDrift.isEmpty { try keyed.encode(maxDrift, forKey: Key(stringValue: "maxDrift")) }
    if !maxGap.isEmpty { try keyed.encode(maxGap, forKey: Key(stringValue: "maxGap")) }
    try keyed.encodeIfPresent(minAccuracyChange, forKey: Key(stringValue: "minAccuracyChange"))
    try keyed.encodeIfPresent(
      minGroupAccuracyChange, forKey: Key(stringValue: "minGroupAccuracyChange"))
    if allowUndecided { try keyed.encode(true, forKey: Key(stringValue: "allowUndecided")) }
  }
}

/// What became of every limit of a policy.
public struct GateResult: Hashable, Codable, Sendable {
  /// Whether a limit was kept.
  public enum Status: String, Hashable, Codable, Sendable {
    /// Also the confidence bound keeps the limit.
    case kept
    /// The value itself crosses the limit.
    case crossed
    /// The value keeps the limit, its confidence bound does not.
    case undecided
  }

  /// One limit.
  public struct Line: Hashable, Codable, Sendable {
    /// What is limited: `maxDrift equalOpportunity`.
    public var name: String
    /// The limit.
    public var limit: Double
    /// What was found; nil when it is undefined.
    public var value: Double?
    /// The one-sided confidence bound that has to keep the limit.
    public var bound: Double?
    /// Whether it was kept.
    public var status: Status
    /// Why there is no value, or how many rows would decide.
    public var note: String?
  }

  /// Every limit, in the order of the policy's keys.
  public var lines: [Line]
  /// Whether undecided limits count as kept.
  public var allowUndecided: Bool

  /// Whether the gate lets the model pass.
  public var passed: Bool {
    lines.allSatisfy { $0.status == .kept || allowUndecided && $0.status == .undecided }
  }

  /// Holds a comparison against a policy.
  ///
  /// Bounds are one-sided with the comparison's confidence. An undefined number keeps no limit: it
  /// is undecided.
  /// - Parameters:
  ///   - comparison: Two models on the same people.
  ///   - after: The audit of the second model, for limits on gaps.
  ///   - policy: The limits.
  public init(_ comparison: Comparison, after: Audit, policy: GatePolicy) {
    allowUndecided = policy.allowUndecided
    lines = []
    let none = comparison.flips.allSatisfy { $0.gained == 0 && $0.lost == 0 }
    for kind in GapKind.allCases {
      guard let limit = policy.maxDrift[kind] else { continue }
      let drift = comparison.drift[kind]
      lines.append(
        Self.line(
          "maxDrift \(kind.rawValue)", limit, drift?.growth, drift?.growthInterval?.high,
          rows: comparison.rows, reason: drift?.reason ?? "is not computed from decisions",
          isWithoutFlips: none))
    }
    for kind in GapKind.allCases {
      guard let limit = policy.maxGap[kind] else { continue }
      let gap = after.gaps[kind]
      lines.append(
        Self.line(
          "maxGap \(kind.rawValue)", limit, gap?.absolute, gap?.absoluteInterval?.high,
          rows: comparison.rows, reason: gap?.reason ?? "is not computed from decisions"))
    }
    let changes = comparison.changes[.accuracy] ?? []
    if let limit = policy.minAccuracyChange, let all = changes.first(where: { $0.group == "all" }) {
      lines.append(
        Self.line(
          "minAccuracyChange", limit, all.value, all.equivalenceLow, rows: comparison.rows,
          reason: "no rows", isFloor: true, isWithoutFlips: none))
    }
    if let limit = policy.minGroupAccuracyChange {
      for change in changes.dropFirst() {
        lines.append(
          Self.line(
            "minGroupAccuracyChange \(change.group)", limit, change.value,
            change.equivalenceLow, rows: comparison.rows, reason: "no rows", isFloor: true,
            isWithoutFlips: none))
      }
    }
  }

  private static func line(
    _ name: String, _ limit: Double, _ value: Double?, _ bound: Double?, rows: Int,
    reason: String, isFloor: Bool = false, isWithoutFlips: Bool = false
  ) -> Line {
    guard let value, let bound else {
      return Line(name: name, limit: limit, status: .undecided, note: reason)
    }
    let sign = isFloor ? -1.0 : 1.0
    if sign * bound <= sign * limit {
      return Line(name: name, limit: limit, value: value, bound: bound, status: .kept)
    }
    if sign * value > sign * limit {
      return Line(name: name, limit: limit, value: value, bound: bound, status: .crossed)
    }
    let shrink = (bound - value) / (limit - value)
    // Bounds shrink with the square root of the rows; without a flip with the rows themselves.
    let needed = Double(rows) * (isWithoutFlips ? shrink : shrink * shrink)
    let note =
      needed.isFinite && needed < 1e15
      ? "about \(Int(needed.rounded(.up))) rows would decide it if the value stays" : nil
    return Line(
      name: name, limit: limit, value: value, bound: bound, status: .undecided, note: note)
  }
}
