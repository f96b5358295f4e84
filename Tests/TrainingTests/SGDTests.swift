import Execution
import Graphs
import Tensors
import TestSupport
import Testing
import Training

/// One case of `Golden/sgd.json`, written by `Scripts/golden/training.py` with PyTorch.
struct SGDCase: Decodable, Sendable, CustomTestStringConvertible {
  var momentum: Double
  var nesterov: Bool
  var weightDecay: Double
  var decaysAll: Bool
  var clip: Double?
  /// A weight of shape `[2, 3]`, then a bias of shape `[2]`.
  var start: [Float]
  var gradients: [[Float]]
  var values: [[Float]]

  var testDescription: String {
    "momentum \(momentum), nesterov \(nesterov), decay \(weightDecay), all \(decaysAll), "
      + "clip \(clip.map { "\($0)" } ?? "off")"
  }
}

@Suite struct SGDTests {
  /// The layer's gradients are made to be PyTorch's: one image for each column of the weight's,
  /// and a black one for what the bias's gradient has besides.
  @Test(arguments: try golden([SGDCase].self, "sgd", in: .module))
  func `steps are PyTorch's`(expected: SGDCase) throws {
    let graph = Graph(
      name: "layer", inputs: [Value("x", shape: [nil, 3])], outputs: [Value("y", shape: [nil, 2])],
      nodes: [
        Node(
          "layer", .gemm, inputs: ["x", "weight", "bias"], outputs: ["y"],
          attributes: ["transB": .int(1)])
      ],
      initializers: [
        "weight": Tensor(shape: [2, 3], Array(expected.start[..<6])),
        "bias": Tensor(shape: [2], Array(expected.start[6...])),
      ])
    let session = try TrainingSession(graph, batch: 4, inputShape: [3])
    let optimizer = SGD(
      learningRate: 0.1, momentum: expected.momentum, nesterov: expected.nesterov,
      weightDecay: expected.weightDecay, decaysAll: expected.decaysAll, clip: expected.clip)
    let images: [Float] = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
    for (index, gradient) in expected.gradients.enumerated() {
      var logits: [Float] = []
      for column in 0..<3 { logits += [gradient[column], gradient[3 + column]] }
      logits += (0..<2).map { row in
        gradient[6 + row] - gradient[3 * row..<3 * row + 3].reduce(0, +)
      }
      _ = try images.withUnsafeBufferPointer { try session.forward($0) }
      try logits.withUnsafeBufferPointer { try session.backward($0) }
      session.descend(
        optimizer.step(
          rate: 0.1 / Double(index + 1), momentum: expected.momentum,
          gradientScale: optimizer.gradientScale(norm: session.gradientNorm())))
      let found = try session.tensors(of: .values)
      let values = try #require(found["weight"]).floats + #require(found["bias"]).floats
      for (found, wanted) in zip(values, expected.values[index]) {
        #expect(abs(found - wanted) <= 2e-6 * max(1, abs(wanted)))
      }
    }
  }

  @Test func `clipping shrinks and never grows`() {
    let optimizer = SGD(clip: 2)
    #expect(optimizer.gradientScale(norm: 1) == 1)
    #expect(abs(optimizer.gradientScale(norm: 8) - 0.25) < 1e-6)
    #expect(SGD().gradientScale(norm: 1e30) == 1)
  }
}
