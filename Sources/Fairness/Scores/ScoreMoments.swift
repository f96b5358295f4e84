/// Sums over the scores of one group, from which means and their errors follow.
///
/// Merging two parts is adding them.
public struct ScoreMoments: Hashable, Codable, Sendable {
  /// The sums of one label's rows.
  public struct Part: Hashable, Codable, Sendable {
    /// The sum of weights.
    public var weight = 0.0
    /// The sum of squared weights.
    public var squaredWeight = 0.0
    /// The weighted sum of scores.
    public var score = 0.0
    /// The weighted sum of squared scores.
    public var squaredScore = 0.0
    /// The weighted sum of the fourth power of score minus label.
    public var fourthError = 0.0
    /// The weighted sum of the negative logarithm of the probability given to the truth.
    public var logLoss = 0.0
    /// The weighted sum of that logarithm's square.
    public var squaredLogLoss = 0.0

    /// No row yet.
    public init() {}

    static func += (sum: inout Part, part: Part) {
      sum.weight += part.weight
      sum.squaredWeight += part.squaredWeight
      sum.score += part.score
      sum.squaredScore += part.squaredScore
      sum.fourthError += part.fourthError
      sum.logLoss += part.logLoss
      sum.squaredLogLoss += part.squaredLogLoss
    }
  }

  /// The rows labelled negative.
  public var negatives = Part()
  /// The rows labelled positive.
  public var positives = Part()

  /// No row yet.
  public init() {}

  /// Adds one row.
  public mutating func add(label: Bool, score: Double, weight: Double = 1) {
    let error = label ? score - 1 : score
    // As scikit-learn's log_loss: a certain mistake costs 36.04, not infinity.
    let truth = max(0x1p-52, label ? score : 1 - score)
    let loss = -logarithm(truth)
    var part = label ? positives : negatives
    part.weight += weight
    part.squaredWeight += weight * weight
    part.score += weight * score
    part.squaredScore += weight * score * score
    part.fourthError += weight * error * error * error * error
    part.logLoss += weight * loss
    part.squaredLogLoss += weight * loss * loss
    if label { positives = part } else { negatives = part }
  }

  /// Merges another part.
  public static func += (sum: inout ScoreMoments, part: ScoreMoments) {
    sum.negatives += part.negatives
    sum.positives += part.positives
  }

  /// A mean over the group: of scores, their squared errors, or the loss.
  ///
  /// The interval is the mean plus and minus normal standard errors, with Kish's effective number
  /// of rows when they are weighted; for shares that stay inside [0, 1] it is cut there.
  public func rate(_ measure: Measure, confidence: Double = 0.95) -> Rate {
    var all = negatives
    all += positives
    let (part, sum, squares): (Part, Double, Double)
    switch measure {
    case .meanScore: (part, sum, squares) = (all, all.score, all.squaredScore)
    case .generalizedFalsePositiveRate:
      (part, sum, squares) = (negatives, negatives.score, negatives.squaredScore)
    case .generalizedFalseNegativeRate:
      let p = positives
      (part, sum, squares) = (
        p, p.weight - p.score, p.weight - 2 * p.score + p.squaredScore
      )
    case .brier:
      let p = positives
      (part, sum, squares) = (
        all, negatives.squaredScore + p.weight - 2 * p.score + p.squaredScore, all.fourthError
      )
    case .logLoss: (part, sum, squares) = (all, all.logLoss, all.squaredLogLoss)
    default: return Rate(undefined: "not a mean of scores")
    }
    guard part.weight > 0 else { return Rate(undefined: measure.emptyReason) }
    guard !sum.isNaN else { return Rate(undefined: "is not in these counts") }
    let mean = sum / part.weight
    let effective = part.weight * part.weight / part.squaredWeight
    var interval: Interval?
    if effective > 1 {
      let variance = max(0, squares / part.weight - mean * mean) * effective / (effective - 1)
      let half = Normal.reach(confidence) * (variance / effective).squareRoot()
      let top = measure == .logLoss ? .infinity : 1.0
      interval = Interval(max(0, mean - half), min(top, mean + half))
    }
    return Rate(mean, interval: interval, numerator: sum, denominator: part.weight)
  }
}
