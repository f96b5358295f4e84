/// Estimates, batch by batch, the range of values that a quantizer should represent.
public protocol Observer: Sendable {
  /// Takes in one batch of values, in any order.
  mutating func observe(_ values: [Float])

  /// The range to represent with `levels` integers; `nil` when nothing was observed.
  func range(levels: Int) -> ValueRange?
}

/// The range estimators, by the names they have on the command line.
public enum ObserverKind: String, CaseIterable, Hashable, Codable, Sendable {
  /// Everything that was seen: ``MinMaxObserver``.
  case minMax = "min-max"
  /// A running mean of each batch's extremes: ``MovingAverageObserver``.
  case movingAverage = "moving-average"
  /// The range with the least squared error, searched as PyTorch does: ``HistogramObserver``.
  case histogram
  /// All but the most extreme values: ``PercentileObserver``.
  case percentile
  /// The least loss of information: ``EntropyObserver``.
  case entropy
  /// The least squared error among fractions of the full range: ``SquaredErrorObserver``.
  case squaredError = "mse"

  /// A new estimator of this kind with its usual settings.
  public func makeObserver() -> any Observer {
    switch self {
    case .minMax: MinMaxObserver()
    case .movingAverage: MovingAverageObserver()
    case .histogram: HistogramObserver()
    case .percentile: PercentileObserver()
    case .entropy: EntropyObserver()
    case .squaredError: SquaredErrorObserver()
    }
  }
}

/// The smallest and the largest value seen.
public struct MinMaxObserver: Observer {
  private var seen: ValueRange?

  /// An estimator that has seen nothing.
  public init() {}

  /// Widens the range to include `values`.
  public mutating func observe(_ values: [Float]) {
    guard let found = finiteRange(of: values) else { return }
    seen = seen.map { ValueRange(min($0.lower, found.lower), max($0.upper, found.upper)) } ?? found
  }

  /// The range of everything seen, whatever the number of levels.
  public func range(levels: Int) -> ValueRange? { seen }
}

/// An exponential moving average of each batch's smallest and largest value.
public struct MovingAverageObserver: Observer {
  /// The weight of a new batch.
  public let averagingConstant: Float
  private var average: ValueRange?

  /// An estimator that has seen nothing.
  public init(averagingConstant: Float = 0.01) { self.averagingConstant = averagingConstant }

  /// Moves both ends towards those of `values`.
  public mutating func observe(_ values: [Float]) {
    guard let found = finiteRange(of: values) else { return }
    average =
      average.map {
        ValueRange(
          $0.lower + averagingConstant * (found.lower - $0.lower),
          $0.upper + averagingConstant * (found.upper - $0.upper))
      } ?? found
  }

  /// The averaged range, whatever the number of levels.
  public func range(levels: Int) -> ValueRange? { average }
}

/// The range between two quantiles; the same share of values is cut off at either end.
public struct PercentileObserver: Observer {
  /// How much of the mass is kept, in percent.
  public let percentile: Double
  private var histogram = RunningHistogram()

  /// An estimator that has seen nothing.
  ///
  /// - Precondition: `percentile` is above 0 and at most 100.
  public init(percentile: Double = 99.999) {
    precondition(percentile > 0 && percentile <= 100, "a percentile of \(percentile)")
    self.percentile = percentile
  }

  /// Adds `values` to the histogram.
  public mutating func observe(_ values: [Float]) { histogram.add(values) }

  /// The quantiles, interpolated inside the histogram's bins.
  public func range(levels: Int) -> ValueRange? {
    guard let seen = histogram.range else { return nil }
    let cut = (100 - percentile) / 200
    return ValueRange(
      max(seen.lower, quantile(cut, above: seen.lower)),
      min(seen.upper, quantile(1 - cut, above: seen.lower)))
  }

  private func quantile(_ share: Double, above lower: Float) -> Float {
    let wanted = share * histogram.counts.reduce(0.0) { $0 + Double($1) }
    var below = 0.0
    for (bin, count) in histogram.counts.enumerated() where count > 0 {
      if below + Double(count) >= wanted {
        let inside = max(0, wanted - below) / Double(count)
        return Float(Double(lower) + (Double(bin) + inside) * histogram.binWidth)
      }
      below += Double(count)
    }
    return Float(Double(lower) + Double(histogram.counts.count) * histogram.binWidth)
  }
}
