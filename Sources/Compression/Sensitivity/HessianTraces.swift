import Execution
import Faces
import Graphs
import Tensors
import Training

/// How curved the loss is in each tensor of weights: the trace of its block of the Hessian.
///
/// `tr H = E[v · H v]` for a `v` whose elements are 1 or -1 with even chances, and `H v` is the difference of
/// the gradients a little to both sides of the weights along `v`. All tensors are moved at once: what one
/// does to the gradient of another has the mean zero. To second order the loss grows by about
/// `½ tr H / n · Σ (w - ŵ)²` when a tensor of `n` weights becomes `ŵ` in directions that its rounding
/// happens to choose.
///
/// Steps are a share of the root mean square of a tensor's weights, so that kinks of ReLUs are felt as
/// rounding would feel them.
///
/// Source: Z. Dong and others, *HAWQ-V2: Hessian Aware trace-Weighted Quantization of Neural Networks*,
/// NeurIPS 2020, section 3.2 and equation 11 <https://arxiv.org/abs/1911.03852>.
struct HessianTraces {
  /// The trace of every tensor, by name; below zero where the loss curves down.
  let traces: [String: Double]
  /// How many images were looked at: whole batches.
  let rows: Int

  /// The means of the tensors' diagonals, each of which has as many elements as the tensor has weights.
  ///
  /// Where the loss curves down to both sides of a trained model, chance or kinks are larger than what there
  /// is: such a tensor counts as the least curved of the others does, or all as 1 where there are none.
  func meanCurvatures(of names: [String], counts: [Int]) -> [Double] {
    let means = zip(names, counts).map { (traces[$0] ?? 0) / Double(max(1, $1)) }
    let least = means.filter { $0 > 0 }.min() ?? 1
    return means.map { $0 > 0 ? $0 : least }
  }

  /// How many `v` every batch is looked at with.
  static let probes = 8
  /// Images to a batch.
  static let batch = 64
  /// How far weights are moved, as a share of their root mean square.
  static let step: Float = 0.003

  /// Measures the weights called `names` of `graph`.
  ///
  /// - Throws: What reading images and running graphs throws.
  static func measure(
    _ graph: Graph, weights names: [String], on images: CompressionImages, rows: [Int],
    probes: Int = probes, step: Float = step
  ) throws -> HessianTraces {
    var options = BatchLoader.Options()
    options.batchSize = min(batch, rows.count)
    options.preprocessing = images.preprocessing
    options.cacheBytes = 0
    options.lastBatch = .drop
    let loader = BatchLoader(images.dataset, rows: rows, options: options, epochs: 0..<1)
    let session = try TrainingSession(
      graph, batch: options.batchSize, inputShape: images.preprocessing.shape)
    var tensors = session.slots.indices.filter { names.contains(session.slots[$0].name) }.compactMap
    {
      slot in graph.initializers[session.slots[slot].name].map { Moved($0, slot: slot, step: step) }
    }
    var random = SplitMix64(seed: 0, stream: 0x4e55)
    var count = 0
    while let batch = try loader.next() {
      let shares = [Double](repeating: 1 / Double(batch.count), count: batch.count)
      for _ in 0..<probes {
        for i in tensors.indices { tensors[i].turn(&random) }
        for side in [1, -1] as [Float] {
          for tensor in tensors { try tensor.move(side, session) }
          let logits = try batch.images.withUnsafeBufferPointer {
            Array(try session.forward($0, movesStatistics: false))
          }
          let labelled = LabelledLogits(
            logits: logits, classes: logits.count / batch.count, labels: batch.labels,
            groups: batch.groups)
          try CrossEntropy().gradients(labelled, weights: shares).withUnsafeBufferPointer {
            try session.backward($0)
          }
          for i in tensors.indices { try tensors[i].add(side, session) }
        }
      }
      count += 1
    }
    let looks = Double(max(1, count * probes))
    return HessianTraces(
      traces: Dictionary(
        uniqueKeysWithValues: tensors.map { (session.slots[$0.slot].name, $0.sum / looks) }),
      rows: count * options.batchSize)
  }
}

/// A tensor that is moved to both sides of where it is.
private struct Moved {
  let slot: Int
  private let weights: [Float]
  private let step: Float
  private var signs: [Float]
  private var gradients: [Float]
  /// The sum over all looks of `v · H v`.
  private(set) var sum = 0.0

  init(_ tensor: Tensor, slot: Int, step: Float) {
    self.slot = slot
    weights = tensor.floats
    let square = weights.reduce(0) { $0 + Double($1) * Double($1) } / Double(max(1, weights.count))
    self.step = step * max(Float(square.squareRoot()), 1e-6)
    signs = [Float](repeating: 1, count: weights.count)
    gradients = signs
  }

  /// Draws another direction.
  mutating func turn(_ random: inout SplitMix64) {
    for start in stride(from: 0, to: signs.count, by: 64) {
      var bits = random.next()
      for i in start..<min(start + 64, signs.count) {
        signs[i] = bits & 1 == 0 ? 1 : -1
        bits >>= 1
      }
    }
  }

  /// Moves the session's weights along the direction, or against it.
  func move(_ side: Float, _ session: TrainingSession) throws {
    let by = side * step
    var moved = weights
    for i in moved.indices { moved[i] += by * signs[i] }
    try moved.withUnsafeBufferPointer { try session.write($0, slot: slot) }
  }

  /// Adds what the gradient on one side gives to `v · H v`.
  mutating func add(_ side: Float, _ session: TrainingSession) throws {
    try gradients.withUnsafeMutableBufferPointer {
      try session.read(.gradients, slot: slot, into: $0)
    }
    var product = 0.0
    for i in gradients.indices { product += Double(gradients[i] * signs[i]) }
    sum += Double(side) * product / (2 * Double(step))
  }
}
