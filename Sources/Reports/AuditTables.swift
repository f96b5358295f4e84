public import Fairness

extension Audit {
  /// The tables of an audit: groups, gaps, ratios, and what a reader has to know.
  ///
  /// As CSV a single table with one line a number, all digits given.
  public func report(_ format: Table.Format) -> String {
    if format == .csv { return numberTable.rendered(as: .csv) }
    let percent = decimal(confidence * 100, 0)
    return Document(
      head: "\(rows) rows, threshold \(threshold), intervals at \(percent) %"
        + (reference.map { ", reference \(Table.singleLine($0))" } ?? ""),
      tables: [groupTable] + (poolsHelp ? [pooledTable] : [])
        + (groups.count > 2 ? [extremeTable] : [])
        + (groups.count > 1 ? [gapTable, ratioTable] : []) + [inequalityTable],
      warnings: warnings
    ).written(format)
  }

  private var groupTable: Table {
    let first: [Measure] = [
      .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate, .precision, .baseRate,
    ]
    let more = Measure.ofScores.filter {
      overall[$0] != nil && [.auc, .brier, .calibrationError].contains($0)
    }
    let measures = first + more
    func row(_ name: String, _ count: Int, _ rates: [Measure: Rate]) -> [String] {
      [name, "\(count)"]
        + measures.map { measure in
          guard let rate = rates[measure], let value = rate.value else { return "n/a" }
          guard let interval = rate.interval else { return decimal(value) }
          return "\(decimal(value)) (\(range(interval.low, interval.high)))"
        }
    }
    return Table(
      "Groups", columns: ["group", "rows"] + measures.map(\.title),
      rows: [row("all", rows, overall)] + groups.map { row($0.name, $0.count, $0.rates) })
  }

  private static let pooledMeasures: [Measure] = [
    .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate, .precision,
  ]

  /// Whether some group's own rows are so few that its rates are better read beside the others'.
  private var poolsHelp: Bool {
    groups.contains { group in
      Self.pooledMeasures.contains { measure in
        guard let rate = group.rates[measure], rate.pooled != nil else { return false }
        return rate.denominator < 30
      }
    }
  }

  /// The rates of groups when small ones borrow from the others.
  private var pooledTable: Table {
    Table(
      "Groups, partially pooled", columns: ["group", "rows"] + Self.pooledMeasures.map(\.title),
      rows: groups.map { group in
        [group.name, "\(group.count)"]
          + Self.pooledMeasures.map { measure in
            guard let pooled = group.rates[measure]?.pooled else { return "n/a" }
            return "\(decimal(pooled.value)) (\(range(pooled.interval.low, pooled.interval.high)))"
          }
      },
      notes: [
        "Rates of small groups are drawn towards those of the others; gaps are not formed from them."
      ])
  }

  /// Which group is worst off, and which best.
  private var extremeTable: Table {
    let measures: [Measure] = [
      .accuracy, .balancedAccuracy, .truePositiveRate, .falsePositiveRate, .selectionRate,
      .precision, .auc,
    ]
    return Table(
      "Lowest and highest group", columns: ["rate", "lowest", "group", "highest", "group"],
      alignments: [.leading, .trailing, .leading, .trailing, .leading],
      rows: measures.compactMap { measure in
        extremes[measure].map { ends in
          [
            measure.title, decimal(ends.lowest.value), ends.lowest.group,
            decimal(ends.highest.value), ends.highest.group,
          ]
        }
      })
  }

  private var gapTable: Table {
    let kinds: [GapKind] =
      [
        .equalOpportunity, .fprDifference, .equalizedOdds, .averageOdds, .averageAbsoluteOdds,
        .demographicParity, .predictiveParity, .falseOmissionRate, .accuracy,
        .balancedAccuracy, .f1, .baseRate,
      ] + [.auc, .brier].filter { gaps[$0] != nil }
    return Table(
      "Gaps",
      columns: ["gap", "signed", "interval", "size", "interval", "by chance", "groups"],
      alignments: [
        .leading, .trailing, .trailing, .trailing, .trailing, .trailing, .leading,
      ],
      rows: kinds.compactMap { kind in
        guard let gap = gaps[kind] else { return nil }
        guard gap.value != nil else {
          return [kind.title, "n/a", "", "", "", "", gap.reason ?? ""]
        }
        return [
          kind.title, signed(gap.value),
          range(gap.interval?.low, gap.interval?.high, signs: true), decimal(gap.absolute),
          range(gap.absoluteInterval?.low, gap.absoluteInterval?.high),
          decimal(gap.expectedIfEqual), "\(gap.to ?? "") - \(gap.from ?? "")",
        ]
      })
  }

