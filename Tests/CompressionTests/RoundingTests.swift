import Faces
import GraphReference
import Graphs
import Tensors
import Testing

@testable import Compression

/// Plain numbers for the tests of rounding.
struct RoundingCase {
  var weights: [Float]
  /// Second moments of inputs that go together, `[size, size]`.
  var moments: AlignedBuffer<Float>
  var size: Int

  init(outputs: Int, size: Int, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    self.size = size
    weights = (0..<outputs * size).map { _ in Float(random.normal() * 0.1) }
    let columns = 3 * size
    let mixing = (0..<size * size).map { _ in random.normal() }
    var x = [Double](repeating: 0, count: size * columns)
    for column in 0..<columns {
      let source = (0..<size).map { _ in random.normal() }
      for i in 0..<size {
        x[i * columns + column] =
          1 + (0..<size).reduce(0) { $0 + mixing[i * size + $1] * source[$1] }
      }
    }
    moments = AlignedBuffer(count: size * size)
    for i in 0..<size {
      for j in 0..<size {
        var sum = 0.0
        for c in 0..<columns { sum += x[i * columns + c] * x[j * columns + c] }
        moments.pointer[i * size + j] = Float(sum / Double(columns))
      }
    }
  }

  /// The mean squared error of an output channel.
  func error(_ stored: [Float], output: Int) -> Double {
    let d = (0..<size).map { Double(weights[output * size + $0] - stored[output * size + $0]) }
    var sum = 0.0
    for i in 0..<size {
      for j in 0..<size { sum += d[i] * d[j] * Double(moments.pointer[i * size + j]) }
    }
    return sum
  }
}

