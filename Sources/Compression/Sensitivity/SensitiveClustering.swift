import Foundation
import Tensors

/// Clusters all tensors by how much the loss depends on their weights.
struct SensitiveClustering {
  let clustering: Clustering
  let fisher: FisherInformation
  /// The tensors by name, `float32`.
  let tensors: [String: Tensor]
  /// Which weights are stored, where some are not.
  let kept: [String: [Bool]]
  /// The number of rounds of ``minimax()``.
  var rounds = 20
  /// How much larger the share of a group with all of the error becomes in a round, as a logarithm.
  var step = 1.0

  /// What came out.
  struct Result {
    /// The stored weights by name.
    var coded: [String: CodedWeights]
    /// How much each group counted.
    var shares: [Double]
    /// Every group's error; see ``FisherInformation/errors(of:from:)``.
    var errors: [Double]
  }

  /// The best clusters when groups count as `shares` say.
  func code(_ shares: [Double]) -> Result {
    let importance = fisher.importance(shares)
    let names = tensors.keys.sorted()
    let coded = Clustering.inParallel(names.map { tensors[$0]?.count ?? 0 }) { i in
      tensors[names[i]].map {
        clustering.code($0, importance: importance[names[i]], kept: kept[names[i]])
      }
    }
    let stored = Dictionary(uniqueKeysWithValues: zip(names, coded.compactMap(\.self)))
    return Result(
      coded: stored, shares: shares,
      errors: fisher.errors(
        of: stored.mapValues { $0.decoded.floats }, from: tensors.mapValues(\.floats)))
  }

  /// The clusters whose largest error of a group is smallest, of all rounds.
  ///
  /// It starts with all groups alike; in every round a group's share grows with its part of the errors.
  ///
  /// Source: multiplicative weights, as in S. Arora, E. Hazan, S. Kale, *The Multiplicative Weights
  /// Update Method*, 2012, section 3.2.
  func minimax() -> Result {
    var shares = fisher.equalShares
    var best: Result?
    for _ in 0..<rounds {
      let found = code(shares)
      let largest = found.errors.max() ?? 0
      if best.map({ largest < $0.errors.max() ?? 0 }) ?? true { best = found }
      let mean = found.errors.reduce(0, +) / Double(max(1, found.errors.count))
      guard mean > 0 else { break }
      shares = zip(shares, found.errors).map { $0 * exp(step * ($1 / mean - 1)) }
      let sum = shares.reduce(0, +)
      shares = shares.map { $0 / sum }
    }
    return best ?? code(shares)
  }
}
