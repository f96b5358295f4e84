import OneDNN
import Tensors

/// An output channel after its rounding was chosen anew.
struct RoundedChannel: Sendable {
  /// The code of every weight, zeros where there are none; `nil` where what was stored stays.
  var codes: [UInt8]?
  /// What is stored for every weight.
  var values: [Float]
  /// `d H dᵀ`, the mean squared error of what the channel gives.
  var error: Double
  /// The same for what was stored before.
  var errorBefore: Double
}

/// Rounds weights one after the other, each making up for what those before it got wrong.
///
/// With `d` the difference of an output channel's weights from the stored ones and `H` the second
/// moments of its inputs, the channel's mean squared error is `d H dᵀ`. With `H = L Lᵀ` it is the sum
/// over `j` of `(d_j L_jj + Σ_{i>j} d_i L_ij)²`: from the last weight to the first, the value nearest
/// to `w_j + Σ_{i>j} d_i L_ij / L_jj` makes each term as small as it can be. That is what OPTQ (GPTQ)
/// and Optimal Brain Quantization with a fixed order do, whose updates of all remaining weights by rows
/// of `H⁻¹` come to the same targets; it needs one Cholesky factor and no inverse. Weights whose inputs
/// are largest come first.
///
/// Source: E. Frantar and others, *OPTQ: Accurate Quantization for Generative Pre-trained
/// Transformers*, ICLR 2023, section 3 <https://arxiv.org/abs/2210.17323>; J. Chen and others, *The
/// Geometry of LLM Quantization: GPTQ as Babai's Nearest Plane Algorithm*, 2025, theorem 4.
struct ErrorFeedback {
  /// What is added to the diagonal of `H`, as a share of its mean.
  var damping: Float = 0.01
  let products: MatrixProducts

  typealias Lanes = SIMD8<Float>

  /// Rounds the output channels of one group.
  ///
  /// A channel whose error would not be smaller than that of `stored`, what it is stored as so far,
  /// keeps `stored`. Weights are `[outputs, size]`, `moments` is `H`; of a weight that is not in `kept`
  /// nothing is stored. `first` is the number of the first output channel in the grid.
  func round(
    _ weights: [Float], stored: [Float], kept: [Bool]?, grid: StorageGrid, first: Int,
    moments: AlignedBuffer<Float>, size: Int
  ) throws -> [RoundedChannel] {
    let factored = try factor(moments, size: size)
    let (l, order) = (factored.factor.pointer, factored.order)
    let outputs = weights.count / max(1, size)
    let pieces = Clustering.inParallel((outputs + 7) / 8) { piece -> [RoundedChannel] in
      let rows = Array(piece * 8..<min(outputs, piece * 8 + 8))
      var channels = rows.map { row in
        RoundedChannel(
          codes: [UInt8](repeating: 0, count: size),
          values: Array(stored[row * size..<(row + 1) * size]), error: 0, errorBefore: 0)
      }
      let before = Self.descend(l, size) { i, _ in
        var differences = Lanes.zero
        for (lane, row) in rows.enumerated() {
          let k = row * size + order[i]
          differences[lane] = weights[k] - stored[k]
        }
        return differences
      }
      var values = channels.map(\.values)
      let after = Self.descend(l, size) { i, feedback in
        var differences = Lanes.zero
        for (lane, row) in rows.enumerated() {
          let k = row * size + order[i]
          var chosen = (code: UInt8(0), value: Float(0))
          if kept?[k] ?? true {
            let target = weights[k] + feedback[lane] / l[i * size + i]
            chosen = grid.nearest(to: target, output: first + row)
          }
          channels[lane].codes?[order[i]] = chosen.code
          values[lane][order[i]] = chosen.value
          differences[lane] = weights[k] - chosen.value
        }
        return differences
      }
      for lane in rows.indices {
        func error(_ sums: Sums) -> Double {
          sums.errors[lane] - Double(factored.added) * sums.squares[lane]
        }
        channels[lane].errorBefore = error(before)
        channels[lane].error = min(error(before), error(after))
        if error(after) < error(before) {
          channels[lane].values = values[lane]
        } else {
          channels[lane].codes = nil
        }
      }
      return channels
    }
    return pieces.flatMap(\.self)
  }

  /// Of eight channels the damped errors and the squares of the differences alone.
  private typealias Sums = (errors: SIMD8<Double>, squares: SIMD8<Double>)

  /// Goes from the last weight to the first and adds up what the differences that `choose` gives cost.
  private static func descend(
    _ l: UnsafeMutablePointer<Float>, _ size: Int, _ choose: (Int, Lanes) -> Lanes
  ) -> Sums {
    var feedback = [Lanes](repeating: .zero, count: size)
    var (errors, squares) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
    feedback.withUnsafeMutableBufferPointer { feedback in
      for i in (0..<size).reversed() {
        let d = choose(i, feedback[i])
        let row = l + i * size
        let term = d * row[i] + feedback[i]
        errors += SIMD8<Double>(term) * SIMD8<Double>(term)
        squares += SIMD8<Double>(d) * SIMD8<Double>(d)
        for j in 0..<i { feedback[j] += d * row[j] }
      }
    }
    return (errors, squares)
  }

  /// The factor of `H` with its weights in order of rising inputs, and what was added to its diagonal.
  private func factor(
    _ moments: AlignedBuffer<Float>, size: Int
  ) throws -> (factor: AlignedBuffer<Float>, order: [Int], added: Float) {
    let h = moments.pointer
    let order = (0..<size).sorted { (h[$0 * size + $0], $0) < (h[$1 * size + $1], $1) }
    let mean = (0..<size).reduce(0.0) { $0 + Double(h[$1 * size + $1]) } / Double(max(1, size))
    let factored = AlignedBuffer<Float>(count: size * size)
    // Inputs that are always zero leave every rounding as good as any other.
    var added = mean > 0 ? damping * Float(mean) : 1
    while true {
      nonisolated(unsafe) let (l, h) = (factored.pointer, h)  // each row has one writer
      let diagonal = added
      Parallel.forEach(size, grain: 1) { rows in
        for i in rows {
          for j in 0...i { l[i * size + j] = h[order[i] * size + order[j]] }
          l[i * size + i] += diagonal
        }
      }
      if try Cholesky(products: products).factor(factored, size: size) {
        return (factored, order, added)
      }
      guard added < 1e3 * Float(max(mean, 1e-3)) else {
        throw CompressionError("rounding", "the inputs of a layer are not finite numbers")
      }
      added *= 10
    }
  }
}