  private var ratioTable: Table {
    let kinds: [RatioKind] = [
      .demographicParity, .equalizedOdds, .truePositiveRate, .falsePositiveRate,
      .falseNegativeRate, .precision, .falseOmissionRate, .errorRate, .accuracy,
    ]
    return Table(
      "Ratios", columns: ["ratio", "value", "interval", "rates", "groups"],
      alignments: [.leading, .trailing, .trailing, .trailing, .leading],
      rows: kinds.compactMap { kind in
        guard let ratio = ratios[kind] else { return nil }
        guard let value = ratio.value, ratio.rates.count == 2 else {
          return [kind.title, "n/a", "", "", ratio.reason ?? ""]
        }
        let high = ratio.high.map { decimal($0) } ?? "infinity"
        return [
          kind.title, decimal(value), "\(decimal(ratio.low)) to \(high)",
          "\(decimal(ratio.rates[1])) / \(decimal(ratio.rates[0]))",
          "\(ratio.to ?? "") / \(ratio.from ?? "")",
        ]
      })
  }

  private var inequalityTable: Table {
    Table(
      "Inequality of benefits", columns: ["index", "value"],
      rows: InequalityKind.allCases.compactMap { kind in
        inequality[kind].map { [kind.title, $0.value.map { decimal($0) } ?? "n/a"] }
      })
  }

  /// Every number on a line of its own.
  private var numberTable: Table {
    var table = Table(
      columns: [
        "kind", "name", "group", "from", "value", "low", "high", "numerator", "denominator",
        "byChance", "reason",
      ])
    func add(_ kind: String, _ group: String, _ rates: [Measure: Rate]) {
      for measure in Measure.allCases {
        guard let rate = rates[measure] else { continue }
        table.rows.append([
          kind, measure.rawValue, group, "", exact(rate.value), exact(rate.interval?.low),
          exact(rate.interval?.high), exact(rate.numerator), exact(rate.denominator),
          exact(rate.expectedIfCalibrated), rate.reason ?? "",
        ])
      }
    }
    add("overall", "", overall)
    for group in groups { add("rate", group.name, group.rates) }
    for group in groups {
      for measure in Self.pooledMeasures {
        guard let pooled = group.rates[measure]?.pooled else { continue }
        table.rows.append([
          "pooled", measure.rawValue, group.name, "", exact(pooled.value),
          exact(pooled.interval.low), exact(pooled.interval.high), "", "", "", "",
        ])
      }
    }
    for kind in GapKind.allCases {
      guard let gap = gaps[kind] else { continue }
      for (name, value, interval) in [
        ("gap", gap.value, gap.interval), ("size", gap.absolute, gap.absoluteInterval),
      ] {
        table.rows.append([
          name, kind.rawValue, gap.to ?? "", gap.from ?? "", exact(value),
          exact(interval?.low), exact(interval?.high), "", "",
          name == "size" ? exact(gap.expectedIfEqual) : "", gap.reason ?? "",
        ])
      }
    }
    for kind in RatioKind.allCases {
      guard let ratio = ratios[kind] else { continue }
      table.rows.append([
        "ratio", kind.rawValue, ratio.to ?? "", ratio.from ?? "", exact(ratio.value),
        exact(ratio.low), exact(ratio.high), exact(ratio.rates.last), exact(ratio.rates.first),
        "", ratio.reason ?? "",
      ])
    }
    for kind in InequalityKind.allCases {
      guard let index = inequality[kind] else { continue }
      table.rows.append(
        ["inequality", kind.rawValue, "", "", exact(index.value), "", "", "", "", ""]
          + [index.reason ?? ""])
    }
    return table
  }
}
