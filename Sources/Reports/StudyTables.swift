import Fairness
public import Study

/// The poster's tables 1 to 3 and the sizes, from a study's results.
///
/// Over one training seed a cell is the value with its 95 % interval (Wilson for rates, Newcombe
/// for gaps). Over several it is the mean with Student's interval over the seeds.
public struct StudyTables: Sendable {
  private let models: [StudyResult.Summary]
  private let pairs: [StudyResult.Pair]
  private let effects: [StudyResult.Effect]
  private let repairs: [String: StudyResult.RepairRecord]
  private let rows: [StudyResult.Row]
  private let groups: [String]
  private let seeds: Int
  let result: StudyResult

  /// The tables of `result`; models in the order they first appear.
  public init(_ result: StudyResult) {
    self.result = result
    models = result.summary ?? []
    effects = result.effects ?? []
    pairs = result.comparisons
    rows = result.rows
    repairs = Dictionary(
      result.rows.compactMap { row in row.repair.map { (row.model, $0) } },
      uniquingKeysWith: { first, _ in first })
    groups = result.rows.first?.groups.map(\.name) ?? []
    seeds = Set(result.rows.map(\.seed)).count
  }

  /// All tables, in the poster's order.
  public var all: [Table] {
    [overall, accuracyByGroup, ratesByGroup, drifts, sizes] + (frontier.map { [$0] } ?? [])
  }

  /// Table 1: accuracy, EO and FPR difference of every model.
  public var overall: Table {
    table(
      "Table 1. Accuracy and gaps",
      columns: ["model", "accuracy %", "EO", "FPR difference"],
      cells: { model in
        [
          explained(model, "accuracy", model.cells["accuracy"], scale: 100) { $0.accuracy },
          explained(model, .equalOpportunity), explained(model, .fprDifference),
        ]
      },
      notes: [
        "EO is the absolute difference of the groups' true positive rates. " + meaning,
        directions,
      ].filter { !$0.isEmpty })
  }

  /// Table 2: the accuracy of every group.
  public var accuracyByGroup: Table {
    table(
      "Table 2. Accuracy by group",
      columns: ["model"] + groups.map { "\($0) accuracy %" },
      cells: { model in
        groups.map { group in
          explained(model, .accuracy, group, scale: 100)
        }
      })
  }

  /// Table 3: the true and false positive rates of every group.
  public var ratesByGroup: Table {
    let measures: [Measure] = [.truePositiveRate, .falsePositiveRate]
    return table(
      "Table 3. True and false positive rates by group",
      columns: ["model"] + measures.flatMap { measure in groups.map { "\($0) \(measure.title)" } },
      cells: { model in
        measures.flatMap { measure in
          groups.map { group in explained(model, measure, group, scale: 1) }
        }
      })
  }

  /// Table 4: what each change did to the gaps, on the same people.
  public var drifts: Table { seeds > 1 ? driftsOverSeeds : driftsOfOneSeed }

  private var driftsOfOneSeed: Table {
    let margin = pairs.first.map { decimal($0.comparison.margin, 3) } ?? "undeclared"
    var table = Table(
      "Table 4. Drift of the gaps, model by model on the same test rows",
      columns: [
        "model", "before", "decisions flipped", "EO drift", "verdict", "FPR difference drift",
        "verdict",
      ],
      alignments: [.leading, .leading, .trailing, .trailing, .leading, .trailing, .leading],
      rows: pairs.map { pair in
        let flipped = pair.comparison.flips.reduce(0) { $0 + $1.gained + $1.lost }
        let share = 100 * Double(flipped) / Double(max(1, pair.comparison.rows))
        return [pair.title, title(pair.base), "\(flipped) (\(decimal(share, 1)) %)"]
          + drift(pair, .equalOpportunity) + drift(pair, .fprDifference)
      },
      notes: [
        "Drift is how much the absolute gap grew, with its interval at the confidence of two "
          + "one-sided tests. Preserved: shown to lie within ±\(margin)."
      ])
    table.explanations = pairs.map { pair in
      ["", pair.whyBase, pair.whyFlips]
        + [GapKind.equalOpportunity, .fprDifference].flatMap {
          [pair.whyDrift($0), pair.whyVerdict($0)]
        }
    }
    return table
  }

