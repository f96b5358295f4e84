/// What can be said of one group: rates of decisions, and summaries of scores.
///
/// The names are the keys in JSON.
public enum Measure: String, Hashable, Codable, Sendable, CaseIterable, CodingKeyRepresentable {
  /// The share of decisions that are right.
  case accuracy
  /// The share of decisions that are wrong.
  case errorRate
  /// The mean of TPR and TNR.
  case balancedAccuracy
  /// The share of positives that are called positive (TPR, recall, sensitivity).
  case truePositiveRate
  /// The share of negatives that are called positive (FPR).
  case falsePositiveRate
  /// The share of negatives that are called negative (TNR, specificity).
  case trueNegativeRate
  /// The share of positives that are called negative (FNR).
  case falseNegativeRate
  /// The share of rows that are called positive.
  case selectionRate
  /// The share of rows that are positive.
  case baseRate
  /// The share of rows called positive that are positive (PPV).
  case precision
  /// The share of rows called negative that are negative (NPV).
  case negativePredictiveValue
  /// The share of rows called positive that are negative (FDR).
  case falseDiscoveryRate
  /// The share of rows called negative that are positive (FOR).
  case falseOmissionRate
  /// The harmonic mean of precision and TPR.
  case f1

  /// The mean score.
  case meanScore
  /// The mean score of the negatives, AIF360's generalised false positive rate.
  case generalizedFalsePositiveRate
  /// The mean of one minus the score over the positives, AIF360's generalised FNR.
  case generalizedFalseNegativeRate
  /// The probability that a positive has a higher score than a negative, ties counting half.
  case auc
  /// The mean squared difference of score and label.
  case brier
  /// The mean negative logarithm of the probability that was given to the truth.
  case logLoss
  /// The mean distance of score and share of positives over bins of equally many rows.
  case calibrationError

  /// The measures that follow from ``Counts``.
  public static let ofDecisions = allCases.filter(\.isOfDecisions)

  /// Whether the measure follows from ``Counts``.
  public var isOfDecisions: Bool { cells != nil || self == .balancedAccuracy }

  /// The measures that need ``ScoreMoments`` or the scores in order.
  public static let ofScores = allCases.filter { !$0.isOfDecisions }

  /// The weights of true positives, false positives, false negatives and true negatives above and
  /// below the fraction bar; nil for a measure that is not such a fraction.
  var cells: (numerator: SIMD4<Double>, denominator: SIMD4<Double>)? {
    switch self {
    case .accuracy: ([1, 0, 0, 1], [1, 1, 1, 1])
    case .errorRate: ([0, 1, 1, 0], [1, 1, 1, 1])
    case .truePositiveRate: ([1, 0, 0, 0], [1, 0, 1, 0])
    case .falsePositiveRate: ([0, 1, 0, 0], [0, 1, 0, 1])
    case .trueNegativeRate: ([0, 0, 0, 1], [0, 1, 0, 1])
    case .falseNegativeRate: ([0, 0, 1, 0], [1, 0, 1, 0])
    case .selectionRate: ([1, 1, 0, 0], [1, 1, 1, 1])
    case .baseRate: ([1, 0, 1, 0], [1, 1, 1, 1])
    case .precision: ([1, 0, 0, 0], [1, 1, 0, 0])
    case .negativePredictiveValue: ([0, 0, 0, 1], [0, 0, 1, 1])
    case .falseDiscoveryRate: ([0, 1, 0, 0], [1, 1, 0, 0])
    case .falseOmissionRate: ([0, 0, 1, 0], [0, 0, 1, 1])
    case .f1: ([2, 0, 0, 0], [2, 1, 1, 0])
    default: nil
    }
  }

  /// Why the measure cannot be computed when its denominator is empty.
  var emptyReason: String {
    switch self {
    case .truePositiveRate, .falseNegativeRate, .generalizedFalseNegativeRate:
      "no row is labelled positive"
    case .falsePositiveRate, .trueNegativeRate, .generalizedFalsePositiveRate:
      "no row is labelled negative"
    case .precision, .falseDiscoveryRate: "no row is called positive"
    case .negativePredictiveValue, .falseOmissionRate: "no row is called negative"
    case .balancedAccuracy, .auc: "needs rows of both labels"
    case .f1: "no row is positive or called positive"
    default: "no rows"
    }
  }

  /// A short name for a column of a table.
  public var title: String {
    switch self {
    case .accuracy: "accuracy"
    case .errorRate: "error rate"
    case .balancedAccuracy: "balanced accuracy"
    case .truePositiveRate: "TPR"
    case .falsePositiveRate: "FPR"
    case .trueNegativeRate: "TNR"
    case .falseNegativeRate: "FNR"
    case .selectionRate: "selection rate"
    case .baseRate: "base rate"
    case .precision: "precision"
    case .negativePredictiveValue: "NPV"
    case .falseDiscoveryRate: "FDR"
    case .falseOmissionRate: "FOR"
    case .f1: "F1"
    case .meanScore: "mean score"
    case .generalizedFalsePositiveRate: "generalised FPR"
    case .generalizedFalseNegativeRate: "generalised FNR"
    case .auc: "AUC"
    case .brier: "Brier score"
    case .logLoss: "log loss"
    case .calibrationError: "calibration error"
    }
  }
}
