public import Fairness

/// What a compressed model has to keep, and how sure of it one wants to be.
public struct CompressionLimits: Hashable, Codable, Sendable {
  /// The largest file in bytes.
  public var bytes: Int
  /// How far a gap may move in either direction.
  public var maxDrift: [GapKind: Double] = [:]
  /// How large a gap may be, whatever the float model's is; only tuning can close one.
  public var maxGap: [GapKind: Double]?
  /// How much accuracy over all rows may be lost.
  public var maxAccuracyDrop: Double?
  /// How much accuracy any group may lose.
  public var maxGroupDrop: Double?
  /// The confidence of every one-sided bound.
  public var confidence = 0.95

  /// A budget, and nothing else to keep.
  public init(bytes: Int) { self.bytes = bytes }

  /// The gaps that can be limited.
  public static let kinds: [GapKind] = [
    .equalOpportunity, .fprDifference, .equalizedOdds, .demographicParity, .accuracy,
  ]

  /// Whether only the budget is set.
  public var isBudgetOnly: Bool {
    maxDrift.isEmpty && (maxGap ?? [:]).isEmpty && maxAccuracyDrop == nil && maxGroupDrop == nil
  }

  /// The limits by name, in a fixed order, each with the others left out.
  var single: [(name: String, limits: CompressionLimits)] {
    var result: [(String, CompressionLimits)] = []
    for kind in Self.kinds {
      guard let limit = maxDrift[kind] else { continue }
      var one = CompressionLimits(bytes: bytes)
      one.maxDrift = [kind: limit]
      result.append(("drift of \(kind.rawValue)", one))
    }
    for kind in Self.kinds {
      guard let limit = maxGap?[kind] else { continue }
      var one = CompressionLimits(bytes: bytes)
      one.maxGap = [kind: limit]
      result.append((Self.name(ofGap: kind), one))
    }
    if let maxAccuracyDrop {
      var one = CompressionLimits(bytes: bytes)
      one.maxAccuracyDrop = maxAccuracyDrop
      result.append(("accuracy", one))
    }
    if let maxGroupDrop {
      var one = CompressionLimits(bytes: bytes)
      one.maxGroupDrop = maxGroupDrop
      result.append(("accuracy of every group", one))
    }
    return result
  }

  fileprivate static func name(ofGap kind: GapKind) -> String { "size of \(kind.rawValue)" }

  /// The same limits without those on the size of gaps.
  var withoutGaps: CompressionLimits {
    var result = self
    result.maxGap = nil
    return result
  }

  /// The same limits without one of them.
  func without(_ name: String) -> CompressionLimits {
    var result = self
    for kind in Self.kinds where name == "drift of \(kind.rawValue)" { result.maxDrift[kind] = nil }
    for kind in Self.kinds where name == Self.name(ofGap: kind) { result.maxGap?[kind] = nil }
    if name == "accuracy" { result.maxAccuracyDrop = nil }
    if name == "accuracy of every group" { result.maxGroupDrop = nil }
    return result
  }
}

/// One limit held against two models' decisions on the same people.
public struct LimitCheck: Hashable, Codable, Sendable {
  /// Which limit.
  public var name: String
  /// What it allows.
  public var limit: Double
  /// What was found: the size of a drift, or a loss.
  public var value: Double?
  /// What the true number stays below, with the confidence asked for.
  public var bound: Double?
  /// Whether the bound keeps the limit.
  public var isKept: Bool

  /// The checks of all limits but the budget.
  ///
  /// Each is a one-sided test, a drift two; that all are kept is claimed only if each is, so the
  /// claim has the confidence of one (an intersection-union test) and needs no correction.
  ///
  /// - Parameters:
  ///   - limits: What has to be kept.
  ///   - comparison: Both models' decisions on the same people.
  ///   - after: The compressed model's, for limits on the size of gaps.
  /// - Returns: A check for each limit, in a fixed order.
  /// - Throws: `FairnessError` when groups cannot be audited.
  public static func all(
    _ limits: CompressionLimits, _ comparison: Comparison, after: Outcomes
  ) throws -> [LimitCheck] {
    var checks: [LimitCheck] = []
    func add(_ name: String, _ limit: Double, _ value: Double?, _ bound: Double?) {
      checks.append(
        LimitCheck(
          name: name, limit: limit, value: value, bound: bound,
          isKept: bound.map { $0 <= limit } ?? false))
    }
    for kind in CompressionLimits.kinds {
      guard let limit = limits.maxDrift[kind] else { continue }
      let drift = comparison.drift[kind]
      let bound = drift?.equivalenceInterval.map { max(-$0.low, $0.high) }
      add("drift of \(kind.rawValue)", limit, drift?.value.map { abs($0) }, bound)
    }
    if let maxGap = limits.maxGap, !maxGap.isEmpty {
      var options = AuditOptions()
      // The upper end of a two-sided interval is a one-sided bound of half its error.
      options.confidence = 2 * limits.confidence - 1
      options.scores = false
      let gaps = try Audit(after, options: options).gaps
      for kind in CompressionLimits.kinds {
        guard let limit = maxGap[kind] else { continue }
        add(
          CompressionLimits.name(ofGap: kind), limit, gaps[kind]?.absolute,
          gaps[kind]?.absoluteInterval?.high)
      }
    }
    let changes = comparison.changes[.accuracy] ?? []
    if let limit = limits.maxAccuracyDrop, let all = changes.first(where: { $0.group == "all" }) {
      add("accuracy", limit, all.value.map { -$0 }, all.equivalenceLow.map { -$0 })
    }
    if let limit = limits.maxGroupDrop {
      for change in changes.dropFirst() {
        add(
          "accuracy of \(change.group)", limit, change.value.map { -$0 },
          change.equivalenceLow.map { -$0 })
      }
    }
    return checks
  }
}
