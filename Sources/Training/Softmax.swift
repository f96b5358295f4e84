import Foundation

/// Class probabilities from logits.
public enum Softmax {
  /// The logarithm of the softmax of one row of logits, in nats.
  ///
  /// The largest logit is taken off first, so that no exponential overflows.
  public static func logarithms(of logits: some Collection<Float>) -> [Double] {
    let largest = Double(logits.max() ?? 0)
    let shifted = logits.map { Double($0) - largest }
    let logarithm = Foundation.log(shifted.reduce(0) { $0 + Foundation.exp($1) })
    return shifted.map { $0 - logarithm }
  }

  /// The probability of class 1 of two, from its two logits.
  ///
  /// The softmax over two classes is the logistic function of the logits' difference.
  public static func positive(_ negativeLogit: Float, _ positiveLogit: Float) -> Double {
    1 / (1 + Foundation.exp(Double(negativeLogit) - Double(positiveLogit)))
  }

  static func exponential(_ x: Double) -> Double { Foundation.exp(x) }
}
