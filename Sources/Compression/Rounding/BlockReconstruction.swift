import Execution
import Foundation
import Graphs
import OneDNN
import Tensors

/// Learns for all weights of a block together whether each is rounded up or down.
///
/// As ``AdaRound``, but what is kept is the result of a whole block, behind its activations and sums,
/// with the errors of its layers making up for one another; see ``BlockObjective``. Nothing shorter than
/// real passes tells that result, so each step runs a batch of images through the block.
///
/// The objective is divided by what it is with the nearest values, for each weight, as ``AdaRound``
/// does; there are some hundred steps where the paper has 20 000.
///
/// Source: Y. Li and others, *BRECQ*, ICLR 2021, algorithm 1, for one width of all weights.
struct BlockReconstruction {
  /// The number of steps.
  var steps = 400
  /// Images to a step.
  var batch = 32
  /// The step size of Adam.
  var rate: Float = 0.02
  /// How much undecided weights cost.
  var regularization: Float = 3
  /// The share of the steps before undecided weights cost anything.
  var warmUp = 0.2
  /// The exponent at the end of the warm-up, and at the end.
  var exponents: (first: Float, last: Float) = (20, 2)
  /// How much drift counts, where gaps do: that many times its square, in units of the mean square of
  /// what one row's probability moves by.
  var gapWeight = 10.0
  /// Decides the order of the images.
  var seed: UInt64 = 0

  /// Rounds the weights of `choices`, by name, in `block`.
  ///
  /// - Parameters:
  ///   - block: A graph with one input and one output.
  ///   - shape: That of the input for one image.
  ///   - values: The input for every image, as the layers before the block give it by now.
  ///   - choices: The weights that may go up or down.
  ///   - objective: What to make small.
  /// - Returns: Codes and values by name.
  /// - Throws: What running the block throws.
  func round(
    _ block: Graph, shape: [Int], values: [Float], choices: [String: UpOrDown],
    objective: BlockObjective
  ) throws -> [String: (codes: [UInt8], values: [Float])] {
    let rows = objective.cells.count
    let batch = min(batch, rows)
    let session = try TrainingSession(block, batch: batch, inputShape: shape)
    let slots = session.slots.indices.filter { choices[session.slots[$0].name] != nil }
    let own = slots.compactMap { choices[session.slots[$0].name] }
    var learned = own.map(\.start)
    var adams = own.map { Adam(count: $0.weights.count) }
    let weight = Float(own.reduce(0) { $0 + $1.weights.count })
    let perRow = shape.reduce(1, *)
    var images = [Float](repeating: 0, count: batch * perRow)
    var random = SplitMix64(seed: seed, stream: 0xb1ec)
    var order: [Int] = []
    let quiet = Int(Double(steps) * warmUp)
    for step in 0..<steps {
      if order.count < batch {
        order = Array(0..<rows)
        random.shuffle(&order)
      }
      let members = Array(order.suffix(batch))
      order.removeLast(batch)
      for (place, row) in members.enumerated() {
        images.replaceSubrange(
          place * perRow..<(place + 1) * perRow, with: values[row * perRow..<(row + 1) * perRow])
      }
      for (place, slot) in slots.enumerated() {
        try own[place].soft(learned[place]).withUnsafeBufferPointer {
          try session.write($0, slot: slot)
        }
      }
      let found = try images.withUnsafeBufferPointer {
        try session.forward($0, movesStatistics: false)
      }
      let (_, gradient) = objective.evaluate(found, rows: members)
      try gradient.withUnsafeBufferPointer { try session.backward($0) }
      let progress = Float(step - quiet) / Float(max(1, steps - quiet))
      let exponent = exponents.last + (exponents.first - exponents.last) * max(0, 1 - progress)
      for (place, slot) in slots.enumerated() {
        var gradients = [Float](repeating: 0, count: own[place].weights.count)
        try gradients.withUnsafeMutableBufferPointer { gradients in
          try session.read(.gradients, slot: slot, into: gradients)
          guard let first = gradients.baseAddress else { return }
          own[place].pull(
            first, back: learned[place], factors: own[place].grids.map { _ in weight },
            regularization: step < quiet ? 0 : regularization, exponent: exponent)
        }
        adams[place].step(&learned[place], gradients, rate: rate, number: step + 1)
      }
    }
    return Dictionary(
      uniqueKeysWithValues: slots.indices.map { place in
        (session.slots[slots[place]].name, own[place].rounded(learned[place]))
      })
  }
}

extension NetworkCuts {
  /// A part of the network with weights of its own and what follows them without any: from one cut to
  /// another, or to the end.
  struct Block: Equatable {
    var start: Int
    var end: Int?
  }

  /// The network as blocks, each with one or more of the weights called `names`.
  func blocks(of names: Set<String>) -> [Block] {
    func hasWeights(_ nodes: ArraySlice<Node>) -> Bool {
      nodes.contains { $0.inputs.contains(where: names.contains) }
    }
    var starts: [Int] = []
    for cut in cuts.indices {
      let last = cut + 1 < cuts.count ? cuts[cut + 1].after : graph.nodes.count - 1
      guard last > cuts[cut].after else { continue }
      if hasWeights(graph.nodes[(cuts[cut].after + 1)...last]) { starts.append(cut) }
    }
    return starts.enumerated().map { number, start in
      // What comes before the first weights belongs to their block.
      Block(
        start: number == 0 ? 0 : start,
        end: number + 1 < starts.count ? starts[number + 1] : nil)
    }
  }
}
