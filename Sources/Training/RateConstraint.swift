/// A difference of rates between groups that should be zero, as a linear function of the error
/// rates of the cells of group and label.
///
/// Cell `2 * group + label` has the error rate `e`; the gap is `constant + sum(coefficients * e)`.
/// The TPR of a group is `1 - e` of its positives, its FPR is `e` of its negatives, and its error
/// and selection rates weigh both by how frequent they are among the training rows, so that a
/// balanced batch says the same as a natural one.
///
/// With two groups there is one constraint for each rate, the second group's minus the first's as
/// in an audit; with more, one for each group against all rows together.
struct RateConstraint: Hashable, Sendable {
  /// The rate and the groups, as in `TPR male - female`.
  var name: String
  /// What one unit of each cell's error rate adds, shape `[groups * 2]`.
  var coefficients: [Double]
  /// What the gap is without any error.
  var constant: Double

  /// The gap of the given error rates; `nil` when one that matters is undefined.
  func gap(_ errors: [Double?]) -> Double? {
    var sum = constant
    for (coefficient, error) in zip(coefficients, errors) where coefficient != 0 {
      guard let error else { return nil }
      sum += coefficient * error
    }
    return sum
  }

  /// The constraints of one kind.
  ///
  /// - Parameters:
  ///   - kind: What the groups should have in common.
  ///   - groups: The names of the groups.
  ///   - counts: The number of training rows by group, then by label 0 and 1.
  /// - Returns: One constraint for each rate, or with more than two groups for each rate and group.
  /// - Throws: ``TrainingError/badSetting(name:found:expected:)`` when fewer than two groups have
  ///   the rows that a rate needs.
  static func all(
    _ kind: FairnessConstraint, groups: [String], counts: [[Int]]
  ) throws(TrainingError) -> [RateConstraint] {
    switch kind {
    case .equalOpportunity: try make(.truePositive, groups, counts)
    case .fprDifference: try make(.falsePositive, groups, counts)
    case .equalizedOdds:
      try make(.truePositive, groups, counts) + make(.falsePositive, groups, counts)
    case .errorRate: try make(.error, groups, counts)
    case .demographicParity: try make(.selection, groups, counts)
    }
  }

  private enum Kind: String {
    case truePositive = "TPR"
    case falsePositive = "FPR"
    case error = "error rate"
    case selection = "selection rate"
  }

  /// A group's rate as a function of all cells' error rates, and the rows it is a rate of.
  private struct GroupRate {
    var name: String
    var coefficients: [Double]
    var constant: Double
    var rows: Double
  }

  private static func make(
    _ kind: Kind, _ groups: [String], _ counts: [[Int]]
  ) throws(TrainingError) -> [RateConstraint] {
    let rates = groups.indices.compactMap { rate(kind, of: $0, groups, counts) }
    guard rates.count >= 2 else {
      throw .badSetting(
        name: "the constraint on the \(kind.rawValue)",
        found: "defined for \(rates.count) of \(groups.count) groups in the training rows",
        expected: "defined for at least two")
    }
    if rates.count == 2 {
      return [
        RateConstraint(
          name: "\(kind.rawValue) \(rates[1].name) - \(rates[0].name)",
          coefficients: zip(rates[1].coefficients, rates[0].coefficients).map { $0 - $1 },
          constant: rates[1].constant - rates[0].constant)
      ]
    }
    let all = rates.reduce(0) { $0 + $1.rows }
    var pooled = [Double](repeating: 0, count: groups.count * 2)
    var constant = 0.0
    for rate in rates {
      for cell in pooled.indices { pooled[cell] += rate.rows / all * rate.coefficients[cell] }
      constant += rate.rows / all * rate.constant
    }
    return rates.map { rate in
      RateConstraint(
        name: "\(kind.rawValue) \(rate.name) - all",
        coefficients: zip(rate.coefficients, pooled).map { $0 - $1 },
        constant: rate.constant - constant)
    }
  }

  private static func rate(
    _ kind: Kind, of group: Int, _ groups: [String], _ counts: [[Int]]
  ) -> GroupRate? {
    let (negatives, positives) = (Double(counts[group][0]), Double(counts[group][1]))
    let rows = negatives + positives
    var rate = GroupRate(
      name: groups[group], coefficients: [Double](repeating: 0, count: groups.count * 2),
      constant: 0, rows: rows)
    switch kind {
    case .truePositive:
      rate.rows = positives
      rate.coefficients[2 * group + 1] = -1
      rate.constant = 1
    case .falsePositive:
      rate.rows = negatives
      rate.coefficients[2 * group] = 1
    case .error:
      rate.coefficients[2 * group] = negatives / rows
      rate.coefficients[2 * group + 1] = positives / rows
    case .selection:
      rate.coefficients[2 * group] = negatives / rows
      rate.coefficients[2 * group + 1] = -positives / rows
      rate.constant = positives / rows
    }
    return rate.rows > 0 ? rate : nil
  }
}
