import Graphs
import Tensors

extension CompressionWork {
  /// For every tensor which weights stay, by the score that the settings ask for.
  ///
  /// - Throws: ``CompressionError`` without images where the score looks at them, or without rows of
  ///   some group where groups count each by themselves, and what reading images and running graphs
  ///   throws.
  func kept(_ names: [String], by pruning: MagnitudePruning) throws -> [[Bool]] {
    let tensors = names.compactMap { graph.initializers[$0] }
    guard weights.pruningScore != .magnitude else { return pruning.kept(tensors) }
    guard weights.pruningScore != .fairgrape || pruning.scope != .twoOfFour else {
      throw CompressionError(
        "scheme", "fairgrape chooses layer by layer; expected --prune-scope global or layer")
    }
    let fisher = try fisherInformation(
      of: names, for: "pruning", everyGroup: weights.pruningScore == .fairgrape)
    // The loss changes by about half of this when the weight becomes zero.
    let importance = fisher.squares.map { squares in
      zip(names, tensors).map { name, tensor in
        zip(squares[name] ?? [], tensor.floats).map { $0 * $1 * $1 }
      }
    }
    if weights.pruningScore == .fairgrape {
      return tensors.indices.map { layer in
        let size = tensors[layer].count
        return GroupShares(importance: importance.map { $0[layer] })
          .kept(max(1, size - Int(Double(size) * pruning.sparsity)))
      }
    }
    let rows = Float(max(1, fisher.counts.reduce(0, +)))
    // What the loss would change by compares across layers as it is.
    var pruning = pruning
    if pruning.scope == .adaptive { pruning.scope = .global }
    return pruning.kept(
      tensors.indices.map { layer in
        var sums = [Float](repeating: 0, count: tensors[layer].count)
        for (own, count) in zip(importance, fisher.counts) where count > 0 {
          for i in sums.indices { sums[i] += Float(count) / rows * own[layer][i] }
        }
        return Tensor(shape: tensors[layer].shape, sums)
      })
  }
}
