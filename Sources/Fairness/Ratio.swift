/// A ratio of two groups' rates.
///
/// The names are the keys in JSON. A ratio of 1 means no difference.
public enum RatioKind: String, Hashable, Codable, Sendable, CaseIterable, CodingKeyRepresentable {
  /// The ratio of selection rates (disparate impact).
  case demographicParity
  /// The smaller of the TPR and the FPR ratio.
  case equalizedOdds
  /// The ratio of TPRs.
  case truePositiveRate
  /// The ratio of FPRs.
  case falsePositiveRate
  /// The ratio of FNRs.
  case falseNegativeRate
  /// The ratio of FDRs.
  case falseDiscoveryRate
  /// The ratio of FORs.
  case falseOmissionRate
  /// The ratio of error rates.
  case errorRate
  /// The ratio of accuracies.
  case accuracy
  /// The ratio of balanced accuracies.
  case balancedAccuracy
  /// The ratio of TNRs.
  case trueNegativeRate
  /// The ratio of precisions.
  case precision
  /// The ratio of NPVs.
  case negativePredictiveValue
  /// The ratio of F1s.
  case f1
  /// The ratio of base rates.
  case baseRate

  /// The measures that are divided.
  var measures: [Measure] {
    switch self {
    case .demographicParity: [.selectionRate]
    case .equalizedOdds: [.falsePositiveRate, .truePositiveRate]
    default: Measure(rawValue: rawValue).map { [$0] } ?? []
    }
  }

  /// What tables call it.
  public var title: String {
    switch self {
    case .demographicParity: "selection rate (disparate impact)"
    case .equalizedOdds: "equalized odds"
    default: measures.first?.title ?? rawValue
    }
  }
}

/// The rate of one group divided by that of another.
public struct Ratio: Hashable, Codable, Sendable {
  /// `rate(to) / rate(from)`; nil when it is undefined.
  public var value: Double?
  /// The lower end of the interval; nil when there is none.
  public var low: Double?
  /// The upper end of the interval; nil when there is none or it is infinite.
  public var high: Double?
  /// What is divided by.
  public var from: String?
  /// What is divided.
  public var to: String?
  /// The two rates.
  public var rates: [Double] = []
  /// Why there is no value; nil when there is one.
  public var reason: String?
}

extension GapMaker {
  /// The ratio to the reference that is farthest from 1, or of the lowest to the highest rate.
  ///
  /// Intervals by MOVER-R, at a confidence that holds for all pairs together.
  ///
  /// Source: A. Donner, G. Y. Zou, *Closed-form Confidence Intervals for Functions of the Normal
  /// Mean and Standard Deviation*, Statistical Methods in Medical Research 21 (2012) 347-359.
  func ratio(_ kind: RatioKind) -> Ratio {
    var best: Ratio?
    for (position, measure) in kind.measures.enumerated() {
      let ratio = ratio(measure, parts: kind.measures.count)
      guard position > 0, let known = best?.value else {
        best = ratio
        continue
      }
      if let value = ratio.value, distance(value) <= distance(known) { continue }
      best = ratio
    }
    return best ?? Ratio()
  }

  /// How far a ratio is from 1, as its smaller form: 0 is the farthest.
  private func distance(_ ratio: Double) -> Double {
    reference == nil ? -ratio : -min(ratio, ratio > 0 ? 1 / ratio : 0)
  }

  private func ratio(_ measure: Measure, parts: Int) -> Ratio {
    let values = names.indices.map { rate($0, measure, confidence).value }
    let defined = names.indices.filter { values[$0] != nil }
    func value(_ group: Int) -> Double { values[group] ?? 0 }
    var ratio = Ratio()
    let from: Int
    let to: Int
    let pairs: Int
    if let reference {
      guard values[reference] != nil else {
        ratio.reason = "the reference group \(names[reference]) has no \(measure.title)"
        return ratio
      }
      let others = defined.filter { $0 != reference }
      from = reference
      pairs = others.count
      let base = value(reference)
      func farness(_ group: Int) -> Double {
        let (a, b) = (value(group), base)
        return max(a, b) > 0 ? min(a, b) / max(a, b) : 1
      }
      guard let worst = others.min(by: { farness($0) < farness($1) }) else {
        ratio.reason = "needs two groups with a value"
        return ratio
      }
      to = worst
    } else {
      guard defined.count > 1, let lowest = defined.min(by: { value($0) < value($1) }),
        let highest = defined.reversed().max(by: { value($0) < value($1) })
      else {
        ratio.reason = "needs two groups with a value"
        return ratio
      }
      (from, to) = (highest, lowest == highest ? defined[0] : lowest)
      pairs = defined.count * (defined.count - 1) / 2
    }
    (ratio.from, ratio.to) = (names[from], names[to])
    ratio.rates = [value(from), value(to)]
    guard value(from) > 0 else {
      ratio.reason = "the \(measure.title) of \(names[from]) is 0"
      return ratio
    }
    ratio.value = value(to) / value(from)
    let level = 1 - (1 - confidence) / Double(pairs * parts)
    if let below = rate(from, measure, level).estimate,
      let above = rate(to, measure, level).estimate
    {
      let interval = Interval.ratio(above, to: below)
      ratio.low = interval.low
      ratio.high = interval.high.isFinite ? interval.high : nil
    }
    return ratio
  }
}

extension Interval {
  /// The interval of a ratio of two independent positive estimates, by MOVER-R.
  static func ratio(_ above: Estimate, to below: Estimate) -> Interval {
    let (a, b) = (above.value, below.value)
    let (la, ua) = (above.interval.low, above.interval.high)
    let (lb, ub) = (below.interval.low, below.interval.high)
    let lowRoot = (a * b) * (a * b) - la * ub * (2 * a - la) * (2 * b - ub)
    // Donner and Zou's (A - √(A² - BC)) / C in the form that has no 0/0 at C = 0.
    let low = a > 0 ? la * (2 * a - la) / (a * b + max(0, lowRoot).squareRoot()) : 0
    let highRoot = (a * b) * (a * b) - ua * lb * (2 * a - ua) * (2 * b - lb)
    let high =
      lb > 0 ? (a * b + max(0, highRoot).squareRoot()) / (lb * (2 * b - lb)) : .infinity
    return Interval(max(0, low), high)
  }
}
