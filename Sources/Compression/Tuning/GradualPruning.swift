import Graphs
import Tensors

/// Weights dropped little by little while the others are fitted.
///
/// The share that is dropped rises from nothing to the last one along a cubic, fast while there is much
/// to spare: `s (1 - (1 - t / T)³)` at step `t` of `T`. Whoever was dropped keeps the value it had and
/// may come back as long as the share rises.
///
/// Source: M. Zhu, S. Gupta, *To Prune, or Not to Prune*, 2017, equation 1
/// <https://arxiv.org/abs/1710.01878>.
struct GradualPruning: Sendable {
  /// What is dropped in the end, and how weights are compared.
  let pruning: MagnitudePruning
  /// The step at which the last share is reached, at least 1.
  let steps: Int
  /// How many steps lie between two looks, each of which sorts all weights.
  var interval: Int { max(10, steps / 50) }

  /// The share that is dropped at a step, counted from 0.
  func sparsity(at step: Int) -> Double {
    let left = 1 - Double(min(max(step, 0), steps)) / Double(steps)
    return pruning.sparsity * (1 - left * left * left)
  }

  /// Whether other weights are chosen at a step.
  func looks(at step: Int) -> Bool {
    step == steps || (step < steps && step % interval == 0)
  }

  /// Which weights stay from a step on.
  func kept(_ tensors: [Tensor], at step: Int) -> [[Bool]] {
    MagnitudePruning(sparsity: sparsity(at: step), scope: pruning.scope).kept(tensors)
  }
}

extension CompressionWork {
  /// What is dropped while tuning, where that is asked for.
  ///
  /// - Throws: ``CompressionError`` for schemes in which it cannot be done.
  func gradualPruning(_ settings: TuningSettings) throws(CompressionError) -> MagnitudePruning? {
    guard settings.isGradual else { return nil }
    guard let pruning, pruning.scope != .twoOfFour, weights.pruningScore == .magnitude,
      weights.sensitivity == .none, weights.rounding == .nearest, !quantizesActivations
    else {
      throw CompressionError(
        "tuning",
        "drops weights gradually only for prune:S and prune:S+kmeans:K, by magnitude and not two of "
          + "four, without a sensitivity or rounding")
    }
    return pruning
  }

  /// Stores all weights as they are, dropped ones too, until steps of tuning drop them; clusters are found
  /// when the last ones are.
  mutating func dropNothingYet() {
    for name in coded.keys {
      guard let tensor = float.initializers[name], coded[name]?.kept != nil else { continue }
      store(
        CodedWeights(
          shape: tensor.shape, bits: 8, codes: [],
          meaning: .halves(Tensor(halves: tensor.floats, shape: [tensor.count])),
          kept: [Bool](repeating: true, count: tensor.count)),
        as: name)
    }
  }
}
