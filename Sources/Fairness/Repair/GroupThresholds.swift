/// Choices of group thresholds.
public struct GroupThresholdsOptions: Hashable, Sendable {
  /// What is made equal between the groups.
  public enum Parity: String, Hashable, Codable, Sendable, CaseIterable {
    /// The share of rows called positive: demographic parity.
    case selectionRate = "selection-rate"
    /// The TPR: equal opportunity.
    case truePositiveRate = "tpr"
    /// The FPR: predictive equality.
    case falsePositiveRate = "fpr"
    /// The TNR.
    case trueNegativeRate = "tnr"
    /// The FNR.
    case falseNegativeRate = "fnr"
    /// The TPR and the FPR.
    case equalizedOdds = "equalized-odds"
  }

  /// What is made large.
  public enum Objective: String, Hashable, Codable, Sendable, CaseIterable {
    /// The share of right decisions.
    case accuracy
    /// The mean of TPR and TNR.
    case balancedAccuracy = "balanced-accuracy"
    /// The share of rows called positive; not for equalized odds.
    case selectionRate = "selection-rate"
    /// The TPR; not for equalized odds.
    case truePositiveRate = "tpr"
    /// The TNR; not for equalized odds.
    case trueNegativeRate = "tnr"
  }

  /// What is made equal between the groups.
  public var parity = Parity.equalizedOdds
  /// What is made large.
  public var objective = Objective.accuracy
  /// How far apart the groups may be; not for equalized odds.
  public var tolerance = 0.0
  /// The number of steps of a grid on the rate; nil takes the exact corners of the curves.
  ///
  /// 1000 gives what Fairlearn's `ThresholdOptimizer` gives.
  public var grid: Int?
  /// A row was called positive before when its score was at least this; only for the report.
  public var threshold = 0.5

  /// Equalized odds at the highest accuracy, exactly.
  public init() {}
}

extension Repair {
  /// Thresholds of each group's own, or lots between two of them, that make a rate equal.
  ///
  /// The upper convex hull of what a group's thresholds reach is a concave curve of the objective
  /// over the rate. Weighted by the groups' sizes, the curves add up to one that is highest at a
  /// corner of one of them, so looking at all corners is exact. For equalized odds the curves are
  /// ROC curves; what all groups reach lies below the lowest of them, whose corners are those of
  /// the curves and their crossings, and groups above it give up by lot what is too much.
  ///
  /// Source: M. Hardt, E. Price, N. Srebro, *Equality of Opportunity in Supervised Learning*,
  /// NeurIPS 2016, section 3.3. <https://arxiv.org/abs/1610.02413> On a grid and with a tolerance
  /// as S. Bird and others, *Fairlearn*, 2020, `ThresholdOptimizer`.
  ///
  /// - Throws: ``RepairError/cannotFit(_:)`` unless there are two groups or more, each with rows
  ///   of both labels, and the objective fits the constraint.
  public static func groupThresholds(
    _ outcomes: Outcomes, options: GroupThresholdsOptions = GroupThresholdsOptions()
  ) throws(RepairError) -> Repair {
    let names = try requireRows(outcomes, labels: true)
    guard names.count > 1 else { throw .cannotFit("thresholds need two groups, not one") }
    guard (0...1).contains(options.tolerance), (options.grid ?? 1) > 0 else {
      throw .cannotFit("tolerance is from 0 to 1, and a grid has at least one step")
    }
    let isOdds = options.parity == .equalizedOdds
    if isOdds {
      guard [.accuracy, .balancedAccuracy].contains(options.objective), options.tolerance == 0
      else {
        throw .cannotFit(
          "equalized odds goes with the objectives accuracy and balanced-accuracy, and without "
            + "tolerance")
      }
    }
    let curves = ScoreCurve.curves(of: outcomes)
    let hulls = onAllCores(curves.count) { TradeOff(curves[$0], options) }
    let choice =
      isOdds
      ? ThresholdChoice.odds(hulls, curves, options)
      : ThresholdChoice.simple(hulls, curves, options)
    let rules = names.indices.map { group in choice[group].rule(names[group]) }
    return Repair(
      method: .thresholds, attribute: outcomes.groups.name, rules: rules,
      fit: try RepairFit(
        outcomes, rules: rules, threshold: options.threshold,
        settings: [
          "parity": options.parity.rawValue, "objective": options.objective.rawValue,
          "tolerance": "\(options.tolerance)",
          "grid": options.grid.map { "\($0)" } ?? "exact",
        ], isFeasible: true, notes: []))
  }
}

/// What is decided for one group: a lot between two thresholds, and perhaps a lot instead of both.
struct ThresholdChoice {
  /// The probability of the first threshold, and that threshold.
  var first: (probability: Double, threshold: Double)
  /// The probability of the second threshold, and that threshold.
  var second: (probability: Double, threshold: Double)
  /// The share of rows that are decided without their score.
  var ignored = 0.0
  /// The probability of a positive decision for these.
  var constant = 0.0

  /// The rule of steps; thresholds at infinity are levels, not steps.
  func rule(_ group: String) -> Repair.Rule {
    let floor = ignored * constant
    var steps: [(Double, Double)] = []
    var otherwise = floor
    for part in [first, second].sorted(by: { $0.threshold < $1.threshold })
    where part.probability > 0 && part.threshold < .infinity {
      let rise = (1 - ignored) * part.probability
      if part.threshold == -.infinity {
        otherwise += rise
      } else {
        steps.append((part.threshold, rise))
      }
    }
    var level = otherwise
    return Repair.Rule(
      group: group, otherwise: min(1, otherwise),
      steps: steps.map { threshold, rise in
        level += rise
        // Sums of two shares that make a whole may miss it by a rounding.
        return Repair.Step(above: threshold, min(1, abs(level - 1) < 1e-15 ? 1 : level))
      })
  }

