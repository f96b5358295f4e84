import Foundation
public import Graphs
public import Tensors

/// Runs graphs by loops that follow ONNX's definitions word for word, in `Double`.
///
/// For tests: slow, without fusion, layouts or threads. Results are rounded to `Float` after every
/// node, as a graph's tensors are `float32`. Whole numbers (quantized tensors) are kept exactly.
public struct ReferenceInterpreter {
  public var graph: Graph

  public init(_ graph: Graph) { self.graph = graph }

  /// Every tensor of the graph, constants included.
  public func run(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    let types = try graph.inferShapes(inputs: inputs.mapValues(\.shape))
    var tensors = graph.initializers.merging(inputs) { $1 }
    for node in graph.nodes {
      let operands = node.inputs.map { name in tensors[name].map(Array4.init) }
      let type = types[node.outputs[0]]!
      let result = compute(node, operands, type.shape)
      tensors[node.outputs[0]] = result.tensor(type.elementType)
    }
    return tensors
  }

  /// The tensor called `output`, or the graph's first output.
  public func run(_ inputs: [String: Tensor], output: String? = nil) throws -> Tensor {
    try run(inputs)[output ?? graph.outputs[0].name]!
  }

  private func compute(_ node: Node, _ operands: [Array4?], _ shape: [Int]) -> Array4 {
    let x = operands[0]!
    func operand(_ index: Int) -> Array4? {
      operands.indices.contains(index) ? operands[index] : nil
    }
    switch node.operation {
    case .convolution:
      return convolve(node, x, operands[1]!, operand(2), shape)
    case .batchNormalization:
      let (scale, shift, mean, variance) = (operands[1]!, operands[2]!, operands[3]!, operands[4]!)
      let epsilon = Double(node.float("epsilon", default: 1e-5))
      let inner = x.shape[2...].reduce(1, *)
      return Array4(shape) { i in
        let c = i / inner % x.shape[1]
        let spread = (variance.values[c] + epsilon).squareRoot()
        return (x.values[i] - mean.values[c]) / spread * scale.values[c] + shift.values[c]
      }
    case .relu:
      return Array4(shape) { max(0, x.values[$0]) }
    case .identity:
      return x
    case .add:
      let y = operands[1]!
      return Array4(shape) { x.broadcast($0, in: shape) + y.broadcast($0, in: shape) }
    case .maxPool:
      return pool(node, x, shape) { values, _ in values.max()! }
    case .averagePool:
      let padded = node.int("count_include_pad", default: 0) != 0
      return pool(node, x, shape) { values, area in
        values.reduce(0, +) / Double(padded ? area : values.count)
      }
    case .globalAveragePool:
      let area = x.shape[2] * x.shape[3]
      return Array4(shape) { i in
        (0..<area).reduce(0) { $0 + x.values[i * area + $1] } / Double(area)
      }
    case .flatten:
      return Array4(shape) { x.values[$0] }
    case .gemm:
      let (a, b) = (x, operands[1]!)
      let (turnedA, turnedB) = (node.int("transA", default: 0), node.int("transB", default: 0))
      let inner = a.shape[turnedA == 0 ? 1 : 0]
      return Array4(shape) { i in
        let (row, column) = (i / shape[1], i % shape[1])
        var sum = 0.0
        for k in 0..<inner {
          let left = turnedA == 0 ? row * inner + k : k * a.shape[1] + row
          let right = turnedB == 0 ? k * b.shape[1] + column : column * inner + k
          sum += a.values[left] * b.values[right]
        }
        let bias = operand(2)?.broadcast(i, in: shape) ?? 0
        return Double(node.float("alpha", default: 1)) * sum
          + Double(node.float("beta", default: 1)) * bias
      }
    case .softmax:
      let axis = x.axis(node.int("axis", default: -1))
      let inner = x.shape[(axis + 1)...].reduce(1, *)
      let extent = x.shape[axis]
      return Array4(shape) { i in
        let start = i / (inner * extent) * inner * extent + i % inner
        let line = (0..<extent).map { x.values[start + $0 * inner] }
        let top = line.max()!
        return exp(x.values[i] - top) / line.reduce(0) { $0 + exp($1 - top) }
      }
    case .quantizeLinear:
      let (scale, zero) = (operands[1]!, operand(2))
      let range = zero?.range ?? 0...255
      return Array4(shape) { i in
        let s = scale.parameter(i, of: x, node)
        // The division is in Float, as in ONNX Runtime, and rounds halves to even.
        let q = Double(Float(x.values[i]) / Float(s)).rounded(.toNearestOrEven)
        return min(
          max(q + (zero?.parameter(i, of: x, node) ?? 0), range.lowerBound), range.upperBound)
      }
    case .dequantizeLinear:
      let (scale, zero) = (operands[1]!, operand(2))
      return Array4(shape) { i in
        (x.values[i] - (zero?.parameter(i, of: x, node) ?? 0)) * scale.parameter(i, of: x, node)
      }
    case .cast, .reshape:
      return Array4(shape) { x.values[$0] }
    case .multiply:
      let y = operands[1]!
      return Array4(shape) { x.broadcast($0, in: shape) * y.broadcast($0, in: shape) }
    case .bitShift:
      let y = operands[1]!
      let isLeft = node.string("direction", default: "") == "LEFT"
      return Array4(shape) {
        let (a, b) = (Int(x.broadcast($0, in: shape)), Int(y.broadcast($0, in: shape)))
        return Double(isLeft ? (a << b) % 256 : a >> b)
      }
    case .bitwiseAnd:
      let y = operands[1]!
      return Array4(shape) {
        Double(Int(x.broadcast($0, in: shape)) & Int(y.broadcast($0, in: shape)))
      }
    case .bitwiseOr:
      let y = operands[1]!
      return Array4(shape) {
        Double(Int(x.broadcast($0, in: shape)) | Int(y.broadcast($0, in: shape)))
      }
    case .slice:
      let axis = operand(3).map { Int($0.values[0]) } ?? 0
      let begin = Int(operands[1]!.values[0])
      let inner = x.shape[(axis + 1)...].reduce(1, *)
      return Array4(shape) { i in
        let (outer, rest) = (i / (inner * shape[axis]), i % (inner * shape[axis]))
        return x.values[outer * inner * x.shape[axis] + begin * inner + rest]
      }
    case .leakyRelu:
      let slope = Double(node.float("alpha", default: 0.01))
      return Array4(shape) { x.values[$0] < 0 ? slope * x.values[$0] : x.values[$0] }
    case .clip:
      let (low, high) = (operand(1)?.values[0] ?? -.infinity, operand(2)?.values[0] ?? .infinity)
      return Array4(shape) { min(max(x.values[$0], low), high) }
    case .sigmoid:
      return Array4(shape) { 1 / (1 + exp(-x.values[$0])) }
    case .hardSigmoid:
      let (a, b) = (node.float("alpha", default: 0.2), node.float("beta", default: 0.5))
      return Array4(shape) { min(max(Double(a) * x.values[$0] + Double(b), 0), 1) }
    case .hardSwish:
      return Array4(shape) { x.values[$0] * min(max(x.values[$0] / 6 + 0.5, 0), 1) }
    case .logSoftmax:
      var softmax = node
      softmax.operation = .softmax
      let shares = compute(softmax, operands, shape)
      return Array4(shape) { log(shares.values[$0]) }
    case .concatenate:
      let axis = x.axis(node.int("axis", default: 1))
      let inner = shape[(axis + 1)...].reduce(1, *)
      return Array4(shape) { i in
        var place = i / inner % shape[axis]
        for part in operands.compactMap(\.self) {
          let extent = part.shape[axis]
          if place < extent {
            return part.values[
              (i / (inner * shape[axis]) * extent + place) * inner + i % inner]
          }
          place -= extent
        }
        return .nan
      }
    case .transpose:
      let order = node.ints("perm", default: Array(x.shape.indices.reversed()))
      return Array4(shape) { i in
        var (rest, place) = (i, Array(repeating: 0, count: shape.count))
        for axis in shape.indices.reversed() {
          place[order[axis]] = rest % shape[axis]
          rest /= shape[axis]
        }
        return x.values[zip(place, x.shape).reduce(0) { $0 * $1.1 + $1.0 }]
      }
    case .pad, .pRelu, .resize, .layerNormalization, .gelu, .matMul:
      return token(node, operands, shape)
    case .gather:
      return Array4(shape) { x.values[Int(operands[1]!.values[$0])] }
    case .gatherElements:
      let (entries, columns) = (x.shape.last!, shape.last!)
      return Array4(shape) { x.values[$0 / columns * entries + Int(operands[1]!.values[$0])] }
    case .cumulativeSum:
      return Array4(shape) { x.values[...$0].reduce(0, +) }
    }
  }

