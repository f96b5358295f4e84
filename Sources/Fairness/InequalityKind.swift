/// An index of how unevenly decisions fall, over all people or between groups.
///
/// The names are the keys in JSON. 0 means even, except for bias amplification, which may be below.
public enum InequalityKind: String, Hashable, Codable, Sendable, CaseIterable,
  CodingKeyRepresentable
{
  /// The generalised entropy index of order 2 over all people's benefits.
  case generalizedEntropy
  /// Theil's index: the generalised entropy of order 1.
  case theil
  /// The standard deviation of benefits over their mean.
  case coefficientOfVariation
  /// The part of the generalised entropy that lies between the groups.
  case betweenGroups
  /// The part of Theil's index that lies between the groups.
  case betweenGroupsTheil
  /// The largest log ratio of decisions' probabilities between two groups.
  case differentialFairness
  /// How much larger that ratio is for decisions than for labels.
  case biasAmplification

  /// What tables call it.
  public var title: String {
    switch self {
    case .generalizedEntropy: "generalised entropy"
    case .theil: "Theil index"
    case .coefficientOfVariation: "coefficient of variation"
    case .betweenGroups: "generalised entropy between groups"
    case .betweenGroupsTheil: "Theil index between groups"
    case .differentialFairness: "differential fairness"
    case .biasAmplification: "bias amplification"
    }
  }

  /// The index of the counts of every group.
  func index(of groups: [Counts]) -> InequalityIndex {
    var all = Counts()
    for group in groups { all += group }
    let value =
      switch self {
      case .generalizedEntropy: Inequality.generalizedEntropy(all)
      case .theil: Inequality.generalizedEntropy(all, order: 1)
      case .coefficientOfVariation: Inequality.coefficientOfVariation(all)
      case .betweenGroups: Inequality.betweenGroups(groups)
      case .betweenGroupsTheil: Inequality.betweenGroups(groups, order: 1)
      case .differentialFairness: Inequality.differentialFairness(groups)
      case .biasAmplification: Inequality.biasAmplification(groups)
      }
    guard let value, value.isFinite else {
      return InequalityIndex(reason: all.total > 0 ? "nobody has a benefit" : "no rows")
    }
    return InequalityIndex(value: value)
  }
}

/// One index of inequality, or the reason why there is none.
public struct InequalityIndex: Hashable, Codable, Sendable {
  /// The index; nil when it is undefined.
  public var value: Double?
  /// Why there is no value; nil when there is one.
  public var reason: String?

  /// Writes `value`, also where it is null, and the reason.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: CodingKeys.self)
    try keyed.encode(value, forKey: .value)
    try keyed.encodeIfPresent(reason, forKey: .reason)
  }
}

/// The groups with the lowest and the highest value of a measure.
public struct Extremes: Hashable, Codable, Sendable {
  /// A group and its value.
  public struct End: Hashable, Codable, Sendable {
    /// The name of the group.
    public var group: String
    /// Its value.
    public var value: Double
  }

  /// The group with the lowest value, the first of several.
  public var lowest: End
  /// The group with the highest value, the first of several.
  public var highest: End

  /// The ends of `measure` over groups; nil where no group has a value.
  init?(_ measure: Measure, _ groups: [Audit.Group]) {
    let ends = groups.compactMap { group in
      group.rates[measure]?.value.map { End(group: group.name, value: $0) }
    }
    guard let first = ends.first else { return nil }
    lowest = ends.dropFirst().reduce(first) { $1.value < $0.value ? $1 : $0 }
    highest = ends.dropFirst().reduce(first) { $1.value > $0.value ? $1 : $0 }
  }
}
