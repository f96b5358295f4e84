import Execution
import Faces
import Foundation
import Graphs
import TestSupport
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct BlockReconstructionTests {
  /// An objective of six rows of four numbers in all cells of two groups, and results off the target.
  private func objective(seed: UInt64) -> (objective: BlockObjective, found: [Float]) {
    var random = SplitMix64(seed: seed)
    func draw(_ range: ClosedRange<Double>) -> [Float] {
      (0..<24).map { _ in Float(random.uniform(range)) }
    }
    let cells: [(group: Int32, label: Int32)] = [(0, 0), (0, 0), (1, 0), (0, 1), (1, 1), (1, 1)]
    return (
      BlockObjective(
        target: draw(-1...1), importance: draw(0.1...2), slopes: draw(-1...1), cells: cells),
      draw(-1...1)
    )
  }

  @Test(arguments: [0.0, 1.7])
  func `gradients of a block's objective are those of finite differences`(penalty: Double) {
    var (objective, found) = objective(seed: 3)
    (objective.scale, objective.penalty) = (0.7, penalty)
    let rows = [5, 0, 2, 3]
    func value(_ found: [Float]) -> (value: Double, gradient: [Float]) {
      found.prefix(16).withUnsafeBufferPointer { objective.evaluate($0, rows: rows) }
    }
    let gradient = value(found).gradient
    for i in 0..<16 {
      let step: Float = 1e-2
      var (up, down) = (found, found)
      up[i] += step
      down[i] -= step
      // The objective is a polynomial of second degree: central differences are exact.
      let wanted = (value(up).value - value(down).value) / Double(up[i] - down[i])
      #expect(abs(Double(gradient[i]) - wanted) < 1e-4, "\(i): \(gradient[i]) \(wanted)")
    }
  }

  @Test func `what moves all groups alike moves no gap`() {
    var (objective, found) = objective(seed: 4)
    (objective.scale, objective.penalty) = (0, 1)
    // u · d is 0.3 in every row.
    for row in 0..<6 {
      let own = row * 4..<row * 4 + 4
      let square = own.reduce(0 as Float) { $0 + objective.slopes[$1] * objective.slopes[$1] }
      for i in own { found[i] = objective.target[i] + 0.3 * objective.slopes[i] / square }
    }
    let all = Array(0..<6)
    let value = found.withUnsafeBufferPointer { objective.evaluate($0, rows: all).value }
    #expect(value < 1e-10)
    #expect(abs(objective.errors(of: found).moved - 0.09) < 1e-5)
    // One group alone: half of it from the mean, twice.
    for i in 0..<8 { found[i] = objective.target[i] }
    let apart = found.withUnsafeBufferPointer { objective.evaluate($0, rows: all).value }
    #expect(abs(apart - (0.2 * 0.2 + 0.1 * 0.1)) < 1e-5, "\(apart)")
  }

  @Test func `blocks are residual blocks, and single layers elsewhere`() throws {
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 3))
    let names = Set(BiasCorrection.layers(of: graph).map { graph.nodes[$0].inputs[1] })
    let cuts = NetworkCuts(graph)
    let blocks = cuts.blocks(of: names)
    let shapes = try graph.inferShapes(inputs: ["input": [1] + SmallNetwork.imageShape])
    let weights = blocks.map { block in
      cuts.part(from: block.start, to: block.end, shapes: shapes).nodes
        .filter { node in node.inputs.contains(where: names.contains) }.count
    }
    #expect(weights == [1, 3, 1])
    #expect(blocks[0].start == 0 && blocks[2].end == nil)
    #expect(zip(blocks, blocks.dropFirst()).allSatisfy { $0.end == $1.start })
  }

  /// The gradient that a session gives on its input, beside finite differences of the logits.
  @Test func `the loss's slope on a block's result is that of finite differences`() throws {
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 5))
    let cuts = NetworkCuts(graph)
    let shapes = try graph.inferShapes(inputs: ["input": [1] + SmallNetwork.imageShape])
    let names = Set(BiasCorrection.layers(of: graph).map { graph.nodes[$0].inputs[1] })
    let end = try #require(cuts.blocks(of: names)[0].end)
    let tail = cuts.part(from: end, to: nil, shapes: shapes)
    let type = shapes[cuts.cuts[end].tensor]
    let perRow = try #require(type).count
    var random = SplitMix64(seed: 9)
    let values = (0..<3 * perRow).map { _ in Float(random.uniform(0.1...1)) }
    let cells: [(group: Int32, label: Int32)] = [(0, 1), (1, 0), (0, 0)]
    let found = try OutputSensitivity(
      of: values, behind: tail, shape: type, cells: cells, wantsSlopes: true)
    func probability(_ values: [Float], row: Int) throws -> Double {
      let logits = try tail.results(for: values, shape: type, rows: 3)
      return 1 / (1 + exp(Double(logits[2 * row] - logits[2 * row + 1])))
    }
    var ratios: [Double] = []
    for i in stride(from: 0, to: values.count, by: 7) {
      let row = i / perRow
      let step: Float = 2e-3
      var (up, down) = (values, values)
      up[i] += step
      down[i] -= step
      let slope =
        (try probability(up, row: row) - probability(down, row: row)) / Double(up[i] - down[i])
      #expect(abs(Double(found.slopes[i]) - slope) < 2e-3 + 0.02 * abs(slope), "\(i)")
      // The loss's gradient is the probability's over that of the row's own class.
      let p = try probability(values, row: row)
      let loss = slope / (cells[row].label == 1 ? p : 1 - p)
      if abs(loss) > 0.02 { ratios.append(Double(found.squares[i] - 0.01) / (loss * loss)) }
    }
    // Squares are in units of their mean.
    let (least, most) = (try #require(ratios.min()), try #require(ratios.max()))
    #expect(ratios.count > 5 && most < 1.15 * least, "\(least) \(most)")
  }

  /// Faces, and the float model's logits on those of train.
  private func task(
    _ body: (CompressionImages, [Int], (Graph) throws -> [Float]) throws -> Void
  ) throws {
    let (folder, dataset) = try faces([.train: 140, .validation: 10, .test: 10])
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let images = CompressionImages(dataset, preprocessing: Preprocessing(size: 8))
    let rows = dataset.rows(in: .train)
    try body(images, rows) { graph in
      try Evaluator(images.preprocessing).run(graph, on: dataset, rows: rows).output.logits
    }
  }

  /// What blocks are rounded for: the float model's answers, on the images that were looked at.
  @Test(arguments: ["uniform:2", "mixed:3"])
  func `answers come nearer than with the nearest values`(scheme: String) throws {
    try task { images, _, logits in
      let float = SmallNetwork.graph(seed: 3)
      var settings = WeightSettings()
      if scheme.hasPrefix("mixed") { settings.sensitivity = .fisher }
      func compressed() throws -> (graph: Graph, report: CompressionReport) {
        try compress(float, scheme: Scheme(scheme), images: images, weights: settings)
      }
      let plain = try compressed()
      settings.rounding = .brecq
      let rounded = try compressed()
      let known = try logits(float)
      let errors = try [plain, rounded].map { found in
        zip(try logits(found.graph), known).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      }
      #expect(errors[1] < 0.8 * errors[0], "\(errors)")
      #expect(
        rounded.report.accounting.bytes(of: .weights)
          == plain.report.accounting.bytes(of: .weights))
      #expect(rounded.report.tensors.map(\.bits) == plain.report.tensors.map(\.bits))
    }
  }

  /// What counts besides, where gaps do: the difference of the groups' mean probabilities, by label.
  @Test func `groups come apart less where gaps count`() throws {
    try task { images, rows, logits in
      let (groups, labels) = (images.dataset.groups, images.dataset.labels)
      func gaps(_ graph: Graph) throws -> [Double] {
        let found = try logits(graph)
        return (0...1).map { label in
          let means = (0...1).map { group -> Double in
            let own = rows.indices.filter {
              groups[rows[$0]] == group && labels[rows[$0]] == label
            }
            return own.reduce(0.0) {
              $0 + 1 / (1 + Double(exp(found[2 * $1] - found[2 * $1 + 1])))
            } / Double(own.count)
          }
          return means[0] - means[1]
        }
      }
      var drifts: [WeightSettings.Rounding: Double] = [:]
      for seed in 3...4 as ClosedRange<UInt64> {
        let float = SmallNetwork.graph(seed: seed)
        let known = try gaps(float)
        for rounding in [WeightSettings.Rounding.nearest, .brecq, .fairbrecq] {
          var settings = WeightSettings()
          settings.rounding = rounding
          let graph = try compress(
            float, scheme: Scheme("uniform:2"), images: images, weights: settings
          ).graph
          drifts[rounding, default: 0] += zip(try gaps(graph), known).reduce(0) {
            $0 + abs($1.0 - $1.1)
          }
        }
      }
      let (before, after) = (try #require(drifts[.nearest]), try #require(drifts[.fairbrecq]))
      #expect(after < 0.5 * before, "\(before) -> \(after)")
    }
  }

  @Test func `blocks are for even grids`() throws {
    let (folder, dataset) = try faces([.train: 40, .validation: 10, .test: 10])
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let images = CompressionImages(dataset, preprocessing: Preprocessing(size: 8))
    var settings = WeightSettings()
    settings.rounding = .brecq
    #expect(throws: CompressionError.self) {
      try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme("kmeans:4"), images: images,
        weights: settings)
    }
  }
}