  private func convolve(
    _ node: Node, _ x: Array4, _ weights: Array4, _ bias: Array4?, _ shape: [Int]
  ) -> Array4 {
    let window = try! Window(node, kernel: Array(weights.shape[2...]))
    let group = node.int("group", default: 1)
    let (stepX, beginX, spreadX) = (window.strides[1], window.padsBegin[1], window.dilations[1])
    let (outputs, height, width) = (shape[1], shape[2], shape[3])
    let channels = weights.shape[1]
    let inputWidth = x.shape[3]
    var result = Array4(shape) { bias?.values[$0 / (height * width) % outputs] ?? 0 }
    // Pointers only to keep the billions of steps of a network to a few seconds.
    result.values.withUnsafeMutableBufferPointer { sums in
      x.values.withUnsafeBufferPointer { pixels in
        for (n, o, c) in indices(shape[0], outputs, channels) {
          let source = o / (outputs / group) * channels + c
          for (ky, kx) in window.offsets {
            let w = weights.values[
              ((o * channels + c) * window.kernel[0] + ky) * window.kernel[1] + kx]
            for y in 0..<height {
              let row = y * window.strides[0] + ky * window.dilations[0] - window.padsBegin[0]
              guard 0..<x.shape[2] ~= row else { continue }
              let from = ((n * x.shape[1] + source) * x.shape[2] + row) * x.shape[3]
              let to = ((n * outputs + o) * height + y) * width
              for column in 0..<width {
                let at = column * stepX + kx * spreadX - beginX
                if at >= 0 && at < inputWidth { sums[to + column] += w * pixels[from + at] }
              }
            }
          }
        }
      }
    }
    return result
  }

