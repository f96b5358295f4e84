import Graphs
import Tensors

/// Channels of a network that can only be removed together.
///
/// What is added in a residual network must have the same channels: the layers that write one side, the
/// layers that write the other, and whatever hands channels on unchanged, share one set. All layers that
/// read it lose the weights for what is removed.
struct ChannelSet: Hashable, Sendable {
  /// The number of channels.
  var count: Int
  /// The layers whose output channels these are, by position.
  var producers: [Int]
  /// The layers that read them, by position, with the number of inputs that each channel has there: 1,
  /// but for products behind a flattened image.
  var consumers: [Consumer]

  /// A layer that reads channels.
  struct Consumer: Hashable, Sendable {
    var node: Int
    var inputsPerChannel: Int
  }
}

extension ChannelSet {
  /// The sets of `graph` from which channels can be removed, in its order.
  ///
  /// A set is left out where an input or output of the graph has its channels, where a node reads or
  /// writes it that is not known to treat channels apart and to leave zeros zeros, or where weights are
  /// shared or not `float32` constants. Depthwise convolutions hand channels on; other grouped ones keep
  /// theirs.
  ///
  /// - Throws: `GraphError` for a graph whose shapes do not fit.
  static func sets(of graph: Graph) throws -> [ChannelSet] {
    let search = ChannelSearch(graph, shapes: try graph.inferValues().mapValues(\.shape))
    return search.sets
  }
}

/// Finds channel sets by uniting tensors that have the same channels.
private struct ChannelSearch {
  private let graph: Graph
  private let index: GraphIndex
  private let shapes: [String: [Int?]]
  private var parents: [String: String] = [:]
  private var frozen: Set<String> = []
  private var producers: [(node: Int, tensor: String)] = []
  private var consumers: [(node: Int, tensor: String, inputs: Int)] = []
  /// How many elements a channel of a flattened tensor has.
  private var areas: [String: Int] = [:]

  init(_ graph: Graph, shapes: [String: [Int?]]) {
    (self.graph, self.shapes) = (graph, shapes)
    index = GraphIndex(graph)
    for position in graph.nodes.indices { visit(position) }
    for value in graph.inputs + graph.outputs { frozen.insert(value.name) }
  }

  /// The sets that nothing holds back.
  var sets: [ChannelSet] {
    let held = Set(frozen.map(root))
    var order: [String] = []
    var found: [String: ChannelSet] = [:]
    for (node, tensor) in producers where !held.contains(root(tensor)) {
      let name = root(tensor)
      if found[name] == nil {
        order.append(name)
        let weights = graph.initializers[graph.nodes[node].inputs[1]]
        found[name] = ChannelSet(count: weights?.shape[0] ?? 0, producers: [], consumers: [])
      }
      found[name]?.producers.append(node)
    }
    for (node, tensor, inputs) in consumers {
      found[root(tensor)]?.consumers.append(.init(node: node, inputsPerChannel: inputs))
    }
    return order.compactMap { found[$0] }.filter { $0.count > 1 && !$0.consumers.isEmpty }
  }

  private mutating func visit(_ position: Int) {
    let node = graph.nodes[position]
    let (input, output) = (node.inputs.first ?? "", node.outputs.first ?? "")
    switch node.operation {
    case .convolution, .gemm: visitLayer(position, node)
    case .relu, .leakyRelu, .hardSwish, .gelu, .identity, .maxPool, .averagePool,
      .globalAveragePool:
      unite(input, output)
    case .add where node.inputs.allSatisfy { graph.initializers[$0] == nil }:
      // Only what has as many channels on either side; nothing is repeated.
      let channels = node.inputs.map { shapes[$0].flatMap { $0.count > 1 ? $0[1] : nil } }
      guard node.inputs.count == 2, let first = channels[0], channels[1] == first else {
        freeze(node)
        return
      }
      unite(node.inputs[0], output)
      unite(node.inputs[1], output)
    case .flatten where node.int("axis", default: 1) == 1:
      guard let shape = shapes[input], shape.count >= 2,
        let area = shape[2...].reduce(1 as Int?, { a, b in a.flatMap { a in b.map { a * $0 } } })
      else {
        freeze(node)
        return
      }
      areas[output] = area * (areas[input] ?? 1)
      unite(input, output)
    default: freeze(node)
    }
  }

  /// Leaves all channels that `node` reads or writes as they are.
  private mutating func freeze(_ node: Node) {
    for tensor in node.inputs + node.outputs where graph.initializers[tensor] == nil {
      frozen.insert(tensor)
    }
  }

  private mutating func visitLayer(_ position: Int, _ node: Node) {
    let (input, output) = (node.inputs[0], node.outputs[0])
    guard let layer = EqualizedLayer(node, in: graph),
      node.inputs.dropFirst().allSatisfy({ $0.isEmpty || index.readers[$0]?.count == 1 })
    else {
      frozen.formUnion([input, output])
      return
    }
    let groups = node.operation == .convolution ? node.int("group", default: 1) : 1
    if groups == 1 {
      consumers.append((position, input, areas[input] ?? 1))
      producers.append((position, output))
    } else if groups == layer.inputs.count, groups == layer.outputs.count {
      unite(input, output)
      producers.append((position, output))
    } else {
      frozen.formUnion([input, output])
    }
  }

  private func root(_ tensor: String) -> String {
    var name = tensor
    while let parent = parents[name] { name = parent }
    return name
  }

  private mutating func unite(_ a: String, _ b: String) {
    let (first, second) = (root(a), root(b))
    if first != second { parents[second] = first }
    if areas[b] == nil { areas[b] = areas[a] }
  }
}
