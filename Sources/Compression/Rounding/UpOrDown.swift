import Foundation
import OneDNN

/// Weights that go up or down to a point of their even grid, as a number `V` behind each says.
///
/// A weight is stored as `s (clip(⌊w / s⌋ + h(V)) - z)`; `h` is a sigmoid stretched beyond 0 and 1 and cut
/// off there, so that a weight can be decided for good.
///
/// Source: M. Nagel and others, *Up or Down? Adaptive Rounding for Post-Training Quantization*, ICML
/// 2020, equations 22 to 24.
struct UpOrDown: Sendable {
  let weights: [Float]
  /// One grid for each output channel.
  let grids: [StorageGrid.Even]
  /// The number of weights of an output channel.
  let size: Int
  /// The code of every weight rounded down, before it is kept within the grid.
  private let floors: [Float]

  /// How far the sigmoid is stretched below 0 and above 1.
  static let stretch: (low: Float, high: Float) = (-0.1, 1.1)

  init(_ weights: [Float], grids: [StorageGrid.Even], size: Int) {
    (self.weights, self.grids, self.size) = (weights, grids, size)
    floors = weights.indices.map { i in
      (weights[i] / grids[i / size].scale).rounded(.down) + grids[i / size].zero
    }
  }

  /// `V` for which every weight is stored as it is: `h` is the part behind the point of `w / s`.
  var start: [Float] {
    weights.indices.map { i in
      let steps = weights[i] / grids[i / size].scale
      let part = min(max(steps - steps.rounded(.down), 0.01), 0.99)
      let (low, high) = Self.stretch
      return -log((high - low) / (part - low) - 1)
    }
  }

  /// Whether each weight goes up, by `V`: codes, and what they stand for.
  func rounded(_ v: [Float]) -> (codes: [UInt8], values: [Float]) {
    let codes = v.indices.map { i -> Float in
      let grid = grids[i / size]
      let up: Float = Self.share(v[i]) >= 0.5 ? 1 : 0
      return min(max(floors[i] + up, grid.bottom), grid.top)
    }
    return (
      codes.map { UInt8($0) },
      codes.indices.map { (codes[$0] - grids[$0 / size].zero) * grids[$0 / size].scale }
    )
  }

  /// The weights as `V` has them while it is not decided.
  func soft(_ v: [Float]) -> [Float] {
    [Float](unsafeUninitializedCapacity: v.count) { values, count in
      count = v.count
      nonisolated(unsafe) let values = values
      forEachWeight(v) { grid, _, i, v, floor in
        let code = min(max(floor + Self.share(v), grid.bottom), grid.top)
        values[i] = (code - grid.zero) * grid.scale
      }
    }
  }

  /// Turns gradients on the soft weights into those on `V`, in place, and adds what undecided weights
  /// cost: `λ Σ (1 - |2 h - 1|^β)`.
  ///
  /// - Parameters:
  ///   - gradients: On ``soft(_:)``, to become those on `V`.
  ///   - v: Where.
  ///   - factors: What the gradients of every output channel are multiplied with.
  ///   - regularization: `λ`.
  ///   - exponent: `β`.
  func pull(
    _ gradients: UnsafeMutablePointer<Float>, back v: [Float], factors: [Float],
    regularization: Float, exponent: Float
  ) {
    nonisolated(unsafe) let g = gradients
    let (low, high) = Self.stretch
    forEachWeight(v) { grid, output, i, v, floor in
      let sigmoid = 1 / (1 + exp(-v))
      let share = sigmoid * (high - low) + low
      guard share > 0, share < 1 else {
        g[i] = 0
        return
      }
      let code = floor + share
      var gradient =
        code >= grid.bottom && code <= grid.top ? grid.scale * factors[output] * g[i] : 0
      if regularization > 0 {
        let off = 2 * share - 1
        let slope = 2 * exponent * pow(abs(off), exponent - 1)
        gradient -= regularization * (off < 0 ? -slope : slope)
      }
      g[i] = gradient * (high - low) * sigmoid * (1 - sigmoid)
    }
  }

  /// Calls `body` for every weight, channels side by side on all cores.
  @inline(__always)
  private func forEachWeight(
    _ v: [Float],
    _ body:
      @Sendable (
        _ grid: StorageGrid.Even, _ output: Int, _ place: Int, _ v: Float, _ floor: Float
      ) -> Void
  ) {
    v.withUnsafeBufferPointer { v in
      floors.withUnsafeBufferPointer { floors in
        nonisolated(unsafe) let (v, floors) = (v, floors)
        Parallel.forEach(grids.count, grain: 1) { outputs in
          for output in outputs {
            let grid = grids[output]
            for i in output * size..<(output + 1) * size { body(grid, output, i, v[i], floors[i]) }
          }
        }
      }
    }
  }

  /// `h(V)`.
  @inline(__always)
  static func share(_ v: Float) -> Float {
    let (low, high) = stretch
    return min(max((high - low) / (1 + exp(-v)) + low, 0), 1)
  }
}
