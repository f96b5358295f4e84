import Tensors

extension Graph {
  /// The graph with everything computed that depends on constants alone.
  ///
  /// Unpacked and looked-up weights become plain constants, so that whatever runs or rewrites a
  /// graph meets them as such. A `DequantizeLinear` stays where other than folded nodes read it,
  /// because kernels for whole numbers look for it.
  ///
  /// - Throws: ``GraphError`` when a constant cannot be computed: an index beyond its table, an
  ///   element type that is not supported, or more than 2²⁸ elements.
  public func foldingConstants() throws(GraphError) -> Graph {
    let folder = ConstantFolder(graph: self)
    guard nodes.contains(where: { folder.isFoldable($0) }) else { return self }
    return try folder.folded(types: try inferValues())
  }
}

/// Computes the constant part of a graph, node by node.
struct ConstantFolder {
  let graph: Graph

  /// Larger constants are not made: a small file must not fill the memory.
  static let largestCount = 1 << 28

  /// Whether nodes of this kind are computed where all they read is constant.
  func isFoldable(_ node: Node) -> Bool {
    switch node.operation {
    case .multiply, .cast, .reshape, .slice, .gather, .gatherElements, .bitShift, .bitwiseAnd,
      .bitwiseOr, .cumulativeSum, .add, .identity, .quantizeLinear:
      true
    default: false
    }
  }

  func folded(types: [String: Value]) throws(GraphError) -> Graph {
    var result = graph
    var constants = graph.initializers
    /// Dequantizations of constants: computed only when a folded node reads them.
    var dequantizations: [String: Node] = [:]
    result.nodes = []
    for node in graph.nodes {
      let isConstant = node.inputs.allSatisfy {
        $0 == "" || constants[$0] != nil || dequantizations[$0] != nil
      }
      guard isConstant else {
        result.nodes.append(node)
        continue
      }
      if node.operation == .dequantizeLinear {
        dequantizations[node.outputs[0]] = node
        result.nodes.append(node)
        continue
      }
      guard isFoldable(node) else {
        result.nodes.append(node)
        continue
      }
      for name in node.inputs where constants[name] == nil {
        guard let maker = dequantizations[name] else { continue }
        constants[name] = try compute(maker, constants, types)
      }
      let value = try compute(node, constants, types)
      constants[node.outputs[0]] = value
    }
    let outputs = Set(graph.outputs.map(\.name))
    var read = outputs
    for node in result.nodes { read.formUnion(node.inputs) }
    result.nodes.removeAll {
      dequantizations[$0.outputs[0]] != nil && !read.contains($0.outputs[0])
    }
    read = outputs
    for node in result.nodes { read.formUnion(node.inputs) }
    let written = Set(result.nodes.flatMap(\.outputs))
    result.initializers = constants.filter {
      read.contains($0.key) && !written.contains($0.key)
    }
    return result
  }

  private func compute(
    _ node: Node, _ constants: [String: Tensor], _ types: [String: Value]
  ) throws(GraphError) -> Tensor {
    guard let type = types[node.outputs[0]] else { throw GraphError(node, "has no known shape") }
    let shape = type.shape.compactMap(\.self)
    let count = shape.reduce(1, *)
    guard shape.count == type.shape.count, count <= Self.largestCount else {
      throw GraphError(node, "makes a constant of shape \(describe(type.shape)), too large to fold")
    }
    let operands = node.inputs.compactMap { constants[$0] }
    return try ConstantOperation(node: node, operands: operands, shape: shape).result(
      as: type.elementType)
  }
}
