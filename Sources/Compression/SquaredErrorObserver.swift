/// The range with the least squared error among a hundred fractions of everything seen.
///
/// The error is that of the integers that would be used, clipping included, with every bin of the
/// histogram standing for its middle.
///
/// Source: R. Banner and others, *Post Training 4-bit Quantization of Convolutional Networks for
/// Rapid-Deployment*, NeurIPS 2019, whose closed form this search replaces.
public struct SquaredErrorObserver: Observer {
  private static let candidates = 100
  private var histogram = RunningHistogram()

  /// An estimator that has seen nothing.
  public init() {}

  /// Adds `values` to the histogram.
  public mutating func observe(_ values: [Float]) { histogram.add(values) }

  /// The best fraction of the range for `levels` integers.
  ///
  /// - Precondition: `levels` is at least 2.
  public func range(levels: Int) -> ValueRange? {
    precondition(levels >= 2, "\(levels) levels cannot hold a range")
    guard let seen = histogram.range else { return nil }
    var best = (error: Double.infinity, range: seen)
    for step in (1...Self.candidates).reversed() {
      let fraction = Float(step) / Float(Self.candidates)
      let range = ValueRange(seen.lower * fraction, seen.upper * fraction)
      let error = squaredError(of: range, levels: levels, above: Double(seen.lower))
      if error < best.error { best = (error, range) }
    }
    return best.range
  }

  private func squaredError(of range: ValueRange, levels: Int, above lower: Double) -> Double {
    let parameters = QuantizationParameters(affine: range, grid: 0...(levels - 1))
    let scale = Double(parameters.scale)
    let zero = Double(parameters.zeroPoint)
    let top = Double(levels - 1)
    let width = histogram.binWidth
    var sum = 0.0
    for (i, count) in histogram.counts.enumerated() where count > 0 {
      let value = lower + (Double(i) + 0.5) * width
      let integer = min(max((value / scale).rounded(.toNearestOrEven) + zero, 0), top)
      let error = value - scale * (integer - zero)
      sum += Double(count) * error * error
    }
    return sum
  }
}
