public import Fairness

extension Comparison {
  /// The tables of a comparison: flips, changed rates, drifts with their verdicts.
  ///
  /// As CSV a single table with one line a number, all digits given.
  public func report(_ format: Table.Format) -> String {
    if format == .csv { return numberTable.rendered(as: .csv) }
    return Document(
      head: "\(rows) rows, margin \(margin), intervals at \(decimal(confidence * 100, 0)) %, "
        + "threshold \(threshold)"
        + (thresholdAfter == threshold ? "" : " and \(thresholdAfter)"),
      tables: [flipTable, changeTable, driftTable], warnings: warnings
    ).written(format)
  }

  private var flipTable: Table {
    Table(
      "Flipped decisions",
      columns: ["group", "label", "rows", "gained", "lost", "flipped", "p (McNemar)"],
      rows: flips.map { cell in
        let share = cell.count > 0 ? Double(cell.gained + cell.lost) / Double(cell.count) : nil
        return [
          cell.group, "\(cell.label)", "\(cell.count)", "\(cell.gained)", "\(cell.lost)",
          share.map { decimal($0 * 100, 2) + " %" } ?? "n/a",
          cell.gained + cell.lost > 0 ? decimal(cell.p, 4) : "",
        ]
      })
  }

  private var changeTable: Table {
    let measures: [Measure] = [
      .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate, .auc, .brier,
      .calibrationError,
    ]
    return Table(
      "Changes", columns: ["rate", "group", "before", "after", "change", "interval"],
      alignments: [.leading, .leading, .trailing, .trailing, .trailing, .trailing],
      rows: measures.flatMap { measure in
        (changes[measure] ?? []).map { change in
          [
            measure.title, change.group, decimal(change.before), decimal(change.after),
            signed(change.value, 4), range(change.low, change.high, 4, signs: true),
          ]
        }
      })
  }

  private var driftTable: Table {
    let kinds: [GapKind] = [
      .equalOpportunity, .fprDifference, .equalizedOdds, .averageOdds, .averageAbsoluteOdds,
      .demographicParity, .predictiveParity, .falseOmissionRate, .accuracy, .balancedAccuracy,
      .f1, .auc, .brier, .calibrationError,
    ]
    return Table(
      "Drift of gaps",
      columns: ["gap", "before", "after", "drift", "interval", "p (Holm)", "verdict", ""],
      alignments: [
        .leading, .trailing, .trailing, .trailing, .trailing, .trailing, .leading, .leading,
      ],
      rows: kinds.compactMap { kind in
        guard let drift = self.drift[kind] else { return nil }
        guard drift.value != nil else {
          return [kind.title, "n/a", "n/a", "", "", "", "", drift.reason ?? ""]
        }
        return [
          kind.title, signed(drift.before), signed(drift.after), signed(drift.value, 4),
          range(drift.interval?.low, drift.interval?.high, 4, signs: true),
          drift.adjustedP.map { decimal($0, 4) } ?? "", Judgement(drift).rawValue,
          drift.rowsNeeded.map { "needs about \($0) rows" } ?? drift.reason ?? "",
        ]
      },
      notes: direction.map { [$0] } ?? [])
  }

  /// What the sign of a gap means, where there are two groups.
  private var direction: String? {
    drift[.equalOpportunity].flatMap { drift in
      guard let from = drift.from, let to = drift.to else { return nil }
      return "Gaps are \(to) minus \(from); drifts are after minus before."
    }
  }

  /// Every number on a line of its own.
  private var numberTable: Table {
    var table = Table(
      columns: [
        "kind", "name", "group", "from", "before", "after", "value", "low", "high", "rows",
        "gained", "lost", "p", "verdict", "rowsNeeded", "reason",
      ])
    for cell in flips {
      table.rows.append([
        "flips", "label \(cell.label)", cell.group, "", "", "", "", "", "", "\(cell.count)",
        "\(cell.gained)", "\(cell.lost)", exact(cell.p), "", "", "",
      ])
    }
    for measure in Measure.allCases {
      for (place, change) in (changes[measure] ?? []).enumerated() {
        table.rows.append([
          place == 0 ? "overall" : "change", measure.rawValue, place == 0 ? "" : change.group, "",
          exact(change.before), exact(change.after), exact(change.value), exact(change.low),
          exact(change.high), "", "", "", exact(change.p), "", "", "",
        ])
      }
    }
    for kind in GapKind.allCases {
      guard let drift = self.drift[kind] else { continue }
      table.rows.append([
        "drift", kind.rawValue, drift.to ?? "", drift.from ?? "", exact(drift.before),
        exact(drift.after), exact(drift.value), exact(drift.interval?.low),
        exact(drift.interval?.high), "", "", "", exact(drift.adjustedP),
        drift.value == nil ? "" : drift.verdict.rawValue,
        drift.rowsNeeded.map { "\($0)" } ?? "", drift.reason ?? "",
      ])
    }
    return table
  }
}
