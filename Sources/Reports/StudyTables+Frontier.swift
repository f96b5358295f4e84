import Study

extension StudyTables {
  /// Bytes against harm, for every model that is a point of a frontier; `nil` where there is none.
  public var frontier: Table? {
    let points = FrontierPoint.all(of: result)
    guard !points.isEmpty else { return nil }
    var table = Table(
      "Frontier. Every file against the first model",
      columns: [
        "weights", "times smaller", "accuracy, points", "worst group, points", "EO, points",
        "FPR difference, points", "EO", "FPR difference", "limits",
      ],
      rows: points.map { point in
        [point.title, decimal(point.ratio, 2)]
          + FrontierPoint.measures.map { Self.points(point.changes[$0]) }
          + ["equalOpportunity", "fprDifference"].map { gap in
            point.sizes[gap]?.mean.map { decimal($0, 3) } ?? "undefined"
          } + [point.verdict]
      },
      notes: [
        "Changes are after minus before on the same test rows, gaps by their size, with paired 95 % "
          + "intervals (Student's over several seeds). Worst group: that which lost most accuracy. "
          + "Limits: whether the file is certified on validation rows that no choice has seen; a "
          + "refused file is the closest point found."
      ])
    table.alignments[table.columns.count - 1] = .leading
    return table
  }

  private static func points(_ effect: StudyResult.Effect?) -> String {
    guard let effect, let mean = effect.mean else { return "undefined" }
    func number(_ value: Double) -> String { (value < 0 ? "" : "+") + decimal(100 * value, 2) }
    guard let low = effect.low, let high = effect.high else { return number(mean) }
    return "\(number(mean)) (\(number(low)) to \(number(high)))"
  }
}

/// One model of a frontier, over all seeds.
struct FrontierPoint {
  /// What is shown of every point, as changes against the first model.
  static let measures = ["accuracy", "worstGroupAccuracy", "equalOpportunity", "fprDifference"]

  var title: String
  var series: String
  /// How many times smaller than the first model's file; the mean over the seeds.
  var ratio: Double
  /// Changes against the first model, by measure.
  var changes: [String: StudyResult.Effect]
  /// The sizes of gaps, by name.
  var sizes: [String: StudyResult.Cell]
  /// For every seed whether its limits are certified; empty where there were none.
  var certified: [Bool]
  /// Whether gaps were to be closed, not only kept.
  var isFair: Bool

  /// In a word whether limits were kept.
  var verdict: String {
    guard !certified.isEmpty else { return "" }
    let kept = certified.count(where: \.self)
    if certified.count == 1 { return kept == 1 ? "certified" : "refused" }
    return "\(kept) of \(certified.count) certified"
  }

  /// The points of a study, in its order.
  static func all(of result: StudyResult) -> [FrontierPoint] {
    let models = result.models ?? []
    guard let first = models.first?.model else { return [] }
    let whole = result.rows.filter { $0.model == first }
    return models.compactMap { model in
      guard let series = model.series else { return nil }
      let rows = result.rows.filter { $0.model == model.model }
      let ratios = rows.compactMap { row in
        whole.first { $0.seed == row.seed }.map {
          Double($0.bytes) / Double(max(1, row.bytes + (row.repair?.bytes ?? 0)))
        }
      }
      guard !ratios.isEmpty else { return nil }
      let effects = (result.effects ?? []).filter { $0.model == model.model && $0.base == first }
      return FrontierPoint(
        title: model.title, series: series, ratio: ratios.reduce(0, +) / Double(ratios.count),
        changes: Dictionary(effects.map { ($0.measure, $0) }, uniquingKeysWith: { one, _ in one }),
        sizes: (result.summary ?? []).first { $0.model == model.model }?.cells ?? [:],
        certified: rows.compactMap(\.isCertified),
        isFair: model.closesGaps ?? false)
    }
  }
}
