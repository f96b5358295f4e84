import Execution
import Foundation
import GraphReference
import Graphs
import Tensors
import TestSupport
import Testing

/// One network of `Golden/training-step.json`, written by `Scripts/golden/training_step.py`.
struct TrainingStepCase: Decodable, Sendable, CustomTestStringConvertible {
  /// What is known of a tensor without holding it.
  struct Described: Decodable, Sendable {
    var norm: Double
    var products: [Double]
    var elements: [String: Double]
  }

  var network: String
  var input: [Int]
  var images: String
  var labels: [Int]
  var nesterov: Bool
  var rate: Float
  /// What is added to the normalizations' biases.
  var shift: Float
  var logits: [Float]
  var losses: [Double]
  var gradientNorm: Double
  var gradients: [String: Described]
  var statistics: [String: Described]
  var parameters: [String: Described]?

  var testDescription: String { "\(network) on \(input)" }

  var graph: Graph {
    let plain = network == "resnet50" ? ResNet.resnet50(classes: 2) : ResNet.resnet18(classes: 2)
    var graph = plain.withFormulaWeights()
    for node in graph.nodes where node.operation == .batchNormalization {
      let bias = node.inputs[2]
      graph.initializers[bias] = graph.initializers[bias].map { tensor in
        Tensor(shape: tensor.shape, tensor.floats.map { $0 + shift })
      }
    }
    return graph
  }
}

/// One network of `Golden/exported-training.json`, written by
/// `Scripts/golden/exported_training.py`.
struct ExportedStepCase: Decodable, Sendable, CustomTestStringConvertible {
  var network: String
  var input: [Int]
  var images: String
  var labels: [Int]
  /// PyTorch's names of the parameters, layer by layer in the order in which they run.
  var order: [String]
  var logits: [Float]
  var losses: [Double]
  var gradients: [String: TrainingStepCase.Described]
  var statistics: [String: TrainingStepCase.Described]

  var testDescription: String { network }
}

