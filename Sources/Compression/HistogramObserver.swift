/// The range with the least squared quantization error, found by PyTorch's search.
///
/// Starting from everything seen, the end that skips more bins for one step of 0.001 % of the mass
/// is moved inwards, until the error of the histogram rises. The arithmetic follows PyTorch 2.15
/// operation by operation in `Float`; only the final sum of the error over the bins is taken in
/// `Double`, where PyTorch's depends on its vector width.
///
/// Source: PyTorch's `HistogramObserver`, after `NormMinimization` in Caffe2's quantization server.
public struct HistogramObserver: Observer {
  /// The error is always that of 256 levels, also where a reduced range leaves 128, as in PyTorch.
  private static let destinationBins = 256

  private(set) var histogram = RunningHistogram()

  /// An estimator that has seen nothing.
  public init() {}

  /// Adds `values` to the histogram.
  public mutating func observe(_ values: [Float]) { histogram.add(values) }

  /// The range found, whatever the number of levels.
  ///
  /// - Complexity: about a hundred thousand cheap steps and some hundred passes over the bins.
  public func range(levels: Int) -> ValueRange? {
    guard let seen = histogram.range else { return nil }
    let bins = RunningHistogram.bins
    var sum = 0.0
    let cumulative = histogram.counts.map { count in
      sum += Double(count)
      return Float(sum)
    }
    let total = Double(Float(sum))
    let step = 1e-5
    var (alpha, beta) = (0.0, 1.0)
    var (start, end) = (0, bins - 1)
    var least = Double.infinity
    while alpha < beta {
      let nextAlpha = alpha + step
      let nextBeta = beta - step
      var (left, right) = (start, end)
      while left < end && cumulative[left] < Float(nextAlpha * total) { left += 1 }
      while right > start && cumulative[right] > Float(nextBeta * total) { right -= 1 }
      var (nextStart, nextEnd) = (start, end)
      if left - start > end - right {
        nextStart = left
        alpha = nextAlpha
      } else {
        nextEnd = right
        beta = nextBeta
      }
      if nextStart == start && nextEnd == end { continue }
      let error = squaredError(from: nextStart, through: nextEnd)
      if error > least { break }
      least = error
      (start, end) = (nextStart, nextEnd)
    }
    let width = (seen.upper - seen.lower) / Float(bins)
    return ValueRange(
      seen.lower + width * Float(start), seen.lower + width * Float(end + 1))
  }

  /// The squared error over all bins when bins `first ... last` are spread over the levels.
  ///
  /// Values are taken to be uniform within a bin; a piece from `a` to `b`, measured from the middle
  /// of its level, contributes `density * (b^3 - a^3) / 3`.
  private func squaredError(from first: Int, through last: Int) -> Double {
    let binWidth = histogram.binWidth
    let levels = Self.destinationBins
    let levelWidth = binWidth * Double(last - first + 1) / Double(levels)
    guard levelWidth != 0 else { return 0 }
    let bin = Float(binWidth)
    let level = Float(levelWidth)
    let half = Float(levelWidth / 2)
    let wholeLevel = (half * half * half - -half * -half * -half) / 3
    // The nearest level of a position; exact, as the quotient of two `Float` in `Double` is never
    // rounded across an integer here.
    func levelIndex(_ position: Float) -> Float {
      let index = Double(position) / Double(level)
      return Float(min(Int32(max(index, 0)), Int32(levels - 1)))
    }
    var sum = 0.0
    for (i, count) in histogram.counts.enumerated() {
      let begin = Float(i - first) * bin
      let end = begin + bin
      let density = count / bin
      let levelOfBegin = levelIndex(begin)
      let levelOfEnd = levelIndex(end)
      let fromMiddle = begin - (levelOfBegin + 0.5) * level
      let toMiddle = end - (levelOfEnd * level + half)
      var error = density * ((half * half * half - fromMiddle * fromMiddle * fromMiddle) / 3)
      error += (levelOfEnd - levelOfBegin - 1) * (density * wholeLevel)
      error += density * ((toMiddle * toMiddle * toMiddle - -half * -half * -half) / 3)
      sum += Double(error)
    }
    return sum
  }
}
