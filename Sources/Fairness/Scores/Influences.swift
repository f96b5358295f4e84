/// A measure of some rows' scores, and how much every row moves it.
///
/// The influences sum to 0, and the variance of the measure is the sum of their squares; where rows
/// come in clusters, the sum of the squares of the clusters' sums. For the AUC this is DeLong's
/// variance, and with clusters Obuchowski's.
///
/// Source: E. DeLong, D. DeLong, D. Clarke-Pearson, *Comparing the Areas under Two or More
/// Correlated ROC Curves*, Biometrics 44 (1988) 837-845. N. Obuchowski, *Nonparametric Analysis of
/// Clustered ROC Curve Data*, ibid. 53 (1997) 567-578.
struct Influences: Sendable {
  /// The measure.
  var value: Double
  /// The influence of every row.
  var ofRows: [Double]
  /// What is below the fraction bar: a sum of weights, or of products of weights for the AUC.
  var denominator: Double
  /// The effective number of rows that a share near 0 or 1 rests on.
  var least: Double

  /// One of the means of ``ScoreMoments`` or the AUC; nil where it is undefined.
  ///
  /// - Parameters:
  ///   - measure: The measure.
  ///   - rows: The rows.
  ///   - scores: The scores of the rows; another model's may take the place of their own.
  init?(_ measure: Measure, _ rows: ScoredRows, scores: [Double]) {
    if measure == .auc {
      self.init(areaOf: rows, scores: scores)
      return
    }
    var sums = (value: 0.0, weight: 0.0, squares: 0.0, count: 0)
    var values = [Double](repeating: 0, count: scores.count)
    var takesPart = [Bool](repeating: true, count: scores.count)
    for row in scores.indices {
      guard let x = Self.term(measure, scores[row], rows.labels[row]) else {
        takesPart[row] = false
        continue
      }
      let weight = rows.weight(row)
      values[row] = x
      sums.value += weight * x
      sums.weight += weight
      sums.squares += weight * weight
      sums.count += 1
    }
    guard sums.weight > 0 else { return nil }
    let mean = sums.value / sums.weight
    // The variance of a sample has one degree of freedom less than its rows.
    let spread =
      rows.clusters == nil && sums.count > 1
      ? (Double(sums.count) / Double(sums.count - 1)).squareRoot() : 1
    for row in scores.indices {
      let weight = takesPart[row] ? rows.weight(row) : 0
      values[row] = spread * weight * (values[row] - mean) / sums.weight
    }
    self.init(
      value: mean, ofRows: values, denominator: sums.weight,
      least: sums.weight * sums.weight / sums.squares)
  }

  /// What one row adds to a mean; nil where the row takes no part.
  private static func term(_ measure: Measure, _ score: Double, _ label: Bool) -> Double? {
    switch measure {
    case .meanScore: return score
    case .generalizedFalsePositiveRate: return label ? nil : score
    case .generalizedFalseNegativeRate: return label ? 1 - score : nil
    case .brier:
      let error = label ? 1 - score : score
      return error * error
    case .logLoss: return -logarithm(max(0x1p-52, label ? score : 1 - score))
    default: return nil
    }
  }

  private struct Entry {
    var score: Double
    var row: Int32
  }

  private init?(areaOf rows: ScoredRows, scores: [Double]) {
    var (positives, negatives) = (0.0, 0.0)
    var (squares, counts) = ((0.0, 0.0), (0, 0))
    for row in scores.indices {
      let weight = rows.weight(row)
      if rows.labels[row] {
        positives += weight
        squares.0 += weight * weight
        counts.0 += 1
      } else {
        negatives += weight
        squares.1 += weight * weight
        counts.1 += 1
      }
    }
    guard positives > 0, negatives > 0 else { return nil }
    var order = scores.indices.map { Entry(score: scores[$0], row: Int32(truncatingIfNeeded: $0)) }
    order.sort { $0.score < $1.score }
    // For every row the share of the other label's weight that it is ranked right against.
    var placements = [Double](repeating: 0, count: scores.count)
    var below = (positives: 0.0, negatives: 0.0)
    var area = 0.0
    var start = 0
    while start < order.count {
      var end = start
      var tied = (positives: 0.0, negatives: 0.0)
      while end < order.count && order[end].score == order[start].score {
        let row = Int(order[end].row)
        if rows.labels[row] {
          tied.positives += rows.weight(row)
        } else {
          tied.negatives += rows.weight(row)
        }
        end += 1
      }
      let ofPositives = (below.negatives + tied.negatives / 2) / negatives
      let ofNegatives = (positives - below.positives - tied.positives / 2) / positives
      for place in start..<end {
        let row = Int(order[place].row)
        placements[row] = rows.labels[row] ? ofPositives : ofNegatives
      }
      area += tied.positives * ofPositives
      below.positives += tied.positives
      below.negatives += tied.negatives
      start = end
    }
    area /= positives
    func spread(_ count: Int) -> Double {
      rows.clusters == nil && count > 1 ? (Double(count) / Double(count - 1)).squareRoot() : 1
    }
    let spreads = (spread(counts.0), spread(counts.1))
    for row in placements.indices {
      let weight = rows.weight(row)
      placements[row] =
        (placements[row] - area) * weight
        * (rows.labels[row] ? spreads.0 / positives : spreads.1 / negatives)
    }
    self.init(
      value: area, ofRows: placements, denominator: positives * negatives,
      least: min(positives * positives / squares.0, negatives * negatives / squares.1))
  }