@Suite struct TrainingGoldenTests {
  @Test(arguments: try golden([ExportedStepCase].self, "exported-training", in: .module))
  func `exported networks train as in PyTorch`(expected: ExportedStepCase) throws {
    let path = try goldenURL("\(expected.network).onnx", in: .module).path
    let graph = try ONNXFile.read(path).separatingParameters()
    let session = try TrainingSession(
      graph, batch: expected.input[0], inputShape: Array(expected.input[1...]))
    // Exporters rename folded weights: what is trained is known by its place.
    let trained = graph.nodes.flatMap { node -> [String] in
      switch node.operation {
      case .convolution, .gemm: Array(node.inputs.dropFirst())
      case .batchNormalization: Array(node.inputs[1...2])
      default: []
      }
    }
    #expect(trained.count == expected.order.count)
    let images = FormulaWeights.images(expected.input, name: expected.images).floats
    for step in 0..<3 {
      let (logits, loss) = try trainingStep(session, images, expected.labels)
      #expect(abs(loss - expected.losses[step]) < 1e-4 * expected.losses[step])
      if step == 0 {
        for (got, wanted) in zip(logits, expected.logits) { #expect(abs(got - wanted) < 1e-5) }
        var gradients: [String: Tensor] = [:]
        let tensors = try session.tensors(of: .gradients)
        for (name, known) in zip(trained, expected.order) { gradients[known] = tensors[name] }
        compare(gradients, expected.gradients)
        let running = session.runningStatistics
        var statistics: [String: Tensor] = [:]
        for name in expected.statistics.keys { statistics[name] = running[name] }
        compare(statistics, expected.statistics)
      }
      session.descend(Descent(rate: 0.01, momentum: 0.9, decay: 1e-3, decaysAll: true))
    }
  }

  @Test(arguments: try golden([TrainingStepCase].self, "training-step", in: .module))
  func `three steps equal PyTorch's`(expected: TrainingStepCase) throws {
    let session = try TrainingSession(
      expected.graph, batch: expected.input[0], inputShape: Array(expected.input[1...]))
    let images = FormulaWeights.images(expected.input, name: expected.images).floats
    for step in 0..<3 {
      let (logits, loss) = try trainingStep(session, images, expected.labels)
      #expect(abs(loss - expected.losses[step]) < 1e-3 * expected.losses[step])
      if step == 0 {
        for (got, wanted) in zip(logits, expected.logits) { #expect(abs(got - wanted) < 1e-4) }
        #expect(abs(session.gradientNorm() / expected.gradientNorm - 1) < 1e-4)
        try compare(session.tensors(of: .gradients), expected.gradients)
        compare(session.runningStatistics, expected.statistics)
      }
      session.descend(
        Descent(
          rate: expected.rate, momentum: 0.9, isNesterov: expected.nesterov, decay: 1e-3,
          decaysAll: true))
    }
    if let parameters = expected.parameters {
      try compare(session.tensors(of: .values), parameters)
    }
  }

  @Test(.enabled(if: Precision.bfloat16.runs(), "bfloat16 needs AVX-512"))
  func `a bfloat16 step is near PyTorch's`() throws {
    let all = try golden([TrainingStepCase].self, "training-step", in: .module)
    let expected = try #require(all.first)
    let session = try TrainingSession(
      expected.graph, batch: expected.input[0], inputShape: Array(expected.input[1...]),
      precision: .bfloat16)
    let images = FormulaWeights.images(expected.input, name: expected.images).floats
    let (logits, loss) = try trainingStep(session, images, expected.labels)
    #expect(abs(loss / expected.losses[0] - 1) < 0.02)
    for (got, wanted) in zip(logits, expected.logits) { #expect(abs(got - wanted) < 0.03) }
    #expect(abs(session.gradientNorm() / expected.gradientNorm - 1) < 0.05)
  }

  /// Expects every tensor within `tolerance` of what is described: over all, and in samples.
  private func compare(
    _ tensors: [String: Tensor], _ expected: [String: TrainingStepCase.Described],
    tolerance: Double = 1e-3
  ) {
    #expect(Set(tensors.keys) == Set(expected.keys))
    // Some gradients are zero because large terms cancel (a shift that the next normalization
    // takes out again); what float32 leaves of them is measured by the others' size.
    let floor = 1e-6 * (expected.values.map(\.norm).max() ?? 0)
    for (name, wanted) in expected {
      guard let values = tensors[name]?.floats.map(Double.init) else { continue }
      let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let allowed = max(tolerance * wanted.norm, floor)
      #expect(abs(norm - wanted.norm) <= allowed, "norm of \(name)")
      for (i, product) in wanted.products.enumerated() {
        // A formula vector's elements have variance 1/3, so an error's product with it is about
        // its norm times the root of that.
        let vector = FormulaWeights.uniform("\(name).check\(i)", count: values.count)
        let got = zip(values, vector).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(abs(got - product) * 3.0.squareRoot() <= allowed, "\(name)")
      }
      let typical = allowed / Double(values.count).squareRoot()
      for (place, element) in wanted.elements {
        guard let i = Int(place) else { continue }
        #expect(
          abs(values[i] - element) <= max(tolerance * abs(element), typical), "\(name)[\(i)]")
      }
    }
  }
}

/// One forward and backward pass with the mean cross-entropy over two classes.
func trainingStep(
  _ session: TrainingSession, _ images: [Float], _ labels: [Int]
) throws -> (logits: [Float], loss: Double) {
  let logits = try images.withUnsafeBufferPointer { Array(try session.forward($0)) }
  let classes = session.outputShape[1]
  var loss = 0.0
  var gradients: [Float] = []
  for (row, label) in labels.enumerated() {
    let powers = logits[row * classes..<(row + 1) * classes].map { Foundation.exp(Double($0)) }
    let sum = powers.reduce(0, +)
    loss -= Foundation.log(powers[label] / sum) / Double(labels.count)
    gradients += powers.indices.map {
      Float((powers[$0] / sum - ($0 == label ? 1 : 0)) / Double(labels.count))
    }
  }
  try gradients.withUnsafeBufferPointer { try session.backward($0) }
  return (logits, loss)
}
