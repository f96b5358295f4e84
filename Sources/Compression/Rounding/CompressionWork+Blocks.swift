import Execution
import Faces
import Foundation
import Graphs
import Tensors
import Training

extension CompressionWork {
  /// Chooses anew which points of their grids the weights take, block by block; see
  /// ``BlockReconstruction``.
  ///
  /// Each block with the inputs that the blocks before it give as they are stored by then. A block
  /// that would come out worse on these images keeps the nearest values.
  ///
  /// - Parameters:
  ///   - images: Where the rows are.
  ///   - rows: Training rows; as many are looked at as fit into 2 GB.
  ///   - countsGaps: Whether what the rounding does to the groups' rates counts too.
  ///   - reconstruction: How blocks are rounded.
  /// - Throws: ``CompressionError`` for what cannot be reconstructed, and what reading images and
  ///   running graphs throws.
  mutating func reconstruct(
    on images: CompressionImages, rows: [Int], countsGaps: Bool,
    reconstruction: BlockReconstruction = BlockReconstruction()
  ) throws {
    guard !countsGaps || images.dataset.classNames.count == 2 else {
      throw CompressionError(
        "rounding",
        "gaps count for two classes, not \(images.dataset.classNames.count)")
    }
    let input = graph.inputs[0].name
    let shapes = try float.inferShapes(inputs: [input: [1] + images.preprocessing.shape])
    let cuts = NetworkCuts(float)
    let blocks = cuts.blocks(of: Set(coded.keys))
    func type(at cut: Int) -> TensorType? { shapes[cuts.cuts[cut].tensor] }
    // Per image the input of a block, its result here and there, and two gradients of that.
    let widest = cuts.cuts.indices.map { type(at: $0)?.count ?? 0 }.max() ?? 1
    let rows = Array(rows.prefix(max(reconstruction.batch, 100_000_000 / max(1, widest))))
    let cells = rows.map { (images.dataset.groups[$0], images.dataset.labels[$0]) }

    var known = try images.pixels(of: rows)
    var stored = known
    for block in blocks {
      let shape = type(at: block.start)
      let plain = cuts.part(from: block.start, to: block.end, shapes: shapes)
      let target = try plain.results(for: known, shape: shape, rows: rows.count)
      let sensitivity = try OutputSensitivity(
        of: target, behind: block.end.map { cuts.part(from: $0, to: nil, shapes: shapes) },
        shape: block.end.flatMap { type(at: $0) }, cells: cells, wantsSlopes: countsGaps)
      var objective = BlockObjective(
        target: target, importance: sensitivity.squares, slopes: sensitivity.slopes, cells: cells)

      var nearest = plain
      for (name, weights) in coded where plain.initializers[name] != nil {
        nearest.initializers[name] = weights.decoded
      }
      let before = try nearest.results(for: stored, shape: shape, rows: rows.count)
      let errors = objective.errors(of: before)
      var after = before
      if errors.weighed > 0 {
        objective.scale = 1 / errors.weighed
        objective.penalty = errors.moved > 0 ? reconstruction.gapWeight / errors.moved : 0
        var rounded = nearest
        let found = try reconstruction.round(
          nearest, shape: Array((shape?.shape ?? []).dropFirst()), values: stored,
          choices: choices(in: plain), objective: objective)
        for (name, choice) in found {
          let old = nearest.initializers[name]?.shape ?? []
          rounded.initializers[name] = Tensor(shape: old, choice.values)
        }
        let result = try rounded.results(for: stored, shape: shape, rows: rows.count)
        func whole(_ found: [Float]) -> Double {
          found.withUnsafeBufferPointer {
            objective.evaluate($0, rows: Array(cells.indices)).value
          }
        }
        if whole(result) < whole(before) {
          after = result
          for (name, choice) in found {
            guard var weights = coded[name] else { continue }
            weights.replace(codes: choice.codes, values: choice.values)
            store(weights, as: name)
          }
        }
      }
      (known, stored) = (target, after)
    }
  }