  private init(value: Double, ofRows: [Double], denominator: Double, least: Double) {
    self.value = value
    self.ofRows = ofRows
    self.denominator = denominator
    self.least = least
  }

  /// The covariance of two measures of the same rows, which may be in clusters.
  static func covariance(_ a: Influences, _ b: Influences, clusters: [Int32]?) -> Double {
    guard let clusters else {
      var sum = 0.0
      for row in a.ofRows.indices { sum += a.ofRows[row] * b.ofRows[row] }
      return sum
    }
    var sums: [Int32: SIMD2<Double>] = [:]
    for row in a.ofRows.indices {
      sums[clusters[row], default: .zero] += SIMD2(a.ofRows[row], b.ofRows[row])
    }
    let count = Double(sums.count)
    guard count > 1 else { return 0 }
    // In the order of clusters, so that the sum is the same in every run.
    let sum = sums.sorted { $0.key < $1.key }.reduce(0.0) { $0 + $1.value[0] * $1.value[1] }
    return count / (count - 1) * sum
  }

  /// The measure as a rate with its interval.
  ///
  /// The AUC's interval is normal on the logit scale; at 0 and 1, where the variance is 0, it is
  /// Wilson's for the label with fewer rows, or clusters. Means have normal intervals, cut where
  /// the measure ends.
  func rate(_ measure: Measure, variance: Double, clusterCount: Int?, confidence: Double) -> Rate {
    let z = Normal.reach(confidence)
    var interval: Interval?
    if measure == .auc {
      if value <= 0 || value >= 1 || variance <= 0 {
        let trials = max(1, min(least, clusterCount.map(Double.init) ?? least))
        interval = .wilson(value * trials, of: trials, confidence: confidence)
      } else {
        let half = z * variance.squareRoot() / (value * (1 - value))
        let logit = logarithm(value / (1 - value))
        func back(_ x: Double) -> Double { 1 / (1 + exponential(-x)) }
        interval = Interval(back(logit - half), back(logit + half))
      }
    } else if least > 1, clusterCount ?? 2 > 1 {
      let half = z * max(0, variance).squareRoot()
      let top = measure == .logLoss ? .infinity : 1.0
      interval = Interval(max(0, value - half), min(top, value + half))
    }
    return Rate(
      value, interval: interval, numerator: value * denominator, denominator: denominator)
  }
}

/// The labels of some rows with what they weigh and whose they are.
struct ScoredRows: Sendable {
  /// The positions of the rows in ``Outcomes``.
  var rows: [Int]
  /// The truth of every row.
  var labels: [Bool]
  /// The weight of every row; nil when all count 1.
  var weights: [Double]?
  /// The cluster of every row; nil when each is its own.
  var clusters: [Int32]?

  /// The rows of one group, or all when `group` is nil.
  init(_ outcomes: Outcomes, group: Int?) {
    let rows =
      group.map { group in
        outcomes.groups.codes.indices.filter { Int(outcomes.groups.codes[$0]) == group }
      } ?? Array(0..<outcomes.count)
    self.rows = rows
    labels = rows.map { outcomes.labels[$0] }
    weights = outcomes.weights.map { all in rows.map { all[$0] } }
    clusters = outcomes.clusters.map { all in rows.map { all[$0] } }
  }

  /// Rows that weigh 1 and are their own.
  init(labels: [Bool]) {
    rows = Array(labels.indices)
    self.labels = labels
  }

  /// What a row weighs.
  func weight(_ row: Int) -> Double { weights?[row] ?? 1 }

  /// The number of different clusters; nil without clusters.
  var clusterCount: Int? { clusters.map { Set($0).count } }
}
