import Tensors

/// Finds `x / 2 (1 + erf(x / sqrt 2))`, which exporters write as five nodes, and makes it a `Gelu`.
struct GeluPattern {
  private let nodes: [ONNXImporter.RawNode]
  private let constants: [String: Tensor]
  private let outputs: Set<String>
  private var readers: [String: [Int]] = [:]
  private var makers: [String: Int] = [:]

  init(
    _ nodes: [ONNXImporter.RawNode], constants: [String: Tensor], outputs: Set<String>
  ) {
    self.nodes = nodes
    self.constants = constants
    self.outputs = outputs
    for (index, node) in nodes.enumerated() {
      for name in node.inputs { readers[name, default: []].append(index) }
      for name in node.outputs { makers[name] = index }
    }
  }

  /// The nodes with every such pattern joined.
  var joined: [ONNXImporter.RawNode] {
    var result: [ONNXImporter.RawNode?] = nodes
    for (index, node) in nodes.enumerated() where node.type == "Erf" {
      guard let match = match(index) else { continue }
      for part in match.nodes { result[part] = nil }
      // Where the pattern ends everything that it reads is made.
      result[match.last] = .init(
        name: node.name, type: "Gelu", inputs: [match.source], outputs: nodes[match.last].outputs,
        attributes: [:])
    }
    return result.compactMap(\.self)
  }

  private func match(_ erf: Int) -> (source: String, nodes: [Int], last: Int)? {
    guard let inner = nodes[erf].inputs.first, let scaled = makers[inner], only(inner) == erf,
      let x = scaledSource(nodes[scaled]),
      let sum = reader(of: erf),
      let one = operand(nodes[sum], "Add", beside: nodes[erf].outputs[0]),
      number(one) == 1, let product = reader(of: sum),
      let other = operand(nodes[product], "Mul", beside: nodes[sum].outputs[0])
    else { return nil }
    let parts = [scaled, erf, sum, product]
    if let half = makers[other], only(other) == product, isHalf(of: x, nodes[half]) {
      return (x, parts + [half], product)
    }
    guard let last = reader(of: product),
      let end = operand(nodes[last], "Mul", beside: nodes[product].outputs[0])
    else { return nil }
    let isGelu = other == x && number(end) == 0.5 || number(other) == 0.5 && end == x
    return isGelu ? (x, parts + [last], last) : nil
  }

  /// `x` of `x / sqrt 2`.
  private func scaledSource(_ node: ONNXImporter.RawNode) -> String? {
    guard node.inputs.count == 2, node.outputs.count == 1 else { return nil }
    func isNear(_ name: String, _ value: Float) -> Bool {
      number(name).map { abs($0 - value) < 1e-5 } ?? false
    }
    switch node.type {
    case "Div" where isNear(node.inputs[1], Float(2).squareRoot()): return node.inputs[0]
    case "Mul" where isNear(node.inputs[1], Float(0.5).squareRoot()): return node.inputs[0]
    case "Mul" where isNear(node.inputs[0], Float(0.5).squareRoot()): return node.inputs[1]
    default: return nil
    }
  }

  private func isHalf(of x: String, _ node: ONNXImporter.RawNode) -> Bool {
    operand(node, "Mul", beside: x).flatMap(number) == 0.5
  }

  /// The other operand of a node of two.
  private func operand(
    _ node: ONNXImporter.RawNode, _ type: String, beside name: String
  ) -> String? {
    guard node.type == type, node.inputs.count == 2, node.outputs.count == 1,
      node.inputs.contains(name), node.inputs[0] != node.inputs[1]
    else { return nil }
    return node.inputs[0] == name ? node.inputs[1] : node.inputs[0]
  }

  private func reader(of index: Int) -> Int? {
    nodes[index].outputs.count == 1 ? only(nodes[index].outputs[0]) : nil
  }

  /// The one node that reads `name`, unless the caller wants to see it too.
  private func only(_ name: String) -> Int? {
    guard let all = readers[name], all.count == 1, !outputs.contains(name) else { return nil }
    return all[0]
  }

  private func number(_ name: String) -> Float? {
    guard let tensor = constants[name], tensor.count == 1, tensor.elementType == .float32 else {
      return nil
    }
    return tensor.floats[0]
  }
}
