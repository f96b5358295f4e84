/// Choices of the group-blind repair.
public struct GroupBlindOptions: Hashable, Sendable {
  /// Which rate is brought to the target.
  public enum Rate: String, Hashable, Codable, Sendable, CaseIterable {
    /// The share of all rows called positive.
    case selectionRate = "selection-rate"
    /// The share of all positives called positive.
    case truePositiveRate = "tpr"
  }

  /// Which rate is brought to the target.
  public var rate = Rate.selectionRate
  /// What it is brought to, such as the rate of the model before compression.
  public var target: Double
  /// A row is called positive when its repaired score is at least this.
  public var threshold = 0.5

  /// The selection rate is brought to `target`, at threshold 0.5.
  public init(target: Double) { self.target = target }
}

extension Repair {
  /// Temperature and bias for everyone alike: moves the threshold until an overall rate is back.
  ///
  /// Compression often shifts all scores, and then the groups nearer to the threshold pay. Putting
  /// the overall rate back repairs that part without knowing anyone's group, and cannot do more.
  /// Ties among scores can keep the rate from its target: the nearest is taken.
  ///
  /// - Throws: ``RepairError/cannotFit(_:)`` when there are no rows, or no positives for a TPR.
  public static func groupBlind(
    _ outcomes: Outcomes, options: GroupBlindOptions
  ) throws(RepairError) -> Repair {
    guard (0...1).contains(options.target) else {
      throw .cannotFit("the target \(options.target) is not in 0 to 1")
    }
    guard options.threshold > 0, options.threshold < 1 else {
      throw .cannotFit("the threshold \(options.threshold) is not between 0 and 1")
    }
    let everyone = Outcomes(
      scores: outcomes.scores, labels: outcomes.labels,
      groups: Attribute(
        "everyone", groups: ["everyone"], codes: .init(repeating: 0, count: outcomes.count)),
      weights: outcomes.weights)
    _ = try requireRows(everyone, labels: true)
    let curve = ScoreCurve.curves(of: everyone)[0]
    let all = options.rate == .selectionRate ? curve.total : curve.positives
    // Walking down the scores, the rate after each: the nearest to the target wins.
    var called = 0.0
    var (nearest, place) = (options.target, -1)
    for (position, point) in curve.points.enumerated() {
      called += point.positives + (options.rate == .selectionRate ? point.negatives : 0)
      let distance = abs(called / all - options.target)
      if distance < nearest { (nearest, place) = (distance, position) }
    }
    let upper = place < 0 ? nil : curve.points[place].score
    let lower = place + 1 < curve.points.count ? curve.points[place + 1].score : nil
    // Half-way in log odds between the last score that is called positive and the next.
    let cut: Double =
      switch (upper, lower) {
      case (let upper?, let lower?): (logit(upper) + logit(lower)) / 2
      case (let upper?, nil): logit(upper) - 1
      case (nil, let lower?): logit(lower) + 1
      case (nil, nil): 0
      }
    var slope = 1.0
    if case .logistic(let fitted, _)? = try ScoreCalibration.fitted(
      .temperature, to: curve, group: "everyone")
    {
      slope = fitted
    }
    let rules = [
      Rule(
        group: nil,
        calibration: .logistic(slope: slope, bias: logit(options.threshold) - slope * cut),
        otherwise: 0, steps: [Step(atLeast: options.threshold, 1)])
    ]
    let reached =
      place < 0
      ? 0
      : curve.points[...place].reduce(0.0) { sum, point in
        sum + point.positives + (options.rate == .selectionRate ? point.negatives : 0)
      } / all
    let isFeasible = nearest <= 0.005
    var notes = [
      "the threshold on raw scores becomes \(written(sigmoid(cut), decimals: 4)); the "
        + "\(options.rate.rawValue) becomes \(written(reached, decimals: 4)), the target is "
        + written(options.target, decimals: 4)
    ]
    if !isFeasible { notes.append("equal scores keep the rate from its target") }
    return Repair(
      method: .groupBlind, attribute: outcomes.groups.name, rules: rules,
      fit: try RepairFit(
        outcomes, rules: rules, threshold: options.threshold,
        settings: ["rate": options.rate.rawValue, "target": "\(options.target)"],
        isFeasible: isFeasible, notes: notes))
  }
}
