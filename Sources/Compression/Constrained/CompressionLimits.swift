public import Fairness

/// What a compressed model has to keep, and how sure of it one wants to be.
public struct CompressionLimits: Hashable, Codable, Sendable {
  /// The largest file in bytes.
  public var bytes: Int
  /// How far a gap may move in either direction.
  public var maxDrift: [GapKind: Double] = [:]
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
    maxDrift.isEmpty && maxAccuracyDrop == nil && maxGroupDrop == nil
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

  /// The same limits without one of them.
  func without(_ name: String) -> CompressionLimits {
    var result = self
    for kind in Self.kinds where name == "drift of \(kind.rawValue)" { result.maxDrift[kind] = nil }
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
  public static func all(_ limits: CompressionLimits, _ comparison: Comparison) -> [LimitCheck] {
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