  /// The weights of a part that may go up or down.
  private func choices(in part: Graph) throws -> [String: UpOrDown] {
    var result: [String: UpOrDown] = [:]
    for (name, stored) in coded {
      guard let real = part.initializers[name]?.floats else { continue }
      let grid = StorageGrid(stored, isAffine: weights.isAffine)
      let outputs = stored.shape[0]
      result[name] = UpOrDown(
        real, grids: (0..<outputs).compactMap { grid.even(output: $0) },
        size: real.count / max(1, outputs))
    }
    return result
  }
}

/// How much the loss, and the probability of class 1, depend on what a block gives for an image.
struct OutputSensitivity {
  /// The squares of the loss's gradient, their mean made 1, and a hundredth of that added.
  private(set) var squares: [Float]
  /// The gradient of the probability of class 1; empty where it is not wanted.
  private(set) var slopes: [Float] = []

  /// Measures it for every row of `values`.
  ///
  /// - Parameters:
  ///   - values: What the block gives, row-major.
  ///   - tail: What comes behind the block; `nil` where it gives the logits.
  ///   - type: The type of the tail's input.
  ///   - cells: The group and label of every row.
  ///   - wantsSlopes: Whether the probability's gradient is wanted too.
  /// - Throws: What running the tail throws.
  init(
    of values: [Float], behind tail: Graph?, shape type: TensorType?,
    cells: [(group: Int32, label: Int32)], wantsSlopes: Bool
  ) throws {
    let rows = cells.count
    let batch = min(32, rows)
    let session = try tail.map {
      try TrainingSession(
        $0, batch: batch, inputShape: Array((type?.shape ?? []).dropFirst()),
        givesInputGradients: true)
    }
    let perRow = values.count / max(1, rows)
    squares = [Float](repeating: 0, count: values.count)
    if wantsSlopes { slopes = squares }
    for start in stride(from: 0, to: rows, by: batch) {
      let members = start..<min(rows, start + batch)
      let own = members.lowerBound * perRow..<members.upperBound * perRow
      let filling = [Float](repeating: 0, count: (batch - members.count) * perRow)
      let given = Array(values[own]) + filling
      func forward() throws -> [Float] {
        guard let session else { return given }
        return try given.withUnsafeBufferPointer {
          Array(try session.forward($0, movesStatistics: false))
        }
      }
      let logits = try forward()
      let labels = (0..<batch).map { members.count > $0 ? cells[start + $0].label : 0 }
      let labelled = LabelledLogits(
        logits: logits, classes: logits.count / batch, labels: labels,
        groups: [Int32](repeating: 0, count: batch))
      func back(_ gradients: [Float]) throws -> [Float] {
        guard let session else { return gradients }
        try gradients.withUnsafeBufferPointer { try session.backward($0) }
        return Array(session.inputGradients)
      }
      let ones = [Double](repeating: 1, count: batch)
      let ofLoss = try back(CrossEntropy().gradients(labelled, weights: ones))
      for (i, place) in own.enumerated() { squares[place] = ofLoss[i] * ofLoss[i] }
      guard wantsSlopes else { continue }
      var ofMargin = logits
      for row in 0..<batch {
        let probability = 1 / (1 + exp(logits[2 * row] - logits[2 * row + 1]))
        let slope = probability * (1 - probability)
        (ofMargin[2 * row], ofMargin[2 * row + 1]) = (-slope, slope)
      }
      // Backward passes leave nothing of what the forward pass kept.
      _ = try forward()
      let ofRate = try back(ofMargin)
      for (i, place) in own.enumerated() { slopes[place] = ofRate[i] }
    }
    let mean = squares.reduce(0) { $0 + Double($1) } / Double(max(1, squares.count))
    let unit = mean > 0 ? Float(1 / mean) : 0
    for i in squares.indices { squares[i] = squares[i] * unit + 0.01 }
  }
}
