/// The bins of a calibration error, with rows, positives and summed scores of each.
struct CalibrationBins: Sendable {
  /// One bin.
  struct Bin: Sendable {
    var rows = 0.0
    var hits = 0.0
    var sum = 0.0

    /// The variance of the positives; half a positive and half a negative more keep it above 0.
    var variance: Double {
      let share = (hits + 0.5) / (rows + 1)
      return rows * share * (1 - share)
    }
  }

  private(set) var bins: [Bin] = []
  private var open = Bin()

  /// Adds rows of about one score to the bin that is open.
  mutating func add(rows: Double, hits: Double, sum: Double) {
    open.rows += rows
    open.hits += hits
    open.sum += sum
  }

  /// Closes the bin that is open, unless it is empty.
  mutating func close() {
    if open.rows > 0 { bins.append(open) }
    open = Bin()
  }

  /// The calibration error: the mean over rows of the distance of mean score and share of positives.
  ///
  /// - Parameter confidence: The confidence of the interval; nil gives none.
  /// - Returns: The error with what it would be for calibrated scores.
  func rate(confidence: Double?) -> Rate {
    let rows = bins.reduce(0) { $0 + $1.rows }
    guard rows > 0 else { return Rate(undefined: Measure.calibrationError.emptyReason) }
    let total = bins.reduce(0) { $0 + abs($1.sum - $1.hits) }
    let expected = bins.reduce(0.0) { sum, bin in
      let mean = min(1, max(0, bin.sum / bin.rows))
      return sum + 0.7978845608028654 * (bin.rows * mean * (1 - mean)).squareRoot()
    }
    var rate = Rate(
      total / rows, interval: confidence.map { interval(total, rows, $0) }, numerator: total,
      denominator: rows)
    rate.expectedIfCalibrated = expected / rows
    return rate
  }

  /// Standard normal numbers, the same for every group and run.
  private static let draws = 1000
  private static let width = 10
  private static let normals: [Double] = {
    var random = Random(seed: 0x6563_65)
    return (0..<draws * width).map { _ in random.normal() }
  }()

  /// The true errors that a parametric bootstrap would not reject, given the error seen.
  ///
  /// A bootstrap's own percentiles cover almost nothing here: noise adds to every bin's distance, so
  /// that resampled errors are larger than the true one, and calibrated scores are never covered.
  /// Instead the distances seen are scaled up and down; an error is inside when resamples around it
  /// reach the one seen on both sides. How the distances spread over bins is itself estimated, which
  /// half the usual tail makes up for (`docs/fairness/coverage.md` has the coverage).
  ///
  /// Source: B. Efron, R. Tibshirani, *An Introduction to the Bootstrap*, 1993, section 22.4, for
  /// intervals by inverting bootstrap tests.
  private func interval(_ seen: Double, _ rows: Double, _ confidence: Double) -> Interval {
    let errors = bins.map { $0.variance.squareRoot() }
    // Without any distance, in the proportions of the bins' errors.
    let shape = seen > 0 ? bins.map { $0.hits - $0.sum } : errors
    let size = shape.reduce(0) { $0 + abs($1) }
    guard size > 0 else { return Interval(0, 0) }
    let tail = (1 - confidence) / 4
    let normals = Self.normals
    /// The share of resamples around `scale` times the distances with no more than the error seen.
    func share(_ scale: Double) -> Double {
      var count = 0
      for draw in 0..<Self.draws {
        var sum = 0.0
        for bin in errors.indices {
          let noise = errors[bin] * normals[draw * Self.width + bin % Self.width]
          sum += abs(scale * shape[bin] + noise)
        }
        if sum <= seen { count += 1 }
      }
      return Double(count) / Double(Self.draws)
    }
    /// Where the share falls to `level`; it falls as the scale grows.
    func scale(_ level: Double) -> Double {
      if share(0) <= level { return 0 }
      var (low, high) = (0.0, 1.0)
      while share(high) > level && high < 1e6 { (low, high) = (high, 2 * high) }
      for _ in 0..<24 {
        let middle = (low + high) / 2
        if share(middle) > level { low = middle } else { high = middle }
      }
      return (low + high) / 2
    }
    let (low, high) = (scale(1 - tail) * size / rows, scale(tail) * size / rows)
    return Interval(min(low, seen / rows), max(min(high, 1), seen / rows))
  }
}
