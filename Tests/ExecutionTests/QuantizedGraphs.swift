import GraphReference
import Graphs
import Tensors

/// Inserts QuantizeLinear, DequantizeLinear pairs, for tests.
struct Quantizer {
  var graph: Graph
  /// Every tensor of the graph on the calibration input.
  private let tensors: [String: Tensor]

  init(_ graph: Graph, calibration: Tensor) throws {
    self.graph = graph
    tensors = try ReferenceInterpreter(graph).run([graph.inputs[0].name: calibration])
  }

  /// Quantizes the activation `name` for everything that reads it.
  ///
  /// - Parameters:
  ///   - name: The tensor.
  ///   - isSigned: int8 around zero, instead of uint8 with a zero point.
  /// - Returns: The names of the whole numbers and of the reals they stand for.
  @discardableResult
  mutating func quantize(
    _ name: String, isSigned: Bool = false
  ) -> (whole: String, real: String) {
    let values = tensors[name]?.floats ?? []
    let low = min(values.min() ?? 0, 0)
    let high = max(values.max() ?? 0, 1e-3)
    // A tenth is clipped off, so that saturation is tested too.
    let range = 0.9 * (isSigned ? 2 * max(high, -low) : high - low)
    let scale = range / 255
    let zeroPoint = isSigned ? 0 : max(0, min(255, (-0.9 * low / scale).rounded()))
    graph.initializers["\(name).scale"] = Tensor(scalar: scale)
    graph.initializers["\(name).zero"] =
      isSigned ? Tensor(scalar: Int8(0)) : Tensor(scalar: UInt8(zeroPoint))
    return pair(name, "\(name).scale", "\(name).zero")
  }

  /// Quantizes `name` with the scale and zero point of `other`, as poolings leave them.
  mutating func quantize(_ name: String, like other: String) {
    pair(name, "\(other).scale", "\(other).zero")
  }

  @discardableResult
  private mutating func pair(
    _ name: String, _ scale: String, _ zero: String
  ) -> (whole: String, real: String) {
    let (whole, real) = ("\(name).whole", "\(name).real")
    for i in graph.nodes.indices {
      for j in graph.nodes[i].inputs.indices where graph.nodes[i].inputs[j] == name {
        graph.nodes[i].inputs[j] = real
      }
    }
    let place = 1 + (graph.nodes.firstIndex { $0.outputs.contains(name) } ?? -1)
    graph.nodes.insert(
      contentsOf: [
        Node("\(name).q", .quantizeLinear, inputs: [name, scale, zero], outputs: [whole]),
        Node("\(name).dq", .dequantizeLinear, inputs: [whole, scale, zero], outputs: [real]),
      ], at: place)
    return (whole, real)
  }

  /// Quantizes the weights of the node that makes `name`, and now and then its bias.
  mutating func quantizeWeights(of name: String, using random: inout SplitMix64) {
    guard let index = graph.nodes.firstIndex(where: { $0.outputs.contains(name) }) else { return }
    let node = graph.nodes[index]
    let weights = node.inputs[1]
    guard let tensor = graph.initializers[weights] else { return }
    let isColumns = node.operation == .gemm && node.int("transB", default: 0) == 0
    let axis = isColumns ? 1 : 0
    let inner = tensor.shape[(axis + 1)...].reduce(1, *)
    let outputs = tensor.shape[axis]
    let perChannel = random.below(4) > 0
    var largest = Array(repeating: Float(1e-3), count: perChannel ? outputs : 1)
    func channel(_ i: Int) -> Int { perChannel ? i / inner % outputs : 0 }
    for (i, value) in tensor.floats.enumerated() {
      largest[channel(i)] = max(largest[channel(i)], abs(value))
    }
    let scales = largest.map { $0 / 127 }
    let wholes = tensor.floats.enumerated().map { ($1 / scales[channel($0)]).rounded() }
    let isUnsigned = random.below(4) == 0
    let zeros = scales.map { _ in isUnsigned ? 128 : 0 }
    let shape = perChannel ? [outputs] : []
    graph.initializers["\(weights).scale"] = Tensor(shape: shape, scales)
    if isUnsigned {
      graph.initializers["\(weights).whole"] = Tensor(
        shape: tensor.shape, wholes.map { UInt8($0 + 128) })
      graph.initializers["\(weights).zero"] = Tensor(shape: shape, zeros.map { UInt8($0) })
    } else {
      graph.initializers["\(weights).whole"] = Tensor(
        shape: tensor.shape, wholes.map { Int8($0) })
      graph.initializers["\(weights).zero"] = Tensor(shape: shape, zeros.map { Int8($0) })
    }
    graph.initializers[weights] = nil
    graph.nodes.insert(
      Node(
        "\(weights).dq", .dequantizeLinear,
        inputs: ["\(weights).whole", "\(weights).scale", "\(weights).zero"], outputs: [weights],
        attributes: ["axis": .int(axis)]), at: 0)
  }
}

