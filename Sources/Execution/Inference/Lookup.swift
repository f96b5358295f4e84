import Foundation
import OneDNN
import Tensors

/// A function of one whole number of eight bits that gives another, by a table.
///
/// Everything on the way, rounding included, is in the table, so nothing is lost by not computing it.
struct Lookup {
  /// The result for each byte; a signed byte counts by its bits.
  var table: [UInt8]
  var count: Int
  var source: UnsafeRawPointer
  var destination: UnsafeMutableRawPointer

  func run() {
    let from = source.assumingMemoryBound(to: UInt8.self)
    let to = destination.assumingMemoryBound(to: UInt8.self)
    table.withUnsafeBufferPointer { table in
      guard let table = table.baseAddress else { return }
      Parallel.forEach(count, grain: 4096) { range in
        for i in range { to[i] = table[Int(from[i])] }
      }
    }
  }
}

extension Affine {
  /// The reals that the bytes 0 to 255 stand for.
  var reals: [Float] {
    (0..<256).map { byte in
      let whole = elementType == .int8 ? Int(Int8(truncatingIfNeeded: byte)) : byte
      return Float(whole - zeroPoint) * scale
    }
  }

  /// The whole number nearest to `real / scale`, ties to even, plus the zero point, within range.
  func whole(_ real: Float) -> Int {
    let steps = (real / scale).rounded(.toNearestOrEven)
    // Not a number becomes the zero point.
    guard !steps.isNaN else { return zeroPoint }
    let (low, high) = (Float(range.lowerBound - zeroPoint), Float(range.upperBound - zeroPoint))
    return Int(min(max(steps, low), high)) + zeroPoint
  }
}

extension Function {
  /// The function's value.
  func value(at x: Float) -> Float {
    let (x, alpha, beta) = (Double(x), Double(alpha), Double(beta))
    func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    let y: Double? =
      switch kind {
      case .relu: x > 0 ? x : alpha * x
      case .logistic: logistic(x)
      case .swish: x * logistic(alpha * x)
      case .hardSigmoid: min(max(alpha * x + beta, 0), 1)
      case .hardSwish: x * min(max(alpha * x + beta, 0), 1)
      case .clip: min(max(x, alpha), beta)
      case .gelu: x * (1 + erf(x / 2.0.squareRoot())) / 2
      case .geluTanh:
        x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))) / 2
      default: nil
      }
    guard let y else { preconditionFailure("no node is \(kind)") }
    return Float(y)
  }
}
