import Fairness
import Foundation
public import Study

/// The poster's tables 1 to 3 and the sizes, from a study's results.
///
/// Over one training seed a cell is the value with its 95 % interval (Wilson for rates, Newcombe
/// for gaps). Over several it is the mean with the range over the seeds.
public struct StudyTables: Sendable {
  private let models: [(title: String, rows: [StudyResult.Row])]
  private let pairs: [StudyResult.Pair]
  private let groups: [String]
  private let seeds: Int

  /// The tables of `result`; models in the order they first appear.
  public init(_ result: StudyResult) {
    var order: [String] = []
    for row in result.rows where !order.contains(row.model) { order.append(row.model) }
    models = order.map { model in
      let rows = result.rows.filter { $0.model == model }
      return (rows[0].title, rows)
    }
    pairs = result.comparisons
    groups = result.rows.first?.groups.map(\.name) ?? []
    seeds = Set(result.rows.map(\.seed)).count
  }

  /// All tables, in the poster's order.
  public var all: [Table] { [overall, accuracyByGroup, ratesByGroup, drifts, sizes] }

  /// Table 1: accuracy, EO and FPR difference of every model.
  public var overall: Table {
    Table(
      "Table 1. Accuracy and gaps",
      columns: ["model", "accuracy %", "EO", "FPR difference"],
      rows: models.map { title, rows in
        [
          title, rate(rows, scale: 100, decimals: 2) { $0.accuracy },
          gap(rows, .equalOpportunity), gap(rows, .fprDifference),
        ]
      },
      notes: [
        "EO is the absolute difference of the groups' true positive rates. " + meaning,
        directions,
      ].filter { !$0.isEmpty })
  }

  /// Table 2: the accuracy of every group.
  public var accuracyByGroup: Table {
    Table(
      "Table 2. Accuracy by group",
      columns: ["model"] + groups.map { "\($0) accuracy %" },
      rows: models.map { title, rows in
        [title]
          + groups.map { group in
            rate(rows, scale: 100, decimals: 2) { $0.rate(.accuracy, of: group) }
          }
      })
  }

  /// Table 3: the true and false positive rates of every group.
  public var ratesByGroup: Table {
    let measures: [Measure] = [.truePositiveRate, .falsePositiveRate]
    return Table(
      "Table 3. True and false positive rates by group",
      columns: ["model"] + measures.flatMap { measure in groups.map { "\($0) \(measure.title)" } },
      rows: models.map { title, rows in
        [title]
          + measures.flatMap { measure in
            groups.map { group in
              rate(rows, scale: 1, decimals: 3) { $0.rate(measure, of: group) }
            }
          }
      })
  }

  /// Table 4: what each compression did to the gaps, on the same people.
  public var drifts: Table {
    let margin = pairs.first.map { decimal($0.comparison.margin, 3) } ?? "undeclared"
    return Table(
      "Table 4. Who paid: drift of the gaps on the same people",
      columns: [
        "model", "decisions flipped", "EO drift", "verdict", "FPR difference drift", "verdict",
      ],
      rows: pairs.map { pair in
        let flipped = pair.comparison.flips.reduce(0) { $0 + $1.gained + $1.lost }
        let share = 100 * Double(flipped) / Double(max(1, pair.comparison.rows))
        return [
          seeds > 1 ? "\(pair.title), seed \(pair.seed)" : pair.title,
          "\(flipped) (\(decimal(share, 1)) %)",
        ] + drift(pair, .equalOpportunity) + drift(pair, .fprDifference)
      },
      notes: [
        "Drift is how much the absolute gap grew, with its interval at the confidence of two "
          + "one-sided tests. Preserved: shown to lie within ±\(margin)."
      ])
  }

  private func drift(_ pair: StudyResult.Pair, _ kind: GapKind) -> [String] {
    guard let drift = pair.comparison.drift[kind], let growth = drift.growth else {
      return ["undefined (\(pair.comparison.drift[kind]?.reason ?? "no such gap"))", "undefined"]
    }
    let range = drift.growthInterval.map { " (\(signed($0.low)) to \(signed($0.high)))" } ?? ""
    let rows = drift.rowsNeeded.map { ", needs \($0) rows" } ?? ""
    return [
      signed(growth) + range,
      drift.verdict.rawValue + (drift.verdict == .undecided ? rows : ""),
    ]
  }

  private func signed(_ value: Double) -> String { (value < 0 ? "" : "+") + decimal(value, 3) }

  /// The length of every model's file, and how many times smaller it is than the first's.
  public var sizes: Table {
    let first = models.first?.rows.first?.bytes ?? 0
    return Table(
      "Sizes",
      columns: ["model", "bytes", "KB", "times smaller"],
      rows: models.map { title, rows in
        let bytes = rows[0].bytes
        return [
          title, String(bytes), decimal(Double(bytes) / 1000, 3),
          bytes > 0 ? decimal(Double(first) / Double(bytes), 2) : "undefined",
        ]
      },
      notes: ["Bytes of the ONNX files as written; 1 KB = 1000 bytes."])
  }

  private var meaning: String {
    seeds > 1
      ? "Cells are means over \(seeds) training seeds, with the smallest and largest."
      : "In brackets: 95 % intervals, Wilson's for rates and Newcombe's for differences."
  }

  /// Which group has the higher rates, as the signed gaps of the first model say.
  private var directions: String {
    guard groups.count == 2, let row = models.first?.rows.first else { return "" }
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

  private func rate(
    _ rows: [StudyResult.Row], scale: Double, decimals: Int, _ read: (StudyResult.Row) -> Rate?
  ) -> String {
    cell(
      rows.map { row in
        read(row).map { rate in (rate.value, rate.interval, rate.reason) }
          ?? (nil, nil, "no such group")
      }, scale: scale, decimals: decimals)
  }

  private func gap(_ rows: [StudyResult.Row], _ kind: GapKind) -> String {
    cell(
      rows.map { row in
        row.gaps[kind].map { ($0.absolute, $0.absoluteInterval, $0.reason) }
          ?? (nil, nil, "no such gap")
      }, scale: 1, decimals: 3)
  }

  private func cell(
    _ found: [(value: Double?, interval: Interval?, reason: String?)], scale: Double, decimals: Int
  ) -> String {
    if let missing = found.first(where: { $0.value == nil }) {
      return "undefined (\(missing.reason ?? "no reason given"))"
    }
    let values = found.compactMap(\.value)
    let mean = values.reduce(0, +) / Double(values.count)
    let text = decimal(mean * scale, decimals)
    let range =
      values.count > 1
      ? (values.min() ?? mean, values.max() ?? mean)
      : found[0].interval.map { ($0.low, $0.high) }
    guard let range else { return text }
    let short = max(1, decimals - (scale == 100 ? 1 : 0))
    return "\(text) (\(decimal(range.0 * scale, short))–\(decimal(range.1 * scale, short)))"
  }

  private func decimal(_ value: Double, _ places: Int) -> String {
    String(format: "%.\(places)f", value)
  }
}

extension StudyResult.Row {
  /// A rate of one group, or nil when there is no such group.
  func rate(_ measure: Measure, of group: String) -> Rate? {
    groups.first { $0.name == group }?.rates[measure]
  }
}
