/// The steps of even grids, one for each output channel, as numbers that tuning moves.
///
/// With `v = w / s`, a weight is stored as `s × clip(round(v), low, high)`. By `s` that changes as
/// `round(v) - v` inside the grid, where the rounding passes gradients on, and as `low` or `high`
/// outside. The gradient of `s` is the sum over its weights.
///
/// A step is kept as its share of the one it began with, and Adam moves the share: a step changes as
/// fast relative to itself as weights do, which is what the paper's gradient scale is for. That scale
/// is applied nevertheless, although Adam, who divides by the size of gradients, does not notice.
///
/// Source: S. Esser and others, *Learned Step Size Quantization*, ICLR 2020, equation 3 and section
/// 2.2. <https://arxiv.org/abs/1902.08153>
struct LearnedSteps: Sendable {
  private let first: [Float]
  private var shares: [Float]
  private var adam: Adam

  /// No step shrinks below this share of where it began.
  private static let smallest: Float = 1e-3

  /// Steps that begin as `scales`, all positive.
  init(_ scales: [Float]) {
    first = scales
    shares = [Float](repeating: 1, count: scales.count)
    adam = Adam(count: scales.count)
  }

  /// The steps as they are now.
  var scales: [Float] { zip(first, shares).map { $0 * $1 } }

  /// Takes one step of Adam, which moves no share by more than about `rate`.
  ///
  /// - Parameters:
  ///   - gradients: The objective's, by every step.
  ///   - rate: The largest step.
  ///   - number: Counts steps from 1.
  mutating func step(_ gradients: [Float], rate: Float, number: Int) {
    adam.step(&shares, zip(gradients, first).map { $0 * $1 }, rate: rate, number: number)
    for i in shares.indices { shares[i] = max(shares[i], Self.smallest) }
  }

  /// The gradient of one step.
  ///
  /// - Parameters:
  ///   - gradients: The objective's, by the stored weights of the step's channel.
  ///   - weights: The real weights behind them, as many.
  ///   - scale: The step.
  ///   - grid: The least and the greatest number of steps that can be stored.
  /// - Returns: The sum over the weights, divided by `√(N high)` with `N` weights.
  static func gradient(
    _ gradients: some Collection<Float>, behind weights: some Collection<Float>, scale: Float,
    grid: ClosedRange<Float>
  ) -> Float {
    var sum = 0.0
    for (gradient, weight) in zip(gradients, weights) {
      let steps = weight / scale
      let slope =
        steps <= grid.lowerBound
        ? grid.lowerBound
        : steps >= grid.upperBound ? grid.upperBound : steps.rounded(.toNearestOrEven) - steps
      sum += Double(gradient * slope)
    }
    let most = max(1, grid.upperBound, -grid.lowerBound)
    return Float(sum / (Double(gradients.count) * Double(most)).squareRoot())
  }
}
