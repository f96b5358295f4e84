public import Fairness
public import Study

/// A study in plain sentences: what was made smaller, by how much, who was affected, how sure.
public struct StudyVerdict: Hashable, Codable, Sendable {
  /// One model held against one that was before it.
  public struct Entry: Hashable, Codable, Sendable {
    /// Its key.
    public var model: String
    /// The key of the model it is held against.
    public var base: String
    /// Its name for people.
    public var title: String
    /// The worst of the judgements on EO and FPR difference, over all seeds.
    public var judgement: Judgement
    /// What was done, and who was affected.
    public var sentences: [String]
  }

  /// Two sentences for the whole study.
  public var headline: [String]
  /// Every model that was made from another, in the study's order.
  public var entries: [Entry]
  /// What every drift comes to, one dictionary for each comparison of the study.
  public var judgements: [[GapKind: Judgement]]

  /// The gaps that are judged and drawn.
  static let kinds: [GapKind] = [.equalOpportunity, .fprDifference]

  /// The verdict on `result`.
  public init(_ result: StudyResult) {
    judgements = result.comparisons.map { $0.comparison.drift.mapValues { Judgement($0) } }
    var order: [[String]] = []
    for pair in result.comparisons where !order.contains([pair.model, pair.base]) {
      order.append([pair.model, pair.base])
    }
    let found = order.map { key in
      Model(result, pairs: result.comparisons.filter { [$0.model, $0.base] == key })
    }
    entries = found.map {
      Entry(
        model: $0.pairs[0].model, base: $0.pairs[0].base, title: $0.pairs[0].title,
        judgement: $0.worst.judgement, sentences: [$0.what + ".", $0.who])
    }
    guard let first = found.first else {
      headline = [
        "Nothing was compressed in this study.",
        "\(result.rows.count == 1 ? "One model was" : "\(result.rows.count) models were") measured.",
      ]
      return
    }
    // The question is who pays for the compression; training and repairs have their entries.
    let compressed = found.filter { $0.kind == .compressed }
    let asked = compressed.isEmpty ? found : compressed
    let worst = asked.max { $0.worst < $1.worst } ?? first
    guard asked.count > 1 else {
      headline = [worst.what + ".", worst.who]
      return
    }
    let counts = [
      (Judgement.preserved, "shown to keep both gaps"), (.better, "with a narrower gap"),
      (.levelledDown, "with a gap that is narrower only by levelling down"),
      (.undecided, "undecided"), (.undefined, "without a gap to compare"),
      (.worse, "with a wider gap"),
    ].compactMap { judgement, name -> String? in
      let count = asked.count { $0.worst.judgement == judgement }
      return count > 0 ? "\(count) \(name)" : judgement == .preserved ? "none \(name)" : nil
    }
    let things = compressed.isEmpty ? "models" : "compressed models"
    headline = [
      "Of \(asked.count) \(things), each held against the one it was made from: "
        + counts.joined(separator: ", ") + ".",
      "The worst: \(worst.what). \(worst.who)",
    ]
  }

  /// One model over its seeds.
  private struct Model {
    var pairs: [StudyResult.Pair]
    var base: String
    var kind: StudyResult.Kind?
    var bytes: (before: Int, after: Int)

    init(_ result: StudyResult, pairs: [StudyResult.Pair]) {
      self.pairs = pairs
      let pair = pairs[0]
      func row(_ model: String) -> StudyResult.Row? {
        result.rows.first { $0.model == model && $0.seed == pair.seed }
      }
      kind = result.models?.first { $0.model == pair.model }?.kind
      base = row(pair.base)?.title ?? pair.base
      bytes = (row(pair.base)?.bytes ?? 0, row(pair.model)?.bytes ?? 0)
    }

    /// Whether the file became smaller by more than its bookkeeping.
    private var isSmaller: Bool { Double(bytes.after) < 0.98 * Double(bytes.before) }

    /// What was done, without a full stop.
    var what: String {
      let flipped = pairs.map { pair in
        let count = pair.comparison.flips.reduce(0) { $0 + $1.gained + $1.lost }
        return 100 * Double(count) / Double(max(1, pair.comparison.rows))
      }
      let share = flipped.reduce(0, +) / Double(flipped.count)
      let size =
        isSmaller
        ? "is \(decimal(Double(bytes.before) / Double(max(1, bytes.after)), 2)) times smaller than "
          + "\(base) (\(decimal(Double(bytes.before) / 1e6, 2)) MB to "
          + "\(decimal(Double(bytes.after) / 1e6, 2)) MB)"
        : unchangedSize
      return "\(pairs[0].title) \(size), and decides \(decimal(share, 1)) % of "
        + "\(pairs[0].comparison.rows) people differently"
    }

    private var unchangedSize: String {
      switch kind {
      case .trained: "is trained otherwise than \(base)"
      case .repaired: "repairs decisions, against \(base)"
      default: "changes \(base) without making it smaller"
      }
    }

    /// The gap that came off worst, of all kinds and seeds.
    var worst: JudgedGap {
      let found = pairs.flatMap { pair in
        kinds.map { kind in
          JudgedGap(
            kind: kind, drift: pair.comparison.drift[kind], comparison: pair.comparison,
            seed: pair.seed)
        }
      }
      return found.max() ?? found[0]
    }

    /// Who was affected, and how sure that is.
    var who: String {
      let worst = worst
      guard let drift = worst.drift, let growth = drift.growth else {
        return "Who was affected cannot be told: \(worst.drift?.reason ?? "no gap was compared")."
      }
      let range =
        drift.growthInterval.map { " (interval \(signed($0.low)) to \(signed($0.high)))" } ?? ""
      let margin = "±\(decimal(worst.comparison.margin, 3))"
      let seed = pairs.count > 1 ? " with seed \(worst.seed)" : ""
      let groups = drift.from.flatMap { from in drift.to.map { " between \(from) and \($0)" } }
      let name = worst.kind == .equalOpportunity ? "TPR gap (EO)" : "FPR gap"
      let gap = "the \(name)\(groups ?? "")"
      switch worst.judgement {
      case .preserved:
        return
          "Neither gap moved: the TPR gap (EO) and the FPR gap are shown to have stayed within \(margin)"
          + (pairs.count > 1 ? " with every one of \(pairs.count) seeds" : "")
          + ", by equivalence tests on the same people."
      case .worse:
        return "It made \(gap) wider by \(decimal(growth, 3))\(range)\(seed): \(moved(worst, 1))."
      case .better:
        return
          "It narrowed \(gap) by \(decimal(-growth, 3))\(range)\(seed): \(moved(worst, 1))."
      case .levelledDown:
        return
          "It narrowed \(gap) by \(decimal(-growth, 3))\(range)\(seed), only by levelling down: "
          + "no group gained, and \(moved(worst, 3))."
      case .undecided, .undefined:
        let rows = drift.rowsNeeded.map { "; about \($0) people would settle it" } ?? ""
        return "Whether anyone pays is open: \(gap) changed by \(signed(growth))\(range)\(seed), "
          + "which neither shows a change nor excludes one beyond \(margin)\(rows)."
      }
    }

    /// Which groups' rates moved most, at most so many.
    private func moved(_ gap: JudgedGap, _ count: Int) -> String {
      let name = "the \(gap.kind.measure?.title ?? "rate") of "
      let parts = gap.changes.prefix(count).enumerated().map { place, change in
        "\(place == 0 ? name : "that of ")\(change.group) \(place == 0 ? "went " : "")"
          + "from \(decimal(change.before, 3)) to \(decimal(change.after, 3))"
      }
      return parts.joined(separator: ", ")
    }
  }
}