  private var driftsOverSeeds: Table {
    var order: [[String]] = []
    for effect in effects where !order.contains([effect.model, effect.base]) {
      order.append([effect.model, effect.base])
    }
    let measures = ["accuracy", "equalOpportunity", "fprDifference"]
    let found = order.map { key in
      measures.map { measure in
        effects.first { [$0.model, $0.base] == key && $0.measure == measure }
      }
    }
    let scales = measures.map { $0 == "accuracy" ? 100.0 : 1 }
    var table = Table(
      "Table 4. Change within each seed, on the same test rows",
      columns: ["model", "before", "accuracy, points", "EO", "FPR difference"],
      alignments: [.leading, .leading, .trailing, .trailing, .trailing],
      rows: zip(order, found).map { key, cells in
        [title(key[0]), title(key[1])] + zip(cells, scales).map { change($0, scale: $1) }
      },
      notes: [
        "Means over \(seeds) seeds of after minus before, with Student's 95 % intervals. "
          + "*: the interval excludes 0."
      ])
    table.explanations = zip(order, found).map { key, cells in
      ["", "Both models decide about the same test rows. Before: \(key[1]); after: \(key[0])."]
        + zip(cells, scales).map { $0?.why(scale: $1) ?? "No such change." }
    }
    return table
  }

  private func change(_ effect: StudyResult.Effect?, scale: Double) -> String {
    guard let effect, let mean = effect.mean else { return "undefined" }
    func number(_ value: Double) -> String {
      (value < 0 ? "" : "+") + decimal(scale * value, scale == 100 ? 2 : 3)
    }
    guard let low = effect.low, let high = effect.high else { return number(mean) }
    return "\(number(mean)) (\(number(low)) to \(number(high)))\(effect.isReal ? " *" : "")"
  }

  private func title(_ model: String) -> String {
    models.first { $0.model == model }?.title ?? model
  }

  private func drift(_ pair: StudyResult.Pair, _ kind: GapKind) -> [String] {
    guard let drift = pair.comparison.drift[kind], let growth = drift.growth else {
      return ["undefined (\(pair.comparison.drift[kind]?.reason ?? "no such gap"))", "undefined"]
    }
    let range = drift.growthInterval.map { " (\(signed($0.low)) to \(signed($0.high)))" } ?? ""
    let rows = drift.verdict == .undecided ? drift.rowsNeeded.map { ", needs \($0) rows" } : nil
    return [signed(growth) + range, Judgement(drift).rawValue + (rows ?? "")]
  }

  /// The length of every model's file, and how many times smaller it is than the first's.
  public var sizes: Table {
    let whole = models.first?.bytes ?? 0
    var table = Table(
      "Sizes",
      columns: ["model", "bytes", "KB", "times smaller"],
      rows: models.map { model in
        let bytes = model.bytes + (repairs[model.model]?.bytes ?? 0)
        return [
          model.title, String(bytes), decimal(Double(bytes) / 1000, 3),
          bytes > 0 ? decimal(Double(whole) / Double(bytes), 2) : "undefined",
        ]
      },
      notes: [
        "Bytes of the ONNX files as written, and of the repair's file where there is one; "
          + "1 KB = 1000 bytes."
      ])
    table.explanations = models.map { model in
      let repair = repairs[model.model].map { " and \($0.bytes) of the repair \($0.file)" } ?? ""
      let bytes = "\(model.bytes) bytes of the ONNX file\(repair)"
      let all = model.bytes + (repairs[model.model]?.bytes ?? 0)
      let first = models.first?.title ?? ""
      return [
        "", bytes + ".", bytes + ", divided by 1000.",
        "\(whole) bytes of \(first), divided by \(all).",
      ]
    }
    return table
  }

