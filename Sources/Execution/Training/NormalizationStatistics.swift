import OneDNN
import Tensors

/// Mean and variance per channel of one batch normalization: of the last batch, and running.
final class NormalizationStatistics {
  /// The initializers that hold the running statistics.
  let names: (mean: String, variance: String)
  /// The last batch's mean.
  let mean: AlignedBuffer<Float>
  /// The last batch's biased variance, which normalizes.
  let variance: AlignedBuffer<Float>
  /// The running mean.
  let runningMean: AlignedBuffer<Float>
  /// The running unbiased variance.
  let runningVariance: AlignedBuffer<Float>
  private let newShare: Float
  private let correction: Float

  /// Statistics over `population` elements a channel; `keep` is ONNX's momentum, the share of the
  /// old value that stays.
  init(names: (mean: String, variance: String), channels: Int, population: Int, keep: Float) {
    self.names = names
    mean = .init(count: channels)
    variance = .init(count: channels)
    runningMean = .init(count: channels)
    runningVariance = .init(count: channels)
    newShare = 1 - keep
    correction = population > 1 ? Float(population) / Float(population - 1) : 1
  }

  /// Moves the running statistics towards the last batch's.
  ///
  /// Source: `torch.nn.BatchNorm2d`: the biased variance normalizes, the unbiased one is kept.
  func update() {
    for c in 0..<mean.count {
      let old = (runningMean.pointer[c], runningVariance.pointer[c])
      runningMean.pointer[c] = (1 - newShare) * old.0 + newShare * mean.pointer[c]
      runningVariance.pointer[c] =
        (1 - newShare) * old.1 + newShare * (variance.pointer[c] * correction)
    }
  }
}