  private func pool(
    _ node: Node, _ x: Array4, _ shape: [Int], _ reduce: ([Double], Int) -> Double
  ) -> Array4 {
    let window = try! Window(node)
    return Array4(shape) { i in
      let (plane, y, column) = (i / (shape[2] * shape[3]), i / shape[3] % shape[2], i % shape[3])
      var inside: [Double] = []
      var area = 0
      for (ky, kx) in window.offsets {
        let row = y * window.strides[0] + ky * window.dilations[0] - window.padsBegin[0]
        let at = column * window.strides[1] + kx * window.dilations[1] - window.padsBegin[1]
        // What hangs over beyond the padding (rounding up) is not counted at all.
        if row < x.shape[2] + window.padsEnd[0] && at < x.shape[3] + window.padsEnd[1] { area += 1 }
        if 0..<x.shape[2] ~= row && 0..<x.shape[3] ~= at {
          inside.append(x.values[(plane * x.shape[2] + row) * x.shape[3] + at])
        }
      }
      return reduce(inside, area)
    }
  }
}

/// Every combination of three indices, the last one running fastest.
private func indices(_ a: Int, _ b: Int, _ c: Int) -> some Sequence<(Int, Int, Int)> {
  (0..<a * b * c).lazy.map { ($0 / (b * c), $0 / c % b, $0 % c) }
}

extension Window {
  /// Every position in the kernel, row by row.
  fileprivate var offsets: [(Int, Int)] {
    (0..<kernel[0]).flatMap { y in (0..<kernel[1]).map { (y, $0) } }
  }
}
