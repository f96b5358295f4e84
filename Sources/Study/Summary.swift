public import Fairness

extension StudyResult {
  /// A number over all seeds.
  public struct Cell: Hashable, Codable, Sendable {
    /// What the interval covers.
    public enum Method: String, Hashable, Codable, Sendable {
      /// One model and other test rows: the interval of the rate or gap.
      case rows
      /// Other training seeds: Student's t over the seeds' values.
      case seeds
    }

    /// The mean over the seeds; nil when it is undefined for one of them.
    public var mean: Double?
    /// The lower end of its interval.
    public var low: Double?
    /// The upper end of its interval.
    public var high: Double?
    /// The smallest of the seeds' values.
    public var smallest: Double?
    /// The largest of the seeds' values.
    public var largest: Double?
    /// The number of seeds.
    public var seeds: Int
    /// What the interval covers; nil when there is none.
    public var method: Method?
    /// Why there is no value; nil when there is one.
    public var reason: String?

    /// The cell of one value a seed; nil values carry their reason.
    init(_ found: [(value: Double?, interval: Interval?, reason: String?)]) {
      seeds = found.count
      if let missing = found.first(where: { $0.value == nil }) {
        reason = missing.reason ?? "no reason given"
        return
      }
      let values = found.compactMap(\.value)
      guard !values.isEmpty else {
        reason = "no seed"
        return
      }
      mean = values.reduce(0, +) / Double(values.count)
      smallest = values.min()
      largest = values.max()
      if let estimate = Estimate.mean(of: values) {
        (low, high, method) = (estimate.interval.low, estimate.interval.high, .seeds)
      } else if let interval = found[0].interval {
        (low, high, method) = (interval.low, interval.high, .rows)
      }
    }

    /// The cell of a rate.
    init(rates: [Rate?]) {
      self.init(
        rates.map { rate in
          rate.map { ($0.value, $0.interval, $0.reason) } ?? (nil, nil, "no such group")
        })
    }

    /// The cell of the size of a gap.
    init(gaps: [Gap?]) {
      self.init(
        gaps.map { gap in
          gap.map { ($0.absolute, $0.absoluteInterval, $0.reason) } ?? (nil, nil, "no such gap")
        })
    }

    /// Writes `mean`, also when there is none, and what else there is.
    public func encode(to encoder: any Encoder) throws {
      var keyed = encoder.container(keyedBy: CodingKeys.self)
      try keyed.encode(mean, forKey: .mean)
      try keyed.encodeIfPresent(low, forKey: .low)
      try keyed.encodeIfPresent(high, forKey: .high)
      try keyed.encodeIfPresent(smallest, forKey: .smallest)
      try keyed.encodeIfPresent(largest, forKey: .largest)
      try keyed.encode(seeds, forKey: .seeds)
      try keyed.encodeIfPresent(method, forKey: .method)
      try keyed.encodeIfPresent(reason, forKey: .reason)
    }
  }

  /// What the tables print of one model.
  public struct Summary: Hashable, Codable, Sendable {
    /// One group of a model.
    public struct Group: Hashable, Codable, Sendable {
      /// The name of the group.
      public var name: String
      /// Its rates.
      public var rates: [Measure: Cell]
    }

    /// The model's key.
    public var model: String
    /// Its name for people.
    public var title: String
    /// The bytes of its file, of the first seed.
    public var bytes: Int
    /// Accuracy, and the sizes of gaps, by name.
    public var cells: [String: Cell]
    /// Every group.
    public var groups: [Group]

    /// The gaps that are summed up, beside the accuracy.
    static let gaps: [GapKind] = [
      .equalOpportunity, .fprDifference, .equalizedOdds, .demographicParity,
    ]
    private static let rates: [Measure] = [
      .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate,
    ]

    /// The summaries of all models, in the order in which they first appear.
    static func all(of rows: [Row]) -> [Summary] {
      var order: [String] = []
      for row in rows where !order.contains(row.model) { order.append(row.model) }
      return order.map { model in
        let own = rows.filter { $0.model == model }
        var cells = ["accuracy": Cell(rates: own.map(\.accuracy))]
        for gap in gaps { cells[gap.rawValue] = Cell(gaps: own.map { $0.gaps[gap] }) }
        let groups = own[0].groups.map { group in
          Group(
            name: group.name,
            rates: Dictionary(
              uniqueKeysWithValues: rates.map { measure in
                (measure, Cell(rates: own.map { $0.rate(measure, of: group.name) }))
              }))
        }
        return Summary(
          model: model, title: own[0].title, bytes: own[0].bytes, cells: cells, groups: groups)
      }
    }
  }

