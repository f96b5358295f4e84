import Tensors

/// Shapes as data.
extension ONNXImporter {
  /// A short list of whole numbers, as far as it is known.
  func wholes(_ name: String) -> [Int?]? {
    if let known = numbers[name] { return known }
    guard let tensor = graph.initializers[name], tensor.shape.count <= 1, tensor.count <= 64 else {
      return nil
    }
    switch tensor.elementType {
    case .int64: return tensor.values(as: Int64.self).map { Int($0) }
    case .int32: return tensor.values(as: Int32.self).map { Int($0) }
    default: return nil
    }
  }

  /// Works out a node that computes with shapes; `false` where it is none.
  mutating func computeNumbers(_ node: RawNode) -> Bool {
    guard let output = node.outputs.first, node.outputs.count == 1, let first = node.inputs.first
    else { return false }
    if node.type == "Shape" { return computeShape(of: first, node, output) }
    if computeComparison(node, output) { return true }
    // Constants alone are left to constant folding, which knows no remainders.
    guard node.type == "Mod" || node.inputs.contains(where: { numbers[$0] != nil }) else {
      return false
    }
    let operands = node.inputs.map { wholes($0) }
    guard let x = operands[0] else { return false }
    if node.type == "Cast", node.attributes["to"] == .int(1) {
      // Real numbers are constants like any other, as soon as they are known.
      guard x.count == 1, let whole = x[0] else { return false }
      _ = constant(output, Tensor(scalar: Float(whole)))
      return graph.initializers[output] != nil
    }
    guard let result = result(of: node, x, operands) else { return false }
    numbers[output] = result
    return true
  }

  private mutating func computeShape(
    of input: String, _ node: RawNode, _ output: String
  ) -> Bool {
    if let known = numbers[input] {
      numbers[output] = [known.count]
      return true
    }
    guard let shape = values[input]?.shape else { return false }
    func bound(_ key: String, _ standard: Int) -> Int {
      guard case .int(let value)? = node.attributes[key] else { return standard }
      return place(value, in: shape)
    }
    let start = bound("start", 0)
    numbers[output] = Array(shape[start..<max(start, bound("end", shape.count))])
    return true
  }

  /// A place in a list, counted from its end where it is negative, as `Slice` and `Shape` take it.
  private func place(_ index: Int, in list: [Int?]) -> Int {
    min(max(index < 0 ? index &+ list.count : index, 0), list.count)
  }

  /// What a node makes of lists of whole numbers; `nil` where that is not known.
  private func result(of node: RawNode, _ x: [Int?], _ operands: [[Int?]?]) -> [Int?]? {
    let y = operands.count > 1 ? operands[1] : nil
    func combine(_ function: (Int, Int) -> Int?) -> [Int?]? {
      guard operands.count == 2, let y, let count = [x.count, y.count].max(),
        [1, count].contains(x.count), [1, count].contains(y.count)
      else { return nil }
      return (0..<count).map { i in
        guard let a = x[x.count == 1 ? 0 : i], let b = y[y.count == 1 ? 0 : i] else { return nil }
        return function(a, b)
      }
    }
    switch node.type {
    case "Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape": return x
    case "Add": return combine { $0 &+ $1 }
    case "Sub": return combine { $0 &- $1 }
    case "Mul": return combine { $0 &* $1 }
    case "Div": return combine { $1 > 0 ? $0 / $1 : nil }
    case "Mod": return combine { $1 > 0 && $0 >= 0 ? $0 % $1 : nil }
    case "Equal": return y.flatMap { equal(x, $0) }
    case "Where":
      guard operands.count == 3, let y, let no = operands[2], y.count == x.count,
        no.count == x.count, x.allSatisfy({ $0 != nil })
      else { return nil }
      return x.indices.map { x[$0] != 0 ? y[$0] : no[$0] }
    case "Gather":
      guard let y else { return nil }
      let places = y.compactMap { $0.map { $0 < 0 ? $0 &+ x.count : $0 } }
      guard places.count == y.count, places.allSatisfy(x.indices.contains) else { return nil }
      return places.map { x[$0] }
    case "Concat":
      let parts = operands.compactMap(\.self)
      return parts.count == operands.count ? parts.flatMap(\.self) : nil
    case "Slice":
      let bounds = operands.dropFirst().map { $0?.count == 1 ? $0?[0] : nil }
      guard bounds.count >= 2, let start = bounds[0], let end = bounds[1],
        bounds.count < 4 || bounds[3] == 1
      else { return nil }
      let first = place(start, in: x)
      return Array(x[first..<max(first, place(end, in: x))])
    case "ConstantOfShape":
      guard x.count == 1, let count = x[0], 0...64 ~= count else { return nil }
      guard case .tensor(let given)? = node.attributes["value"], given.elementType == .int64,
        given.count == 1
      else { return Array(repeating: 0, count: count) }
      return Array(repeating: Int(given.values(as: Int64.self)[0]), count: count)
    default: return nil
    }
  }

  /// Works out comparisons of constant lists; `false` where `node` is none.
  ///
  /// Exporters write them where they know a whole shape. The -1 to compare with is a product.
  private mutating func computeComparison(_ node: RawNode, _ output: String) -> Bool {
    guard ["Equal", "Where", "Mul"].contains(node.type), !outputs.contains(output) else {
      return false
    }
    let given = node.inputs.map { graph.initializers[$0] }
    guard given.allSatisfy({ $0?.elementType == .int64 }) else { return false }
    let operands = node.inputs.map { wholes($0) }
    guard let x = operands[0], let result = result(of: node, x, operands) else { return false }
    let known = result.compactMap { $0.map(Int64.init) }
    let isList = given.contains { $0?.shape.count == 1 }
    guard known.count == result.count, isList || known.count == 1 else { return false }
    let tensor = Tensor(shape: isList ? [known.count] : [], known)
    return constant(output, tensor) == output
  }

  /// Where two lists are equal, as 1 and 0; `nil` where that depends on the batch, of which only so
  /// much is known that it is more than 0.
  private func equal(_ a: [Int?], _ b: [Int?]) -> [Int?]? {
    guard a.count == b.count else { return nil }
    return zip(a, b).map { x, y in
      switch (x, y) {
      case (let x?, let y?): x == y ? 1 : 0
      case (nil, let known?), (let known?, nil): known <= 0 ? 0 : nil
      case (nil, nil): nil
      }
    }
  }
}
