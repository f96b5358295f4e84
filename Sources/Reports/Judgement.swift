public import Fairness

/// What a drift comes to: its verdict, and whether a gap that shrank did so by levelling down.
///
/// The one place that says so. The tables, the headline, the badges and the charts of the page all
/// show it.
public enum Judgement: String, Hashable, Codable, Sendable, CaseIterable {
  /// Shown to lie within the margin.
  case preserved
  /// The gap shrank.
  case better
  /// The gap shrank because nobody gained and some lost.
  case levelledDown = "better, by levelling down"
  /// The rows do not suffice to tell.
  case undecided
  /// The gap grew.
  case worse
  /// There is no gap before, or none after.
  case undefined

  /// The judgement on `drift`; nil is a gap that was not compared.
  public init(_ drift: Drift?) {
    guard let drift, drift.growth != nil else {
      self = .undefined
      return
    }
    self =
      switch drift.verdict {
      case .preserved: .preserved
      case .better: drift.levellingDown == true ? .levelledDown : .better
      case .undecided: .undecided
      case .worse: .worse
      }
  }

  /// Whether it is shown that somebody pays: a wider gap, or one that shrank at people's expense.
  var isHarm: Bool { self == .worse || self == .levelledDown }

  /// How bad it is: a shown harm is worth more words than an open question.
  var rank: Int {
    switch self {
    case .worse, .levelledDown: 3
    case .undecided, .undefined: 2
    case .better: 1
    case .preserved: 0
    }
  }
}

/// A gap of one comparison with its judgement, and how much of it there is.
struct JudgedGap: Comparable {
  var kind: GapKind
  var drift: Drift?
  var comparison: Comparison
  var seed: UInt64

  var judgement: Judgement { Judgement(drift) }

  /// How far the gap moved; of one that was levelled down, how much a group lost.
  ///
  /// The gap that shrank says nothing of how much was taken from whom.
  var size: Double {
    guard judgement == .levelledDown else { return abs(drift?.growth ?? 0) }
    return changes.map { abs($0.value ?? 0) }.max() ?? 0
  }

  /// The rates of the groups that the gap is made of, those that moved most first.
  var changes: [Comparison.Change] {
    // The first is of all rows.
    let found = kind.measure.flatMap { comparison.changes[$0] }?.dropFirst() ?? []
    return found.filter { $0.value != nil }
      .sorted { abs($0.value ?? 0) > abs($1.value ?? 0) }
  }

  private var order: (Int, Double) { (judgement.rank, size) }

  static func == (a: JudgedGap, b: JudgedGap) -> Bool { a.order == b.order }
  static func < (a: JudgedGap, b: JudgedGap) -> Bool { a.order < b.order }
}
