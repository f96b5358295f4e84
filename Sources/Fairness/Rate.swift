/// One number about one group, or the reason why there is none.
///
/// A rate over nothing is not 0: it is undefined, says why, and keeps its counts.
public struct Rate: Hashable, Sendable {
  /// The rate; nil when it is undefined.
  public var value: Double?
  /// Where the true rate lies; nil when it is undefined or no interval is offered.
  public var interval: Interval?
  /// Why there is no value; nil when there is one.
  public var reason: String?
  /// What is above the fraction bar.
  public var numerator: Double
  /// What is below the fraction bar.
  public var denominator: Double

  /// The rate drawn towards those of the other groups, as far as few rows leave it open; nil where
  /// fewer than three groups have one.
  public var pooled: Estimate?

  /// What a calibration error would be on average if the scores were perfectly calibrated.
  public var expectedIfCalibrated: Double?

  /// A rate with a value.
  public init(
    _ value: Double, interval: Interval?, numerator: Double, denominator: Double
  ) {
    self.value = value
    self.interval = interval
    self.numerator = numerator
    self.denominator = denominator
  }

  /// A rate that cannot be computed.
  public init(undefined reason: String, numerator: Double = 0, denominator: Double = 0) {
    self.reason = reason
    self.numerator = numerator
    self.denominator = denominator
  }

  /// The value with its interval, for forming differences.
  public var estimate: Estimate? {
    guard let value, let interval else { return nil }
    return Estimate(value, interval)
  }
}

extension Rate: Codable {
  private enum Keys: String, CodingKey {
    case value, low, high, reason, numerator, denominator, expectedIfCalibrated
    case pooled, pooledLow, pooledHigh
  }

  /// Reads what ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Keys.self)
    value = try keyed.decodeIfPresent(Double.self, forKey: .value)
    reason = try keyed.decodeIfPresent(String.self, forKey: .reason)
    numerator = try keyed.decode(Double.self, forKey: .numerator)
    denominator = try keyed.decode(Double.self, forKey: .denominator)
    expectedIfCalibrated = try keyed.decodeIfPresent(
      Double.self, forKey: .expectedIfCalibrated)
    if let value = try keyed.decodeIfPresent(Double.self, forKey: .pooled),
      let low = try keyed.decodeIfPresent(Double.self, forKey: .pooledLow),
      let high = try keyed.decodeIfPresent(Double.self, forKey: .pooledHigh)
    {
      pooled = Estimate(value, Interval(low, high))
    }
    if let low = try keyed.decodeIfPresent(Double.self, forKey: .low),
      let high = try keyed.decodeIfPresent(Double.self, forKey: .high)
    {
      interval = Interval(low, high)
    }
  }

  /// Writes `value`, `low`, `high`, `numerator`, `denominator`, or a null value and the `reason`.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Keys.self)
    try keyed.encode(value, forKey: .value)
    try keyed.encodeIfPresent(interval?.low, forKey: .low)
    try keyed.encodeIfPresent(interval?.high, forKey: .high)
    try keyed.encodeIfPresent(reason, forKey: .reason)
    try keyed.encode(numerator, forKey: .numerator)
    try keyed.encode(denominator, forKey: .denominator)
    try keyed.encodeIfPresent(expectedIfCalibrated, forKey: .expectedIfCalibrated)
    try keyed.encodeIfPresent(pooled?.value, forKey: .pooled)
    try keyed.encodeIfPresent(pooled?.interval.low, forKey: .pooledLow)
    try keyed.encodeIfPresent(pooled?.interval.high, forKey: .pooledHigh)
  }
}

extension Counts {
  /// One of the ``Measure/ofDecisions``, with Wilson's interval.
  ///
  /// With weights the number of trials is Kish's effective one, `(Σw)² / Σw²`. F1 is
  /// `2q / (1 + q)` of the share `q = TP / (TP + FP + FN)`, and its interval that of `q`, carried
  /// over. Balanced accuracy joins the intervals of TPR and TNR by MOVER.
  ///
  /// Source: L. Kish, *Survey Sampling*, Wiley 1965, section 11.7.
  public func rate(_ measure: Measure, confidence: Double = 0.95) -> Rate {
    rate(measure, confidence: confidence) { _, _, most in most }
  }

  /// The cells that count in the share behind a fraction, and those it is a share of.
  private static func share(
    _ fraction: (numerator: SIMD4<Double>, denominator: SIMD4<Double>)
  ) -> (hits: SIMD4<Double>, inside: SIMD4<Double>) {
    let ones = SIMD4<Double>(repeating: 1)
    return (
      SIMD4<Double>.zero.replacing(with: ones, where: fraction.numerator .> 0),
      SIMD4<Double>.zero.replacing(with: ones, where: fraction.denominator .> 0)
    )
  }

  /// The share behind a fraction, for pooling: its hits and trials in effective rows.
  func effectiveHits(
    _ measure: Measure, effective: (SIMD4<Double>, SIMD4<Double>, Double) -> Double
  ) -> PartialPooling.Group? {
    guard let fraction = measure.cells else { return nil }
    let (hits, inside) = Self.share(fraction)
    let weight = (inside * cells).sum()
    guard weight > 0 else { return nil }
    let trials = effectiveShare(measure, effective: effective) * weight
    return .init(hits: (hits * cells).sum() / weight * trials, trials: trials)
  }

  /// The effective number of rows of a share for a weight of 1; 1 where there is no row.
  func effectiveShare(
    _ measure: Measure, effective: (SIMD4<Double>, SIMD4<Double>, Double) -> Double
  ) -> Double {
    guard let fraction = measure.cells else { return 1 }
    let (hits, inside) = Self.share(fraction)
    let weight = (inside * cells).sum()
    guard weight > 0 else { return 1 }
    return effective(hits, inside, weight * weight / (inside * squares).sum()) / weight
  }

  /// A rate whose effective number of rows is decided by `effective`, given the cells above and
  /// below the fraction bar of the share and Kish's number.
  func rate(
    _ measure: Measure, confidence: Double,
    effective: (SIMD4<Double>, SIMD4<Double>, Double) -> Double
  ) -> Rate {
    if measure == .balancedAccuracy {
      let parts = [Measure.truePositiveRate, .trueNegativeRate].compactMap {
        rate($0, confidence: confidence, effective: effective).estimate
      }
      guard parts.count == 2 else { return Rate(undefined: measure.emptyReason) }
      let mean = Estimate.mean(parts[0], parts[1])
      return Rate(
        mean.value, interval: mean.interval, numerator: parts[0].value + parts[1].value,
        denominator: 2)
    }
    guard let fraction = measure.cells else {
      return Rate(undefined: "needs scores, not counts of decisions")
    }
    let numerator = (fraction.numerator * cells).sum()
    let denominator = (fraction.denominator * cells).sum()
    guard denominator > 0 else {
      return Rate(undefined: measure.emptyReason, numerator: numerator)
    }
    let (hits, inside) = Self.share(fraction)
    let weight = (inside * cells).sum()
    let trials = effective(hits, inside, weight * weight / (inside * squares).sum())
    let share = (hits * cells).sum() / weight
    var interval = Interval.wilson(trials * share, of: trials, confidence: confidence)
    if measure == .f1 {
      interval = Interval(
        2 * interval.low / (1 + interval.low), 2 * interval.high / (1 + interval.high))
    }
    return Rate(
      numerator / denominator, interval: interval, numerator: numerator,
      denominator: denominator)
  }
}