  private var meaning: String {
    seeds > 1
      ? "Cells are means over \(seeds) training seeds, with Student's 95 % intervals."
      : "In brackets: 95 % intervals, Wilson's for rates and Newcombe's for differences."
  }

  /// Which group has the higher rates, as the signed gaps of the first model say.
  private var directions: String {
    guard groups.count == 2, let row = rows.first else { return "" }
    return [(GapKind.equalOpportunity, "true"), (.fprDifference, "false")].compactMap {
      kind, name -> String? in
      guard let gap = row.gaps[kind], let value = gap.value, value != 0, let from = gap.from,
        let to = gap.to
      else { return nil }
      let (higher, lower) = value > 0 ? (to, from) : (from, to)
      return
        "The \(name) positive rate of the first model is higher for \(higher) than for \(lower)."
    }.joined(separator: " ")
  }

  /// A cell's text, and what stands behind it.
  private typealias Explained = (text: String, why: String)

  /// A table with a row for each model, whose name comes first.
  private func table(
    _ title: String, columns: [String], cells: (StudyResult.Summary) -> [Explained],
    notes: [String] = []
  ) -> Table {
    let found = models.map { (title: $0.title, cells: cells($0)) }
    var table = Table(
      title, columns: columns, rows: found.map { [$0.title] + $0.cells.map(\.text) }, notes: notes)
    table.explanations = found.map { [""] + $0.cells.map(\.why) }
    return table
  }

  private func explained(
    _ model: StudyResult.Summary, _ measure: Measure, _ group: String, scale: Double
  ) -> Explained {
    let cell = model.groups.first { $0.name == group }?.rates[measure]
    return explained(model, "\(measure.title) of \(group)", cell, scale: scale) {
      $0.rate(measure, of: group)
    }
  }

  private func explained(
    _ model: StudyResult.Summary, _ name: String, _ found: StudyResult.Cell?, scale: Double,
    _ read: (StudyResult.Row) -> Rate?
  ) -> Explained {
    let behind = rows.filter { $0.model == model.model }.map { row in
      let rate = read(row).map { "\(whole($0.numerator)) of \(whole($0.denominator)) rows" }
      return seed(row) + (rate ?? "no such group")
    }
    return (
      cell(found, scale: scale, decimals: scale == 100 ? 2 : 3),
      "\(name): " + behind.joined(separator: "; ") + interval("Wilson")
    )
  }

  private func explained(_ model: StudyResult.Summary, _ kind: GapKind) -> Explained {
    let behind = rows.filter { $0.model == model.model }.map { row in
      guard let gap = row.gaps[kind], let value = gap.value, let from = gap.from, let to = gap.to
      else { return seed(row) + "undefined" }
      let chance = gap.expectedIfEqual.map {
        " (\(decimal($0, 3)) on average if the groups were treated alike)"
      }
      return seed(row) + "\(to) minus \(from) is \(signed(value))" + (chance ?? "")
    }
    return (
      cell(model.cells[kind.rawValue], scale: 1, decimals: 3),
      "\(kind.title): " + behind.joined(separator: "; ") + interval("Newcombe")
    )
  }

  private func seed(_ row: StudyResult.Row) -> String { seeds > 1 ? "seed \(row.seed): " : "" }

  private func interval(_ method: String) -> String {
    seeds > 1
      ? ". Mean over the seeds, with Student's 95 % interval." : ". 95 % interval by \(method)."
  }

  private func whole(_ count: Double) -> String {
    count == count.rounded() ? decimal(count, 0) : decimal(count, 1)
  }

  private func cell(_ cell: StudyResult.Cell?, scale: Double, decimals: Int) -> String {
    guard let cell, let mean = cell.mean else {
      return "undefined (\(cell?.reason ?? "no such group"))"
    }
    let text = decimal(mean * scale, decimals)
    guard let low = cell.low, let high = cell.high else { return text }
    let short = max(1, decimals - (scale == 100 ? 1 : 0))
    return "\(text) (\(decimal(low * scale, short))–\(decimal(high * scale, short)))"
  }
}
