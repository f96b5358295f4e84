import Fairness
import Study

/// What stands behind the cells of Table 4: of one comparison, or of one change over the seeds.
extension StudyResult.Pair {
  /// Who was compared.
  var whyBase: String {
    "Both models decide about the same \(comparison.rows) test rows. "
      + "Before: \(base); after: \(model)."
  }

  /// Whose decisions changed, and which way.
  var whyFlips: String {
    let cells = comparison.flips.map { cell in
      "\(cell.group), label \(cell.label): \(cell.gained) gained, \(cell.lost) lost "
        + "of \(cell.count)"
    }
    return cells.joined(separator: "; ") + ". Gained: only the later model says 1."
  }

  /// Both ends of the drift of a gap, and how sure it is.
  func whyDrift(_ kind: GapKind) -> String {
    guard let drift = comparison.drift[kind], let growth = drift.growth else {
      return "\(kind.title): \(comparison.drift[kind]?.reason ?? "no such gap")."
    }
    let which = drift.to.flatMap { to in drift.from.map { ", \(to) minus \($0)" } } ?? ", its size"
    let interval = drift.growthInterval.map {
      ", \(percent) % interval \(signed($0.low)) to \(signed($0.high))"
    }
    return "\(kind.title)\(which): \(signed(drift.before)) before, \(signed(drift.after)) after. "
      + "Growth of its size: \(signed(growth))\(interval ?? "")."
  }

  /// What the verdict on the drift of a gap rests on.
  func whyVerdict(_ kind: GapKind) -> String {
    guard let drift = comparison.drift[kind], drift.growth != nil else { return whyDrift(kind) }
    let margin = decimal(comparison.margin, 3)
    let drifted = drift.interval.map {
      "the drift lies in \(signed($0.low)) to \(signed($0.high)) "
        + "(\(decimal(100 * comparison.confidence, 0)) %)"
    }
    let equivalence = drift.equivalenceInterval.map {
      "in \(signed($0.low)) to \(signed($0.high)) (\(percent) %)"
    }
    let intervals = [drifted, equivalence].compactMap(\.self).joined(separator: ", and ")
    let meaning =
      switch Judgement(drift) {
      case .preserved: "the second interval is within the margin of ±\(margin)"
      case .worse: "the gap grew, and 0 is not in the first interval"
      case .better: "the gap shrank, and 0 is not in the first interval"
      case .levelledDown:
        "the gap shrank, and 0 is not in the first interval; but no group gained, and some lost"
      case .undecided, .undefined:
        "neither a change nor its absence (within ±\(margin)) is shown"
      }
    let rows = drift.verdict == .undecided ? drift.rowsNeeded : nil
    return "\(Judgement(drift).rawValue): \(meaning); \(intervals)."
      + (rows.map { " About \($0) rows like these would settle it." } ?? "")
  }

  /// The confidence of two one-sided tests as that of an interval: 90 for 95 %.
  private var percent: String { decimal(100 * (2 * comparison.confidence - 1), 0) }
}

extension StudyResult.Effect {
  /// The change of every seed.
  func why(scale: Double) -> String {
    let digits = scale == 100 ? 2 : 3
    let each = values.map { signed(scale * $0, digits) }.joined(separator: ", ")
    return "After minus before of \(seeds) seeds: \(each). "
      + (isReal ? "Their interval excludes 0." : "Their interval does not exclude 0.")
  }
}