/// A small residual network of floats, and which of its tensors may be quantized.
struct SmallNetwork {
  var graph: Graph
  var input: Tensor
  /// Results of convolutions and products.
  var products: [String] = []
  /// Tensors behind a ReLU.
  var activations: [String] = []
  /// Results of convolutions that go into a sum.
  var terms: [String] = []
  var pooled = ""
  var beforePool = ""
  var mean = ""
  var flat = ""
  var logits = ""
  var normalized: [String] = []

  init(seed: UInt64, normalizes: Bool = false) throws {
    var random = SplitMix64(seed: seed)
    let side = 17 + random.below(16)
    let shape = [1 + random.below(3), 3, side, side + random.below(4)]
    var builder = GraphBuilder(input: shape)
    let window: [String: Attribute] = ["pads": .ints([1, 1, 1, 1])]
    let halving = window.merging(["strides": .ints([2, 2])]) { $1 }
    var (widths, products, normalized) = ([8 + random.below(3) * 12], [String](), [String]())
    func convolve(
      _ x: String, _ from: Int, _ to: Int, _ kernel: Int, _ attributes: [String: Attribute]
    ) -> String {
      var x = builder.convolution(
        x, from: from, to: to, kernel: [kernel, kernel], attributes, using: &random)
      products.append(x)
      if normalizes {
        x = builder.normalization(x, to, using: &random)
        normalized.append(x)
      }
      return x
    }
    var x = convolve(
      "input", 3, widths[0], 7, ["pads": .ints([3, 3, 3, 3]), "strides": .ints([2, 2])])
    x = builder.add(.relu, [x])
    beforePool = x
    activations.append(x)
    x = builder.add(
      .maxPool, [x], halving.merging(["kernel_shape": .ints([3, 3])]) { $1 })
    pooled = x
    for block in 0..<3 {
      let from = widths[block]
      let to = block == 1 ? 2 * from : from
      widths.append(to)
      var y = builder.add(.relu, [convolve(x, from, to, 3, block == 1 ? halving : window)])
      activations.append(y)
      y = convolve(y, to, to, 3, window)
      let z = block == 1 ? convolve(x, from, to, 1, ["strides": .ints([2, 2])]) : x
      terms += block == 1 ? [y, z] : [y]
      x = builder.add(.add, random.below(2) == 0 ? [y, z] : [z, y])
      x = builder.add(.relu, [x])
      activations.append(x)
    }
    x = builder.add(.globalAveragePool, [x])
    mean = x
    x = builder.add(.flatten, [x])
    flat = x
    let transposed = random.below(2)
    let classes = 2 + random.below(3)
    let matrix = transposed == 1 ? [classes, widths[3]] : [widths[3], classes]
    let weights = builder.constant(.random(matrix, scale: 0.3, using: &random))
    let bias = builder.constant(.random([classes], using: &random))
    x = builder.add(.gemm, [x, weights, bias], ["transB": .int(transposed)])
    logits = x
    products.append(x)
    self.products = products
    self.normalized = normalized
    graph = try builder.finished([x])
    input = Tensor.random(shape, using: &random)
  }
}
