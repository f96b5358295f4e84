extension Drift {
  /// The drift of the AUC gap between two groups, by DeLong.
  ///
  /// The areas of one group over the same rows are correlated, those of disjoint groups are not:
  /// their changes' intervals join by MOVER.
  static func ofAreas(
    _ before: Outcomes, _ after: Outcomes, _ options: ComparisonOptions
  ) -> Drift {
    var drift = Drift()
    let groups = before.groups.groups
    let areas = onAllCores(2) { group -> PairedAreas? in
      let rows = before.groups.codes.indices.filter { Int(before.groups.codes[$0]) == group }
      return PairedAreas(
        before: rows.map { before.scores[$0] }, after: rows.map { after.scores[$0] },
        labels: rows.map { before.labels[$0] })
    }
    let to = options.reference == groups[1] ? 0 : 1
    (drift.from, drift.to) = (groups[1 - to], groups[to])
    guard let first = areas[1 - to], let second = areas[to] else {
      let bad = areas[0] == nil ? groups[0] : groups[1]
      drift.reason = "\(bad): \(Measure.auc.emptyReason)"
      return drift
    }
    drift.before = second.before - first.before
    drift.after = second.after - first.after
    func joined(_ confidence: Double) -> Estimate {
      .difference(
        from: first.change(confidence: confidence), to: second.change(confidence: confidence))
    }
    let wide = joined(options.confidence)
    let narrow = joined(1 - 2 * (1 - options.confidence)).interval
    drift.value = wide.value
    drift.interval = wide.interval
    drift.equivalenceInterval = narrow
    drift.method = "DeLong and MOVER"
    let (x, y) = (drift.before ?? 0, drift.after ?? 0)
    drift.growth = abs(y) - abs(x)
    let widest = max(abs(narrow.low), abs(narrow.high))
    // Where a sign changes the size grew by no more than the gap moved.
    drift.growthInterval =
      x * y > 0
      ? (x > 0 ? narrow : Interval(-narrow.high, -narrow.low)) : Interval(-widest, widest)
    drift.decide(margin: options.margin, rows: before.count)
    return drift
  }
}
