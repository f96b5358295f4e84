import Execution
import Faces
import Foundation
import Graphs
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct HessianTests {
  /// Of the last layer the loss's second derivatives are known: `p (1 - p) x²` for every logit and input.
  @Test func `the trace of a layer of logits is what its formula says`() throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 3))
    let rows = Array(faces.dataset.rows(in: .train).prefix(24))
    let found = try HessianTraces.measure(
      graph, weights: ["fc.weight"], on: images, rows: rows, probes: 400)
    #expect(found.rows == 24)

    let evaluator = Evaluator(images.preprocessing)
    let logits = try evaluator.run(graph, on: faces.dataset, rows: rows).output.logits
    let features = try features(of: graph, faces.dataset, rows)
    var wanted = 0.0
    for row in rows.indices {
      let margin = Double(logits[2 * row + 1] - logits[2 * row])
      let p = 1 / (1 + exp(-margin))
      let square = features[row].reduce(0) { $0 + Double($1) * Double($1) }
      wanted += 2 * p * (1 - p) * square / Double(rows.count)
    }
    let trace = try #require(found.traces["fc.weight"])
    #expect(abs(trace - wanted) < 0.1 * wanted, "\(trace) \(wanted)")
  }

  /// What the last layer reads.
  private func features(
    of graph: Graph, _ dataset: FaceDataset, _ rows: [Int]
  ) throws -> [[Float]] {
    let probe = CalibrationProbe(dataset, rows: rows, preprocessing: Preprocessing(size: 8))
    let input = try #require(graph.nodes.last { $0.operation == .gemm }).inputs[0]
    var features: [[Float]] = []
    try probe.run(graph, showing: [input]) { _, values, count in
      let size = values.count / count
      for row in 0..<count { features.append(Array(values[row * size..<(row + 1) * size])) }
    }
    return features
  }

  /// The sum over all weights of second differences of the loss, one weight at a time.
  @Test func `the trace of a convolution is the sum of second differences`() throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    var graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 4))
    // Without kinks, which second differences of different lengths feel differently.
    for i in graph.nodes.indices where graph.nodes[i].operation == .relu {
      graph.nodes[i].operation = .sigmoid
    }
    let rows = Array(faces.dataset.rows(in: .train).prefix(16))
    let name = "downsample.0.weight"
    let tensor = try #require(graph.initializers[name])
    func gradient(_ values: [Float]) throws -> [Float] {
      var moved = graph
      moved.initializers[name] = Tensor(shape: tensor.shape, values)
      let session = try TrainingSession(
        moved, batch: rows.count, inputShape: images.preprocessing.shape)
      var options = BatchLoader.Options()
      options.batchSize = rows.count
      options.preprocessing = images.preprocessing
      let loader = BatchLoader(faces.dataset, rows: rows, options: options, epochs: 0..<1)
      let batch = try #require(try loader.next())
      let logits = try batch.images.withUnsafeBufferPointer {
        Array(try session.forward($0, movesStatistics: false))
      }
      let shares = rows.map { _ in 1 / Double(rows.count) }
      let labelled = LabelledLogits(
        logits: logits, classes: 2, labels: batch.labels, groups: batch.groups)
      try CrossEntropy().gradients(labelled, weights: shares).withUnsafeBufferPointer {
        try session.backward($0)
      }
      return try #require(try session.tensors(of: .gradients)[name]).floats
    }
    var wanted = 0.0
    for i in 0..<tensor.count {
      var (up, down) = (tensor.floats, tensor.floats)
      up[i] += 0.02
      down[i] -= 0.02
      wanted += try Double(gradient(up)[i] - gradient(down)[i]) / 0.04
    }
    let found = try HessianTraces.measure(
      graph, weights: [name], on: images, rows: rows, probes: 400, step: 0.03)
    let trace = try #require(found.traces[name])
    #expect(abs(trace - wanted) < 0.1 * abs(wanted), "\(trace) \(wanted)")
  }

  @Test func `tensors that curve down count as the least curved`() {
    let traces = HessianTraces(traces: ["a": 6, "b": -2, "c": 1], rows: 1)
    #expect(
      traces.meanCurvatures(of: ["a", "b", "c", "d"], counts: [3, 3, 2, 0]) == [2, 0.5, 0.5, 0.5])
    #expect(HessianTraces(traces: ["a": -6], rows: 1).meanCurvatures(of: ["a"], counts: [2]) == [1])
  }
}
