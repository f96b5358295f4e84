import Execution
import Faces
import Graphs
import Tensors
import Training

/// Which channels of a network are removed because they matter least.
struct FilterPruning {
  /// The share of the channels that is removed, from 0 to below 1.
  var share: Double
  /// Whether channels are compared with those of the whole network or of their set.
  var isGlobal: Bool

  /// A set never keeps fewer of its channels than this share.
  static let least = 0.125

  /// For each set the channels that stay, given a score for each; of equal ones the later go first.
  func kept(_ scores: [[Double]]) -> [[Int]] {
    var removed = scores.map { _ in Set<Int>() }
    func room(_ set: Int) -> Int {
      let count = scores[set].count
      let stays = isGlobal ? Int((Double(count) * Self.least).rounded(.up)) : 1
      return count - max(1, stays)
    }
    func remove(_ candidates: [(set: Int, channel: Int)], _ count: Int) {
      let order = candidates.sorted {
        let (a, b) = (scores[$0.set][$0.channel], scores[$1.set][$1.channel])
        return (a, $1.set, $1.channel) < (b, $0.set, $0.channel)
      }
      var left = count
      for (set, channel) in order where left > 0 && removed[set].count < room(set) {
        removed[set].insert(channel)
        left -= 1
      }
    }
    let all = scores.indices.map { set in scores[set].indices.map { (set: set, channel: $0) } }
    if isGlobal {
      let candidates = all.flatMap(\.self)
      remove(candidates, Int(Double(candidates.count) * share))
    } else {
      for candidates in all { remove(candidates, Int(Double(candidates.count) * share)) }
    }
    return scores.indices.map { set in
      scores[set].indices.filter { !removed[set].contains($0) }
    }
  }

  /// The magnitude of every channel's filters: the sum of absolute weights over the layers that write
  /// it, each layer divided by its mean, so that layers can be compared.
  ///
  /// Source: H. Li and others, *Pruning Filters for Efficient ConvNets*, ICLR 2017, section 3.1
  /// <https://arxiv.org/abs/1608.08710>.
  static func norms(of sets: [ChannelSet], in graph: Graph) -> [[Double]] {
    sets.map { set in
      var sums = [Double](repeating: 0, count: set.count)
      for position in set.producers {
        let values = graph.initializers[graph.nodes[position].inputs[1]]?.floats ?? []
        let size = values.count / set.count
        let norms = (0..<set.count).map { channel in
          values[channel * size..<(channel + 1) * size].reduce(0) { $0 + Double(abs($1)) }
        }
        let mean = norms.reduce(0, +) / Double(set.count)
        for channel in norms.indices where mean > 0 { sums[channel] += norms[channel] / mean }
      }
      return sums
    }
  }

  /// How much the loss would change to first order if a channel's filters and biases were zero: the
  /// square of `Σ w ∂L/∂w` over all layers that write it, as a mean over batches of 16 images.
  ///
  /// Source: P. Molchanov and others, *Importance Estimation for Neural Network Pruning*, CVPR 2019,
  /// equations 4 and 8 <https://arxiv.org/abs/1906.10771>; a folded bias is part of the gate.
  static func taylor(
    of sets: [ChannelSet], in graph: Graph, on images: CompressionImages, rows: [Int]
  ) throws -> [[Double]] {
    let batch = max(1, min(16, rows.count))
    let session = try TrainingSession(
      graph, batch: batch, inputShape: images.preprocessing.shape)
    var options = BatchLoader.Options()
    options.batchSize = batch
    options.preprocessing = images.preprocessing
    options.lastBatch = .drop
    options.cacheBytes = 0
    let loader = BatchLoader(images.dataset, rows: rows, options: options, epochs: 0..<1)
    var scores = sets.map { [Double](repeating: 0, count: $0.count) }
    while let next = try loader.next() {
      let logits = try next.images.withUnsafeBufferPointer {
        Array(try session.forward($0, movesStatistics: false))
      }
      let labelled = LabelledLogits(
        logits: logits, classes: logits.count / batch, labels: next.labels, groups: next.groups)
      let weights = [Double](repeating: 1 / Double(batch), count: batch)
      try CrossEntropy().gradients(labelled, weights: weights).withUnsafeBufferPointer {
        try session.backward($0)
      }
      let gradients = try session.tensors(of: .gradients)
      for (number, set) in sets.enumerated() {
        var sums = [Double](repeating: 0, count: set.count)
        for position in set.producers {
          for name in graph.nodes[position].inputs.dropFirst() where !name.isEmpty {
            guard let w = graph.initializers[name]?.floats, let g = gradients[name]?.floats else {
              continue
            }
            let size = w.count / set.count
            for i in w.indices { sums[i / size] += Double(w[i] * g[i]) }
          }
        }
        for channel in sums.indices { scores[number][channel] += sums[channel] * sums[channel] }
      }
    }
    return scores
  }
}
