import Execution
import Faces
import Graphs
import OneDNN
import Tensors
import Training

/// How much the loss of a group depends on each weight: the mean square of its gradient.
///
/// `F_gi = mean over rows of group g of (∂L/∂w_i)²`, with `L` the cross-entropy of one row, is the
/// diagonal of the group's empirical Fisher information. To second order the group's loss grows by
/// about `½ Σ F_gi (w_i - ŵ_i)²` when weights become `ŵ`. Each group's numbers are divided by their sum,
/// so that a group whose rows are hard does not outweigh the others.
///
/// Source: S. Kim and others, *SqueezeLLM: Dense-and-Sparse Quantization*, ICML 2024, section 4.1
/// <https://arxiv.org/abs/2306.07629> (one group).
struct FisherInformation: Sendable {
  /// The names of the groups.
  let groups: [String]
  /// The mean squares of every group, weights by name.
  let squares: [[String: [Float]]]
  /// How many rows each group has.
  let counts: [Int]
  /// The sum over all weights, of every group.
  let totals: [Double]

  init(groups: [String], squares: [[String: [Float]]], counts: [Int]) {
    (self.groups, self.squares, self.counts) = (groups, squares, counts)
    totals = squares.map { tensors in
      tensors.keys.sorted().reduce(0) { sum, name in
        sum + (tensors[name] ?? []).reduce(0) { $0 + Double($1) }
      }
    }
  }

  /// Measures the weights called `names` of `graph`, row by row.
  ///
  /// - Throws: What reading images and running graphs throws.
  static func measure(
    _ graph: Graph, weights names: [String], on images: CompressionImages, rows: [Int]
  ) throws -> FisherInformation {
    let dataset = images.dataset
    let session = try TrainingSession(graph, batch: 1, inputShape: images.preprocessing.shape)
    let gradients = session.elements(of: .gradients)
    let sums = dataset.groupNames.map { _ in AlignedBuffer<Float>(count: gradients.count) }
    var counts = [Int](repeating: 0, count: sums.count)
    var options = BatchLoader.Options()
    options.preprocessing = images.preprocessing
    options.cacheBytes = 0
    let loader = BatchLoader(dataset, rows: rows, options: options, epochs: 0..<1)
    let perImage = images.preprocessing.valueCount
    while let batch = try loader.next() {
      for i in 0..<batch.count {
        let logits = try batch.images[i * perImage..<(i + 1) * perImage].withUnsafeBufferPointer {
          Array(try session.forward($0, movesStatistics: false))
        }
        let labelled = LabelledLogits(
          logits: logits, classes: logits.count, labels: [batch.labels[i]],
          groups: [batch.groups[i]])
        try CrossEntropy().gradients(labelled, weights: [1]).withUnsafeBufferPointer {
          try session.backward($0)
        }
        let group = Int(batch.groups[i])
        counts[group] += 1
        // Ranges do not overlap.
        nonisolated(unsafe) let (sum, own) = (sums[group].pointer, session.elements(of: .gradients))
        Parallel.forEach(own.count) { range in
          for k in range { sum[k] += own[k] * own[k] }
        }
      }
    }
    let squares = try sums.indices.map { group -> [String: [Float]] in
      // The session knows in which order its kernels keep the elements.
      let all = session.elements(of: .gradients)
      let share = 1 / Float(max(1, counts[group]))
      for k in 0..<all.count { all[k] = sums[group].pointer[k] * share }
      let tensors = try session.tensors(of: .gradients)
      return Dictionary(uniqueKeysWithValues: names.map { ($0, tensors[$0]?.floats ?? []) })
    }
    return FisherInformation(groups: dataset.groupNames, squares: squares, counts: counts)
  }

  /// The weights' importance when groups count as `shares` say, by name.
  ///
  /// A hundredth of a tensor's mean is added to each of its weights, so that those without gradients
  /// are not left to chance.
  func importance(_ shares: [Double]) -> [String: [Float]] {
    let factors = zip(shares, totals).map { $1 > 0 ? Float($0 / $1) : 0 }
    var result: [String: [Float]] = [:]
    for name in squares.first?.keys.sorted() ?? [] {
      var values = [Float](repeating: 0, count: squares[0][name]?.count ?? 0)
      for (tensors, factor) in zip(squares, factors) {
        guard let own = tensors[name], factor > 0 else { continue }
        for i in values.indices { values[i] += factor * own[i] }
      }
      let mean = values.reduce(0) { $0 + Double($1) } / Double(max(1, values.count))
      let least = mean > 0 ? Float(mean / 100) : 1
      // Sums of squares of tiny numbers are tiny: only their ratios matter.
      let unit = mean > 0 ? Float(1 / mean) : 1
      for i in values.indices { values[i] = (values[i] + least) * unit }
      result[name] = values
    }
    return result
  }

  /// What storing weights as `stored` costs every group, relative to the sum of its `F`.
  func errors(of stored: [String: [Float]], from real: [String: [Float]]) -> [Double] {
    zip(squares, totals).map { tensors, total in
      let sum = tensors.keys.sorted().reduce(0.0) { sum, name in
        guard let f = tensors[name], let x = real[name], let y = stored[name] else { return sum }
        var error = 0.0
        for i in f.indices { error += Double(f[i]) * Double(x[i] - y[i]) * Double(x[i] - y[i]) }
        return sum + error
      }
      return total > 0 ? sum / total : 0
    }
  }

  /// How groups count where all rows do: by their rows' share of all that `F` adds up to.
  var pooledShares: [Double] {
    let masses = zip(counts, totals).map { Double($0) * $1 }
    let all = masses.reduce(0, +)
    return masses.map { all > 0 ? $0 / all : 1 / Double(masses.count) }
  }

  /// How groups count where all count alike.
  var equalShares: [Double] { counts.map { _ in 1 / Double(counts.count) } }
}
