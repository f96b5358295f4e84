import Tensors

/// Rewrites activations that are quantized with a scale for each channel, as NNCF does before
/// depthwise convolutions, into activations with one scale.
///
/// `x` divided by its channel's scale is quantized with the scale 1. A depthwise convolution reads
/// one channel for each that it makes, so that the scale goes into its weights'; for other readers
/// the channels are multiplied back.
struct ChannelScales {
  private var graph: Graph
  private let readers: [String: [Int]]
  private let values: [String: Value]

  /// For a graph with what is known of each of its tensors.
  init(_ graph: Graph, values: [String: Value]) {
    self.graph = graph
    self.values = values
    var readers: [String: [Int]] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for name in node.inputs { readers[name, default: []].append(index) }
    }
    self.readers = readers
  }

  /// The graph with one scale for each activation, where the zero points allow it.
  var gathered: Graph {
    var result = self
    var made: [Int: [Node]] = [:]
    for (index, node) in graph.nodes.enumerated() where node.operation == .quantizeLinear {
      if let nodes = result.gather(index, node) { made.merge(nodes) { $1 } }
    }
    guard !made.isEmpty else { return graph }
    result.graph.nodes = graph.nodes.enumerated().flatMap { made[$0] ?? [$1] }
    return result.graph
  }

  /// What stands in place of the quantization `node`, its dequantizations and their readers.
  private mutating func gather(_ index: Int, _ node: Node) -> [Int: [Node]]? {
    guard graph.initializers[node.inputs[0]] == nil,
      let (scales, zeroPoint) = perChannel(node),
      !graph.outputs.contains(where: { $0.name == node.outputs[0] }),
      let shape = values[node.inputs[0]]?.shape, shape.count > 1, shape[1] == scales.count,
      let lookers = readers[node.outputs[0]]
    else { return nil }
    for looker in lookers {
      let other = graph.nodes[looker]
      guard other.operation == .dequantizeLinear, let (same, point) = perChannel(other),
        same == scales, point == zeroPoint
      else { return nil }
    }
    let name = node.outputs[0]
    let ones = Array(repeating: 1, count: shape.count - 2)
    let one = add("\(name).scale", Tensor(scalar: Float(1)))
    let zero = add("\(name).zero_point", zeroPoint)
    let inverses = add(
      "\(name).inverses", Tensor(shape: [1, scales.count] + ones, scales.map { 1 / $0 }))
    let shares = "\(name).shares"
    var made: [Int: [Node]] = [
      index: [
        Node(
          "\(node.name)_shares", .multiply, inputs: [node.inputs[0], inverses],
          outputs: [shares]),
        Node(node.name, .quantizeLinear, inputs: [shares, one, zero], outputs: node.outputs),
      ]
    ]
    for looker in lookers {
      let other = graph.nodes[looker]
      let output = other.outputs[0]
      if let (reader, weights) = depthwise(output, scales) {
        made[looker] = [
          Node(other.name, .dequantizeLinear, inputs: [name, one, zero], outputs: [output])
        ]
        made[reader] = weights
      } else {
        let back = add("\(output).scales", Tensor(shape: [1, scales.count] + ones, scales))
        made[looker] = [
          Node(
            "\(other.name)_shares", .dequantizeLinear, inputs: [name, one, zero],
            outputs: ["\(output).shares"]),
          Node(other.name, .multiply, inputs: ["\(output).shares", back], outputs: [output]),
        ]
      }
    }
    return made
  }

  /// Scales for each channel of axis 1, with the zero point that all of them have.
  private func perChannel(_ node: Node) -> (scales: [Float], zeroPoint: Tensor)? {
    guard node.inputs.count == 3, node.int("axis", default: 1) == 1,
      node.int("block_size", default: 0) == 0,
      let scale = graph.initializers[node.inputs[1]], scale.elementType == .float32,
      scale.shape.count == 1, scale.count > 1, scale.floats.allSatisfy({ $0 > 0 }),
      let points = graph.initializers[node.inputs[2]], points.elementType.bits == 8,
      points.shape == scale.shape, let point = points.bytes.first,
      points.bytes.allSatisfy({ $0 == point })
    else { return nil }
    return (
      scale.floats, Tensor(shape: [], elementType: points.elementType, bytes: [point])
    )
  }

  /// The only reader of `tensor` with `scales` in its weights, where it is a depthwise convolution
  /// with whole weights.
  private mutating func depthwise(
    _ tensor: String, _ scales: [Float]
  ) -> (reader: Int, nodes: [Node])? {
    guard !graph.outputs.contains(where: { $0.name == tensor }),
      let readers = readers[tensor], readers.count == 1
    else { return nil }
    var node = graph.nodes[readers[0]]
    guard node.operation == .convolution, node.inputs[0] == tensor, node.inputs.count > 1,
      node.int("group", default: 1) == scales.count,
      let maker = graph.nodes.first(where: { $0.outputs.contains(node.inputs[1]) }),
      maker.operation == .dequantizeLinear, maker.int("axis", default: 1) == 0,
      maker.int("block_size", default: 0) == 0,
      graph.initializers[maker.inputs[0]]?.shape.first == scales.count,
      let old = graph.initializers[maker.inputs[1]], old.elementType == .float32,
      old.shape == [scales.count]
    else { return nil }
    var weights = maker
    weights.name += "_shares"
    weights.inputs[1] = add(
      "\(tensor).weight_scales", Tensor(shape: [scales.count], zip(old.floats, scales).map(*)))
    weights.outputs = ["\(tensor).weights"]
    node.inputs[1] = weights.outputs[0]
    return (readers[0], [weights, node])
  }

  private mutating func add(_ name: String, _ tensor: Tensor) -> String {
    var free = name
    while graph.initializers[free] != nil || values[free] != nil { free += "_" }
    graph.initializers[free] = tensor
    return free
  }
}