  /// What a change did to a number, over all seeds.
  public struct Effect: Hashable, Codable, Sendable {
    /// The key of the model that came after.
    public var model: String
    /// The key of the model that was before it.
    public var base: String
    /// `accuracy`, `worstGroupAccuracy` (that of the group that lost most), or a gap, whose size it
    /// is.
    public var measure: String
    /// The mean over the seeds of after minus before; nil when it is undefined for one of them.
    public var mean: Double?
    /// The lower end of its interval.
    public var low: Double?
    /// The upper end of its interval.
    public var high: Double?
    /// The number of seeds.
    public var seeds: Int
    /// After minus before, one a seed.
    public var values: [Double]
    /// Whether the interval excludes 0.
    public var isReal: Bool
    /// What the interval covers; nil when there is none.
    public var method: Cell.Method?

    /// The effects of all pairs of models, in the order in which they first appear.
    static func all(of pairs: [Pair]) -> [Effect] {
      var order: [[String]] = []
      for pair in pairs where !order.contains([pair.model, pair.base]) {
        order.append([pair.model, pair.base])
      }
      return order.flatMap { key in
        let own = pairs.filter { [$0.model, $0.base] == key }
        var effects = [effect(own, "accuracy") { $0.accuracyChange }]
        effects.append(effect(own, "worstGroupAccuracy") { $0.worstGroupAccuracyChange })
        for gap in Summary.gaps.prefix(3) {
          effects.append(effect(own, gap.rawValue) { $0.growth(of: gap) })
        }
        return effects
      }
    }

    private static func effect(
      _ pairs: [Pair], _ measure: String,
      _ read: (Comparison) -> (value: Double?, interval: Interval?)
    ) -> Effect {
      let cell = Cell(
        pairs.map { pair in
          let (value, interval) = read(pair.comparison)
          return (value, interval, nil)
        })
      let isReal = cell.low.flatMap { low in cell.high.map { low > 0 || $0 < 0 } } ?? false
      return Effect(
        model: pairs[0].model, base: pairs[0].base, measure: measure, mean: cell.mean,
        low: cell.low, high: cell.high, seeds: pairs.count,
        values: pairs.compactMap { read($0.comparison).value }, isReal: isReal,
        method: cell.method)
    }
  }
}

extension Comparison {
  /// How much the accuracy over all rows grew.
  var accuracyChange: (value: Double?, interval: Interval?) {
    guard let all = changes[.accuracy]?.first(where: { $0.group == "all" }) else {
      return (nil, nil)
    }
    return (all.value, all.low.flatMap { low in all.high.map { Interval(low, $0) } })
  }

  /// How the accuracy of the group that lost most, or won least, changed.
  var worstGroupAccuracyChange: (value: Double?, interval: Interval?) {
    let groups = (changes[.accuracy] ?? []).filter { $0.group != "all" && $0.value != nil }
    guard let worst = groups.min(by: { ($0.value ?? 0) < ($1.value ?? 0) }) else {
      return (nil, nil)
    }
    return (worst.value, worst.low.flatMap { low in worst.high.map { Interval(low, $0) } })
  }

  /// How much the size of a gap grew.
  ///
  /// While the gap keeps its sign, its growth is the drift up to that sign, with the drift's own
  /// interval; otherwise the interval is that of the one-sided tests.
  func growth(of kind: GapKind) -> (value: Double?, interval: Interval?) {
    guard let drift = drift[kind], let growth = drift.growth else { return (nil, nil) }
    guard let before = drift.before, let after = drift.after, let interval = drift.interval,
      before * after > 0
    else { return (growth, drift.growthInterval) }
    return (growth, before > 0 ? interval : Interval(-interval.high, -interval.low))
  }
}

extension StudyResult.Row {
  /// A rate of one group, or nil when there is no such group.
  public func rate(_ measure: Measure, of group: String) -> Rate? {
    groups.first { $0.name == group }?.rates[measure]
  }
}
