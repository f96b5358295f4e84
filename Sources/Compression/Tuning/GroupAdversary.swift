import Foundation
import Training

/// A small model that guesses a row's group from its decision and label, for the student to mislead.
///
/// With the margin `m` of class 1 and the label `y` it scores each group by `s w0 + s y w1 + s (1 - y) w2 + b`,
/// where `s = σ((1 + |c|) m)`, and learns by the cross-entropy of its guess while the student learns to make
/// that large. If rows of one label look alike whatever their group, nothing can be guessed, and the groups'
/// rates of that label are the same (equalized odds).
///
/// Pruning against an adversary is what Zhang and others (*Towards Fairness-aware Adversarial Network
/// Pruning*, ICCV 2023) propose. How theirs is built could not be read: this adversary is that of adversarial
/// debiasing, without the projection of its equation 1, and a mask follows the weights that it pushes.
///
/// Source: B. Zhang, B. Lemoine, M. Mitchell, *Mitigating Unwanted Biases with Adversarial Learning*,
/// AIES 2018, sections 3 and 4 <https://arxiv.org/abs/1801.07593>.
struct GroupAdversary: Sendable {
  /// The number of groups.
  let groups: Int
  /// Three weights and a bias for each group, then `c`.
  var parameters: [Float]
  private var adam: Adam
  private var steps = 0
  /// The largest step of a parameter.
  private static let rate: Float = 0.01

  /// One that knows nothing yet.
  init(groups: Int) {
    self.groups = groups
    parameters = [Float](repeating: 0, count: 4 * groups + 1)
    adam = Adam(count: parameters.count)
  }

  /// What the adversary's guess of a batch costs it, and what that depends on.
  struct Guess {
    /// The mean cross-entropy, in nats.
    var loss: Double
    /// Its gradient on every row's margin.
    var margins: [Float]
    /// Its gradient on the adversary's parameters.
    var parameters: [Float]
  }

  /// Guesses the groups of a batch of two classes.
  func guess(_ batch: LabelledLogits) -> Guess {
    let share = 1 / Double(batch.count)
    let sharpness = Double(parameters[4 * groups])
    var loss = 0.0
    var margins = [Float](repeating: 0, count: batch.count)
    var slopes = [Double](repeating: 0, count: parameters.count)
    for row in 0..<batch.count {
      let margin = Double(batch.logits[2 * row + 1] - batch.logits[2 * row])
      let soft = 1 / (1 + exp(-(1 + abs(sharpness)) * margin))
      let own = batch.labels[row] == 1 ? 1 : 2
      let scores = (0..<groups).map { group in
        soft * Double(parameters[4 * group] + parameters[4 * group + own])
          + Double(parameters[4 * group + 3])
      }
      let top = scores.max() ?? 0
      let powers = scores.map { exp($0 - top) }
      let sum = powers.reduce(0, +)
      let known = Int(batch.groups[row])
      loss += share * (log(sum) + top - scores[known])
      var onSoft = 0.0
      for group in 0..<groups {
        let wrong = share * (powers[group] / sum - (group == known ? 1 : 0))
        slopes[4 * group] += wrong * soft
        slopes[4 * group + own] += wrong * soft
        slopes[4 * group + 3] += wrong
        onSoft += wrong * Double(parameters[4 * group] + parameters[4 * group + own])
      }
      let onProduct = onSoft * soft * (1 - soft)
      margins[row] = Float(onProduct * (1 + abs(sharpness)))
      slopes[4 * groups] += onProduct * margin * (sharpness < 0 ? -1 : 1)
    }
    return Guess(loss: loss, margins: margins, parameters: slopes.map { Float($0) })
  }

  /// Turns the student's gradients on a batch's logits against the adversary, and learns from the batch.
  ///
  /// - Parameters:
  ///   - batch: The student's logits of two classes.
  ///   - gradients: Those of the student's objective on the logits; `weight` times what would make the guess
  ///     better is taken from them.
  ///   - weight: How much misleading counts.
  /// - Returns: What the guess costs the adversary, in nats.
  mutating func oppose(
    _ batch: LabelledLogits, _ gradients: inout [Float], weight: Double
  ) -> Double {
    let guess = guess(batch)
    for row in 0..<batch.count {
      let slope = Float(weight) * guess.margins[row]
      gradients[2 * row + 1] -= slope
      gradients[2 * row] += slope
    }
    steps += 1
    adam.step(&parameters, guess.parameters, rate: Self.rate, number: steps)
    return guess.loss
  }

  /// What a guess costs that only knows a row's label, in nats: the entropy of groups given labels, from the
  /// number of rows by group and then by label.
  static func blind(_ counts: [[Int]]) -> Double {
    let labels = counts.first?.indices ?? 0..<0
    let all = Double(max(1, counts.reduce(0) { $0 + $1.reduce(0, +) }))
    return labels.reduce(0) { sum, label in
      let own = counts.map { Double($0[label]) }
      let rows = own.reduce(0, +)
      return own.filter { $0 > 0 }.reduce(sum) { $0 - $1 / all * log($1 / rows) }
    }
  }
}
