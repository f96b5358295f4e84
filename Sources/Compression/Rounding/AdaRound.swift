import Foundation
import OneDNN
import Tensors

/// Learns for every weight whether it is rounded up or down.
///
/// The stored weights are `s (clip(⌊w / s⌋ + h(V)) - z)` with `h(V)` a sigmoid stretched beyond 0 and 1
/// and cut off there. `V` goes down the gradient of `d H dᵀ + λ Σ (1 - |2 h - 1|^β)`, `d` the difference
/// of an output channel's weights from the stored ones and `H` the second moments of its inputs; the
/// second term, with `β` falling, drives `h` to 0 or 1. In the end `h` is rounded.
///
/// For a layer by itself, without the activation behind it, the first term is the exact mean squared
/// error over all images and positions, so that no image is looked at again and gradients have no noise:
/// some hundred steps do what thousands of batches do in the original. Each channel's error is divided
/// by that of what was stored before, for each weight, so that one `λ` serves all.
///
/// Source: M. Nagel and others, *Up or Down? Adaptive Rounding for Post-Training Quantization*, ICML
/// 2020, equations 21 to 24 <https://arxiv.org/abs/2004.10568>.
struct AdaRound {
  /// The number of steps.
  var steps = 300
  /// The step size of Adam.
  var rate: Float = 0.05
  /// How much undecided weights cost.
  var regularization: Float = 3
  /// The share of the steps before undecided weights cost anything.
  var warmUp = 0.2
  /// The exponent at the end of the warm-up, and at the end.
  var exponents: (first: Float, last: Float) = (20, 2)
  let products: MatrixProducts

  /// Rounds the output channels of one group.
  ///
  /// A channel whose error would not be smaller than that of `stored`, what it is stored as so far,
  /// keeps `stored`. Weights are `[outputs, size]`, `grids` has one for each output channel, and
  /// `moments` is `H`.
  func round(
    _ weights: [Float], stored: [Float], grids: [StorageGrid.Even],
    moments: AlignedBuffer<Float>, size: Int
  ) throws -> [RoundedChannel] {
    let layer = AdaRoundLayer(
      weights, grids: grids, moments: moments, size: size, products: products)
    let before = try layer.errors(of: stored)
    layer.divide(by: before.map { $0 / Double(max(1, size)) })
    var v = layer.choice.start
    var adam = Adam(count: weights.count)
    let quiet = Int(Double(steps) * warmUp)
    for step in 0..<steps {
      let progress = Float(step - quiet) / Float(max(1, steps - quiet))
      let exponent = exponents.last + (exponents.first - exponents.last) * max(0, 1 - progress)
      let gradients = try layer.gradients(
        v, regularization: step < quiet ? 0 : regularization, exponent: exponent)
      adam.step(
        &v, UnsafeBufferPointer(start: gradients.pointer, count: v.count), rate: rate,
        number: step + 1)
    }
    let (codes, values) = layer.choice.rounded(v)
    let after = try layer.errors(of: values)
    return grids.indices.map { output in
      let own = output * size..<(output + 1) * size
      let isBetter = after[output] < before[output]
      return RoundedChannel(
        codes: isBetter ? Array(codes[own]) : nil,
        values: Array((isBetter ? values : stored)[own]),
        error: min(after[output], before[output]), errorBefore: before[output])
    }
  }
}

/// The objective of one layer's rounding.
final class AdaRoundLayer {
  /// What `V` means.
  let choice: UpOrDown
  private let moments: AlignedBuffer<Float>
  private let products: MatrixProducts
  /// What every channel's error is multiplied with.
  private var factors: [Float]
  private let differences: AlignedBuffer<Float>
  private let product: AlignedBuffer<Float>

  init(
    _ weights: [Float], grids: [StorageGrid.Even], moments: AlignedBuffer<Float>, size: Int,
    products: MatrixProducts
  ) {
    choice = UpOrDown(weights, grids: grids, size: size)
    (self.moments, self.products) = (moments, products)
    factors = grids.map { _ in 1 }
    differences = AlignedBuffer(count: weights.count)
    product = AlignedBuffer(count: weights.count)
  }

  /// Makes `errors` the unit of every channel's error.
  func divide(by errors: [Double]) { factors = errors.map { $0 > 0 ? Float(1 / $0) : 1 } }

  /// `d H dᵀ` of every channel for the given stored weights.
  func errors(of values: [Float]) throws -> [Double] {
    let size = choice.size
    for i in values.indices { differences.pointer[i] = choice.weights[i] - values[i] }
    try multiply()
    return choice.grids.indices.map { output in
      (output * size..<(output + 1) * size).reduce(0) {
        $0 + Double(differences.pointer[$1]) * Double(product.pointer[$1])
      }
    }
  }

  /// The objective at `V`, all channels together.
  func objective(_ v: [Float], regularization: Float, exponent: Float) throws -> Double {
    let undecided = v.reduce(0.0) {
      $0 + 1 - Double(pow(abs(2 * UpOrDown.share($1) - 1), exponent))
    }
    return zip(try errors(of: choice.soft(v)), factors).reduce(
      Double(regularization) * undecided
    ) { $0 + $1.0 * Double($1.1) }
  }

  /// The gradient of ``objective(_:regularization:exponent:)``; valid until the next call.
  func gradients(
    _ v: [Float], regularization: Float, exponent: Float
  ) throws -> AlignedBuffer<Float> {
    let soft = choice.soft(v)
    for i in soft.indices { differences.pointer[i] = choice.weights[i] - soft[i] }
    try multiply()
    choice.pull(
      product.pointer, back: v, factors: factors.map { -2 * $0 }, regularization: regularization,
      exponent: exponent)
    return product
  }

  /// Differences times `H`.
  private func multiply() throws {
    let size = choice.size
    try products.multiply(
      [choice.grids.count, size, size], .rows(differences.pointer, stride: size),
      .rows(moments.pointer, stride: size), into: .rows(product.pointer, stride: size))
  }
}
