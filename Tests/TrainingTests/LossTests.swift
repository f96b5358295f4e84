import Foundation
import Tensors
import TestSupport
import Testing
import Training

/// One case of `Golden/cross-entropy.json`, written by `Scripts/golden/training.py` with PyTorch.
struct CrossEntropyCase: Decodable, Sendable, CustomTestStringConvertible {
  var classes: Int
  var labelSmoothing: Double
  var logits: [Float]
  var labels: [Int32]
  var losses: [Double]
  var mean: Double
  var gradients: [Double]

  var testDescription: String { "\(classes) classes, smoothing \(labelSmoothing)" }
  var batch: LabelledLogits {
    LabelledLogits(
      logits: logits, classes: classes, labels: labels, groups: labels.map { _ in 0 })
  }
}

@Suite struct LossTests {
  @Test(arguments: try golden([CrossEntropyCase].self, "cross-entropy", in: .module))
  func `losses and gradients are PyTorch's`(expected: CrossEntropyCase) {
    let losses = CrossEntropy(labelSmoothing: expected.labelSmoothing).losses(expected.batch)
    for (found, wanted) in zip(losses, expected.losses) {
      #expect(abs(found - wanted) <= 1e-12 * max(1, abs(wanted)))
    }
    var objective = EmpiricalRisk(labelSmoothing: expected.labelSmoothing)
    let (value, gradients) = objective.evaluate(expected.batch)
    #expect(abs(value - expected.mean) <= 1e-12 * max(1, expected.mean))
    #expect(gradients.count == expected.gradients.count)
    for (found, wanted) in zip(gradients, expected.gradients) {
      #expect(abs(Double(found) - wanted) <= 1e-7 * max(abs(wanted), 1e-3))
    }
  }

  /// Property: the gradient of any weighted sum is what finite differences say.
  @Test(arguments: 0..<20 as Range<UInt64>)
  func `weighted gradients agree with finite differences`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let classes = 2 + random.below(4)
    let rows = 1 + random.below(5)
    let batch = LabelledLogits(
      logits: (0..<rows * classes).map { _ in Float(random.normal() * 2) }, classes: classes,
      labels: (0..<rows).map { _ in Int32(random.below(classes)) }, groups: Array(0..<Int32(rows)))
    let loss = CrossEntropy(labelSmoothing: random.uniform(0...0.5))
    let weights = (0..<rows).map { _ in random.uniform(-1...1) }
    let gradients = loss.gradients(batch, weights: weights)
    func total(_ batch: LabelledLogits) -> Double {
      zip(loss.losses(batch), weights).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for i in batch.logits.indices {
      var up = batch
      var down = batch
      up.logits[i] += 0x1p-9
      down.logits[i] -= 0x1p-9
      let width = Double(up.logits[i]) - Double(down.logits[i])
      #expect(abs((total(up) - total(down)) / width - Double(gradients[i])) < 1e-5)
    }
  }

  @Test func `the two-class probability is the softmax's`() {
    var random = SplitMix64(seed: 3)
    for _ in 0..<200 {
      let (a, b) = (Float(random.normal() * 20), Float(random.normal() * 20))
      let expected = Foundation.exp(Softmax.logarithms(of: [a, b])[1])
      #expect(abs(Softmax.positive(a, b) - expected) <= 1e-12 * max(expected, 1e-30))
    }
    #expect(Softmax.positive(0, 0) == 0.5)
    #expect(Softmax.positive(1e4, -1e4) == 0)
    #expect(Softmax.positive(-1e4, 1e4) == 1)
  }

  @Test func `a label beyond the classes is refused`() async {
    await #expect(processExitsWith: .failure) {
      _ = LabelledLogits(logits: [0, 0], classes: 2, labels: [2], groups: [0])
    }
  }
}