  /// One rate for all groups, or rates that differ by the tolerance at most.
  static func simple(
    _ hulls: [TradeOff], _ curves: [ScoreCurve], _ options: GroupThresholdsOptions
  ) -> [ThresholdChoice] {
    let total = curves.reduce(0) { $0 + $1.total }
    let shares = curves.map { $0.total / total }
    let grid = Self.grid(hulls, options)
    let values = zip(hulls, shares).map { hull, share in hull.values(on: grid).map { share * $0 } }
    var chosen: [Int]
    if options.tolerance == 0 {
      var (best, place) = (-Double.infinity, 0)
      for i in grid.indices {
        let sum = values.reduce(0) { $0 + $1[i] }
        if sum > best { (best, place) = (sum, i) }
      }
      chosen = hulls.map { _ in place }
    } else {
      // A corner and the place that is a tolerance away from it may differ by a rounding more.
      let slack = options.grid == nil ? 1e-12 : 0
      chosen = window(values, grid, options.tolerance + slack)
    }
    return hulls.indices.map { hulls[$0].choice(at: grid[chosen[$0]], isFirst: chosen[$0] == 0) }
  }

  /// The places on the grid that differ by `tolerance` at most and have the greatest sum.
  ///
  /// A window slides over the grid; for every group a queue holds the places that may still
  /// become its best. Of equal sums the one with the smaller range is taken.
  private static func window(
    _ values: [[Double]], _ grid: [Double], _ tolerance: Double
  ) -> [Int] {
    var queues = [[Int]](repeating: [], count: values.count)
    var heads = [Int](repeating: 0, count: values.count)
    var start = 0
    var (best, narrowest) = (-Double.infinity, Double.infinity)
    var chosen = [Int](repeating: 0, count: values.count)
    for end in grid.indices {
      for group in values.indices {
        while queues[group].count > heads[group],
          let last = queues[group].last, values[group][last] <= values[group][end]
        {
          queues[group].removeLast()
        }
        queues[group].append(end)
      }
      while grid[end] - grid[start] > tolerance {
        for group in values.indices where queues[group][heads[group]] == start {
          heads[group] += 1
        }
        start += 1
      }
      let places = values.indices.map { queues[$0][heads[$0]] }
      let sum = values.indices.reduce(0) { $0 + values[$1][places[$1]] }
      let rates = places.map { grid[$0] }
      let range = (rates.max() ?? 0) - (rates.min() ?? 0)
      if sum > best || (sum == best && range < narrowest) {
        (best, narrowest, chosen) = (sum, range, places)
      }
    }
    return chosen
  }

  /// One point under every group's ROC curve.
  static func odds(
    _ hulls: [TradeOff], _ curves: [ScoreCurve], _ options: GroupThresholdsOptions
  ) -> [ThresholdChoice] {
    let positives = curves.reduce(0) { $0 + $1.positives }
    let negatives = curves.reduce(0) { $0 + $1.negatives }
    let grid = options.grid == nil ? crossings(hulls, grid(hulls, options)) : grid(hulls, options)
    let values = hulls.map { $0.values(on: grid) }
    var (best, place) = (-Double.infinity, 0)
    for i in grid.indices {
      let (x, y) = (grid[i], values.map { $0[i] }.min() ?? 0)
      let (fp, tn) = (negatives * x, negatives * (1 - x))
      let (tp, fn) = (positives * y, positives * (1 - y))
      var sum =
        options.objective == .accuracy
        ? (tp + tn) / (tp + tn + fp + fn) : 0.5 * tp / (tp + fn) + 0.5 * tn / (tn + fp)
      // Differences that rounding made are none: the first of equal points is taken.
      sum = (sum * 1e15).rounded(.toNearestOrEven) / 1e15
      if sum > best { (best, place) = (sum, i) }
    }
    let x = grid[place]
    let y = values.map { $0[place] }.min() ?? 0
    return hulls.indices.map { group in
      var choice = hulls[group].choice(at: x, isFirst: place == 0)
      let own = values[group][place]
      if own != x { choice.ignored = min(1, max(0, (own - y) / (own - x))) }
      choice.constant = x
      return choice
    }
  }

  /// Where the objective is looked at: a grid, or every corner of a curve.
  private static func grid(_ hulls: [TradeOff], _ options: GroupThresholdsOptions) -> [Double] {
    if let steps = options.grid {
      let width = 1 / Double(steps)
      return (0...steps).map { $0 == steps ? 1 : Double($0) * width }
    }
    var corners = hulls.flatMap { $0.corners.map(\.x) }
    if options.tolerance > 0 {
      // A window's end may also lie a tolerance away from a corner.
      corners += corners.flatMap { [$0 - options.tolerance, $0 + options.tolerance] }
    }
    corners = corners.filter { (0...1).contains($0) }.sorted()
    return corners.indices.filter { $0 == 0 || corners[$0] != corners[$0 - 1] }.map { corners[$0] }
  }

  /// The corners, and between them where two curves cross.
  private static func crossings(_ hulls: [TradeOff], _ corners: [Double]) -> [Double] {
    let values = hulls.map { $0.values(on: corners) }
    var all = corners
    for i in corners.indices.dropLast() {
      for a in hulls.indices {
        for b in hulls.indices.dropFirst(a + 1) {
          let (left, right) = (values[a][i] - values[b][i], values[a][i + 1] - values[b][i + 1])
          guard left * right < 0 else { continue }
          all.append(corners[i] + (corners[i + 1] - corners[i]) * left / (left - right))
        }
      }
    }
    return all.sorted()
  }
}