@Suite struct RoundingTests {
  @Test(arguments: [1, 7, 128, 129, 300, 700])
  func `a factor times its transpose is the matrix`(size: Int) throws {
    let numbers = RoundingCase(outputs: 1, size: min(size, 60), seed: 1)
    // Blocks of what is known to be positive definite, joined by small numbers.
    let matrix = AlignedBuffer<Float>(count: size * size)
    for i in 0..<size {
      for j in 0..<size {
        let k = numbers.size
        matrix.pointer[i * size + j] =
          i / k == j / k ? numbers.moments.pointer[i % k * k + j % k] : 0.001
      }
      matrix.pointer[i * size + i] += 1
    }
    let original = Array(matrix.buffer)
    #expect(try Cholesky(products: MatrixProducts()).factor(matrix, size: size))
    // The textbook's loops.
    var plain = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in 0...i {
        var sum = Double(original[i * size + j])
        for k in 0..<j { sum -= plain[i * size + k] * plain[j * size + k] }
        plain[i * size + j] = i == j ? sum.squareRoot() : sum / plain[j * size + j]
      }
    }
    let largest = plain.map { abs($0) }.max()!
    for i in 0..<size {
      for j in 0...i {
        let found = Double(matrix.pointer[i * size + j])
        #expect(abs(found - plain[i * size + j]) < 2e-5 * largest, "\(i) \(j)")
      }
    }
  }

  @Test func `a matrix that is not positive definite has no factor`() throws {
    for (size, at) in [(5, 3), (300, 290)] {
      let matrix = AlignedBuffer<Float>(count: size * size)
      for i in 0..<size { matrix.pointer[i * size + i] = i == at ? -1 : 1 }
      #expect(try !Cholesky(products: MatrixProducts()).factor(matrix, size: size))
    }
  }

  /// What the second moments say a change of weights does is what the plain loops give.
  @Test(arguments: [
    (3, 4, 1, 3, 1, 1, 1), (4, 6, 2, 3, 2, 1, 1), (4, 4, 4, 3, 1, 1, 1), (2, 3, 1, 2, 1, 0, 2),
    (5, 2, 1, 1, 2, 0, 1),
  ])
  func `moments give the error of a convolution`(
    inputs: Int, outputs: Int, groups: Int, kernel: Int, stride: Int, padding: Int, dilation: Int
  ) throws {
    var random = SplitMix64(seed: 4)
    func draw(_ shape: [Int]) -> Tensor {
      Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.normal()) })
    }
    let shape = [outputs, inputs / groups, kernel, kernel]
    let change = draw(shape)
    let node = Node(
      "conv", .convolution, inputs: ["x", "w"], outputs: ["y"],
      attributes: [
        "kernel_shape": .ints([kernel, kernel]), "strides": .ints([stride, stride]),
        "pads": .ints(Array(repeating: padding, count: 4)), "group": .int(groups),
        "dilations": .ints([dilation, dilation]),
      ])
    let graph = Graph(
      name: "one", inputs: [Value("x", shape: [nil, inputs, 7, 5])],
      outputs: [Value("y", shape: [nil, outputs, nil, nil])], nodes: [node],
      initializers: ["w": change])
    var found = try LayerInputs(of: node, weights: shape, products: MatrixProducts())
    var (sum, count) = (0.0, 0)
    for _ in 0..<2 {
      let x = draw([3, inputs, 7, 5])
      try found.add(x.floats, shape: x.shape)
      let y: Tensor = try ReferenceInterpreter(graph).run(["x": x])
      sum += y.floats.reduce(0) { $0 + Double($1) * Double($1) }
      count += y.count / outputs
    }
    found.finish()
    #expect(found.columns == count)
    var error = 0.0
    let perGroup = outputs / groups
    for output in 0..<outputs {
      let h = found.moments[output / perGroup].pointer
      for i in 0..<found.size {
        for j in 0..<found.size {
          error +=
            Double(change.floats[output * found.size + i] * h[i * found.size + j])
            * Double(change.floats[output * found.size + j])
        }
      }
    }
    #expect(abs(error * Double(count) / sum - 1) < 1e-5)
  }

  /// Optimal Brain Quantization as its paper has it, with a fixed order: the inverse is updated and
  /// all remaining weights move after every rounding.
  private func brainQuantization(
    _ problem: RoundingCase, _ grid: StorageGrid, kept: [Bool]?, outputs: Int, damping: Double
  ) -> [Float] {
    let n = problem.size
    let diagonal = (0..<n).map { Double(problem.moments.pointer[$0 * n + $0]) }
    let order = (0..<n).sorted { (diagonal[$0], $0) > (diagonal[$1], $1) }
    var result = problem.weights
    for output in 0..<outputs {
      var w = (0..<n).map { Double(problem.weights[output * n + $0]) }
      var h = (0..<n * n).map { Double(problem.moments.pointer[$0]) }
      for i in 0..<n { h[i * n + i] += damping * diagonal.reduce(0, +) / Double(n) }
      var inverse = Self.inverse(h, n)
      for q in order {
        var value = 0.0
        if kept?[output * n + q] ?? true {
          value = Double(grid.nearest(to: Float(w[q]), output: output).value)
        }
        result[output * n + q] = Float(value)
        let step = (w[q] - value) / inverse[q * n + q]
        for j in 0..<n { w[j] -= step * inverse[q * n + j] }
        let row = (0..<n).map { inverse[q * n + $0] }
        for i in 0..<n {
          for j in 0..<n { inverse[i * n + j] -= row[i] * row[j] / row[q] }
        }
        // What is rounded takes no more part.
        inverse[q * n + q] = 1
      }
    }
    return result
  }

  private static func inverse(_ matrix: [Double], _ n: Int) -> [Double] {
    var (a, b) = (matrix, (0..<n * n).map { $0 / n == $0 % n ? 1.0 : 0 })
    for i in 0..<n {
      let pivot = a[i * n + i]
      for j in 0..<n {
        a[i * n + j] /= pivot
        b[i * n + j] /= pivot
      }
      for k in 0..<n where k != i {
        let factor = a[k * n + i]
        for j in 0..<n {
          a[k * n + j] -= factor * a[i * n + j]
          b[k * n + j] -= factor * b[i * n + j]
        }
      }
    }
    return b
  }

  @Test(arguments: [(3, 4), (11, 8), (20, 12), (2, 1)])
  func `feedback rounds as optimal brain quantization does`(outputs: Int, size: Int) throws {
    for seed in 1...4 as ClosedRange<UInt64> {
      let problem = RoundingCase(outputs: outputs, size: size, seed: seed)
      let tensor = Tensor(shape: [outputs, size], problem.weights)
      let kept = problem.weights.map { abs($0) > 0.03 }
      let everything: [CodedWeights] = [
        UniformQuantization(bits: 3).code(tensor),
        UniformQuantization(bits: 2, isAffine: true).code(tensor),
        Clustering(ClusteringSettings(clusters: 5)).code(tensor),
        Clustering(ClusteringSettings(clusters: 4, hasChannelScales: true)).code(tensor),
        Clustering(ClusteringSettings(clusters: 4, codebook: .int8)).code(tensor),
        Clustering(ClusteringSettings(clusters: 3)).code(tensor, kept: kept),
      ]
      for (number, coded) in everything.enumerated() {
        let isAffine = number == 1
        let grid = StorageGrid(coded, isAffine: isAffine)
        let stored = coded.decoded.floats
        // Nearest to the real weights is what was stored.
        for i in stored.indices where coded.kept?[i] ?? true {
          let nearest = grid.nearest(to: problem.weights[i], output: i / size)
          #expect(nearest.value == stored[i] && nearest.code == coded.everyCode[i])
        }
        let channels = try ErrorFeedback(products: MatrixProducts()).round(
          problem.weights, stored: stored, kept: coded.kept, grid: grid, first: 0,
          moments: problem.moments, size: size)
        let wanted = brainQuantization(
          problem, grid, kept: coded.kept, outputs: outputs, damping: 0.01)
        var replaced = coded
        for (output, channel) in channels.enumerated() {
          let own = output * size..<(output + 1) * size
          let (before, after) = (
            problem.error(stored, output: output), problem.error(wanted, output: output)
          )
          #expect(abs(channel.errorBefore - before) < 1e-3 * before + 1e-9)
          #expect(channel.error <= channel.errorBefore)
          if after < 0.999 * before {
            #expect(channel.values == Array(wanted[own]), "\(number) \(output)")
            #expect(abs(channel.error - after) < 1e-3 * before + 1e-9)
          } else if after > 1.001 * before {
            #expect(channel.codes == nil && channel.values == Array(stored[own]))
          }
          // The codes say the same as the values.
          var codes = replaced.everyCode
          if let chosen = channel.codes { codes.replaceSubrange(own, with: chosen) }
          var values = replaced.decoded.floats
          values.replaceSubrange(own, with: channel.values)
          replaced.replace(codes: codes, values: values)
          #expect(Array(replaced.decoded.floats[own]) == channel.values)
        }
      }
    }
  }

  @Test func `feedback is far better than the nearest where inputs go together`() throws {
    let problem = RoundingCase(outputs: 40, size: 60, seed: 3)
    let coded = UniformQuantization(bits: 3).code(Tensor(shape: [40, 60], problem.weights))
    let channels = try ErrorFeedback(products: MatrixProducts()).round(
      problem.weights, stored: coded.decoded.floats, kept: nil,
      grid: StorageGrid(coded, isAffine: false), first: 0, moments: problem.moments, size: 60)
    let before = channels.reduce(0) { $0 + $1.errorBefore }
    #expect(channels.reduce(0) { $0 + $1.error } < 0.6 * before)
  }

  @Test func `gradients of learned rounding are those of its objective`() throws {
    let problem = RoundingCase(outputs: 2, size: 5, seed: 6)
    let coded = UniformQuantization(bits: 3).code(Tensor(shape: [2, 5], problem.weights))
    let grid = StorageGrid(coded, isAffine: false)
    let layer = AdaRoundLayer(
      problem.weights, grids: (0..<2).compactMap { grid.even(output: $0) },
      moments: problem.moments, size: 5, products: try MatrixProducts())
    layer.divide(by: [0.02, 0.05])
    var random = SplitMix64(seed: 8)
    let v = (0..<10).map { _ in Float(random.uniform(-1.8...1.8)) }
    for (regularization, exponent) in [(Float(0), Float(5)), (0.3, 3), (0.3, 12)] {
      let found = Array(
        try layer.gradients(v, regularization: regularization, exponent: exponent).buffer)
      for i in v.indices {
        func moved(_ by: Float) throws -> Double {
          var other = v
          other[i] += by
          return try layer.objective(other, regularization: regularization, exponent: exponent)
        }
        let step: Float = 0.01
        let wanted = try (moved(step) - moved(-step)) / Double(2 * step)
        #expect(abs(Double(found[i]) - wanted) < 0.01 * abs(wanted) + 0.01, "\(i): \(wanted)")
      }
    }
  }

  /// All ways to round up or down, tried one by one: what is left of the way to the best is a fifth
  /// of that from the nearest.
  @Test func `learned rounding comes near the best there is`() throws {
    let size = 11
    var (left, all) = (0.0, 0.0)
    for seed in 1...12 as ClosedRange<UInt64> {
      let problem = RoundingCase(outputs: 3, size: size, seed: seed)
      let coded = UniformQuantization(bits: 3).code(Tensor(shape: [3, size], problem.weights))
      let grid = StorageGrid(coded, isAffine: false)
      let grids = (0..<3).compactMap { grid.even(output: $0) }
      let stored = coded.decoded.floats
      let channels = try AdaRound(products: MatrixProducts()).round(
        problem.weights, stored: stored, grids: grids, moments: problem.moments, size: size)
      for (output, channel) in channels.enumerated() {
        let best = best(problem, grids[output], output: output)
        #expect(channel.error <= channel.errorBefore)
        #expect(channel.error >= best * 0.999)
        let real = problem.error(
          (0..<3).flatMap { $0 == output ? channel.values : Array(stored.prefix(size)) },
          output: output)
        #expect(abs(real - channel.error) < 1e-3 * channel.errorBefore)
        // The nearest is one of all ways, but for weights that are cut off.
        left += channel.error - best
        all += max(channel.errorBefore, best) - best
      }
    }
    #expect(left < 0.2 * all, "\(left / all)")
  }

  /// The smallest error of all ways to round an output channel up or down.
  private func best(_ problem: RoundingCase, _ grid: StorageGrid.Even, output: Int) -> Double {
    let size = problem.size
    var values = problem.weights
    var best = Double.infinity
    for choice in 0..<1 << size {
      for i in 0..<size {
        let k = output * size + i
        let floor = (problem.weights[k] / grid.scale).rounded(.down) + grid.zero
        let code = min(max(floor + Float(choice >> i & 1), grid.bottom), grid.top)
        values[k] = (code - grid.zero) * grid.scale
      }
      best = min(best, problem.error(values, output: output))
    }
    return best
  }
}
