/// A difference between groups.
///
/// The names are the keys in JSON. What 0 means is said at every case.
public enum GapKind: String, Hashable, Codable, Sendable, CaseIterable, CodingKeyRepresentable {
  /// The TPR gap; 0 when positives of every group are found equally often.
  ///
  /// Source: M. Hardt, E. Price, N. Srebro, *Equality of Opportunity in Supervised Learning*,
  /// NeurIPS 2016, definition 2.2. <https://arxiv.org/abs/1610.02413>
  case equalOpportunity
  /// The FPR gap; 0 when negatives of every group are called positive equally often.
  case fprDifference
  /// The larger of the TPR and the FPR gap; 0 when decisions depend on the label alone.
  ///
  /// Source: Hardt, Price, Srebro 2016, definition 2.1.
  case equalizedOdds
  /// The mean of the signed FPR and TPR gaps; 0 also when the two cancel.
  case averageOdds
  /// The mean of the absolute FPR and TPR gaps; 0 only when both are.
  case averageAbsoluteOdds
  /// The mean of the signed precision and FOR gaps, AIF360's average predictive value difference.
  case averagePredictiveValue
  /// The selection rate gap (statistical parity difference); 0 when groups are called positive
  /// equally often.
  case demographicParity
  /// The accuracy gap; 0 when decisions are right equally often.
  case accuracy
  /// The balanced accuracy gap.
  case balancedAccuracy
  /// The precision gap; 0 when a positive call is right equally often.
  case predictiveParity
  /// The NPV gap; 0 when a negative call is right equally often.
  case negativePredictiveValue
  /// The FDR gap.
  case falseDiscoveryRate
  /// The FOR gap.
  case falseOmissionRate
  /// The FNR gap.
  case falseNegativeRate
  /// The TNR gap.
  case trueNegativeRate
  /// The error rate gap.
  case errorRate
  /// The gap in F1.
  case f1
  /// The base rate gap: a property of the labels, not of the classifier.
  case baseRate
  /// The gap in mean score.
  case meanScore
  /// The gap in the mean score of negatives.
  case generalizedFalsePositiveRate
  /// The gap in one minus the mean score of positives.
  case generalizedFalseNegativeRate
  /// The larger of the gaps in mean score of negatives and of positives.
  ///
  /// Equalized odds of scores instead of decisions.
  case generalizedEqualizedOdds
  /// The gap in the area under the ROC curve; 0 when scores rank equally well in every group.
  case auc
  /// The gap in Brier score.
  case brier
  /// The gap in log loss.
  case logLoss
  /// The gap in calibration error.
  case calibrationError

  /// The measure whose difference this is; nil for those made of two.
  public var measure: Measure? {
    switch self {
    case .equalOpportunity: .truePositiveRate
    case .fprDifference: .falsePositiveRate
    case .demographicParity: .selectionRate
    case .predictiveParity: .precision
    case .equalizedOdds, .averageOdds, .averageAbsoluteOdds, .averagePredictiveValue,
      .generalizedEqualizedOdds:
      nil
    default: Measure(rawValue: rawValue)
    }
  }

  /// The measures it is made of: one, or two such as FPR and TPR.
  var measures: [Measure] {
    switch self {
    case .averagePredictiveValue: [.precision, .falseOmissionRate]
    case .generalizedEqualizedOdds:
      [.generalizedFalsePositiveRate, .generalizedFalseNegativeRate]
    default: measure.map { [$0] } ?? [.falsePositiveRate, .truePositiveRate]
    }
  }

  /// How the gaps of two measures make one.
  enum Joining { case single, larger, mean, meanOfSizes }

  /// How the gaps of ``measures`` make this one.
  var joining: Joining {
    switch self {
    case .equalizedOdds, .generalizedEqualizedOdds: .larger
    case .averageOdds, .averagePredictiveValue: .mean
    case .averageAbsoluteOdds: .meanOfSizes
    default: .single
    }
  }

  /// The gaps that follow from ``Counts``.
  public static let ofDecisions = allCases.filter {
    $0.measures.allSatisfy(Measure.ofDecisions.contains)
  }

  /// What tables call it.
  public var title: String {
    switch self {
    case .equalOpportunity: "equal opportunity (TPR)"
    case .fprDifference: "FPR difference"
    case .equalizedOdds: "equalized odds"
    case .averageOdds: "average odds"
    case .averageAbsoluteOdds: "average absolute odds"
    case .averagePredictiveValue: "average predictive value"
    case .generalizedEqualizedOdds: "generalised equalized odds"
    case .demographicParity: "demographic parity"
    case .predictiveParity: "predictive parity"
    default: measure?.title ?? rawValue
    }
  }
}
