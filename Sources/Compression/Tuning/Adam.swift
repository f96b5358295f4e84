/// The state of Adam for a list of numbers.
///
/// Source: D. Kingma, J. Ba, *Adam*, ICLR 2015, algorithm 1.
struct Adam: Sendable {
  private var means: [Float]
  private var squares: [Float]
  private static let keep: Float = 0.9
  private static let keepSquare: Float = 0.999

  /// The state for so many numbers, before the first step.
  init(count: Int) {
    means = [Float](repeating: 0, count: count)
    squares = means
  }

  /// Moves `values` against `gradients`, by `rate` at most about; `number` counts steps from 1.
  mutating func step(_ values: inout [Float], _ gradients: [Float], rate: Float, number: Int) {
    gradients.withUnsafeBufferPointer { step(&values, $0, rate: rate, number: number) }
  }

  /// The same with gradients that lie elsewhere.
  mutating func step(
    _ values: inout [Float], _ gradients: UnsafeBufferPointer<Float>, rate: Float, number: Int
  ) {
    precondition(values.count == means.count && gradients.count == means.count)
    let (keep, keepSquare) = (Self.keep, Self.keepSquare)
    let step = rate / (1 - power(keep, number))
    let inverse = 1 / (1 - power(keepSquare, number))
    values.withUnsafeMutableBufferPointer { values in
      means.withUnsafeMutableBufferPointer { means in
        squares.withUnsafeMutableBufferPointer { squares in
          for i in values.indices {
            let gradient = gradients[i]
            means[i] = keep * means[i] + (1 - keep) * gradient
            squares[i] = keepSquare * squares[i] + (1 - keepSquare) * gradient * gradient
            values[i] -= step * means[i] / ((squares[i] * inverse).squareRoot() + 1e-12)
          }
        }
      }
    }
  }

  private func power(_ base: Float, _ exponent: Int) -> Float {
    var (result, square, left) = (1.0, Double(base), exponent)
    while left > 0 {
      if left & 1 == 1 { result *= square }
      square *= square
      left >>= 1
    }
    return Float(result)
  }
}
