import Tensors

/// Pads as PyTorch's older exporter writes them: a list that is filled up, turned and put in order.
extension ONNXImporter {
  /// A constant list or table of whole numbers, row by row.
  private struct Table {
    var shape: [Int]
    var elements: [Int64]

    var rows: [ArraySlice<Int64>] {
      let length = shape.dropFirst().reduce(1, *)
      return (0..<shape[0]).map { elements[$0 * length..<($0 + 1) * length] }
    }
  }

  /// Works out a node that rearranges at most 64 constant whole numbers; `false` where it is none.
  mutating func computeTable(_ node: RawNode) -> Bool {
    guard ["Concat", "Reshape", "Slice", "Transpose"].contains(node.type) || isToInt64(node),
      node.outputs.count == 1, !outputs.contains(node.outputs[0]),
      let x = node.inputs.first.flatMap(table)
    else { return false }
    // Other than a cast, what is done to int32 leaves them int32, which is constant folding's.
    guard node.type == "Cast" || graph.initializers[node.inputs[0]]?.elementType == .int64 else {
      return false
    }
    let operands = node.inputs.dropFirst().map { table($0) }
    let result: Table?
    switch node.type {
    case "Concat" where x.shape.count == 1 && node.attributes["axis"] == .int(0):
      let others = operands.compactMap(\.self)
      guard others.count == operands.count, others.allSatisfy({ $0.shape.count == 1 }) else {
        return false
      }
      let all = x.elements + others.flatMap(\.elements)
      result = Table(shape: [all.count], elements: all)
    case "Reshape": result = operands.first?.flatMap { reshaped(x, $0.elements.map { Int($0) }) }
    case "Slice": result = sliced(x, operands.map { $0?.elements ?? [] })
    case "Transpose"
    where x.shape.count == 2 && (node.attributes["perm"] ?? .ints([1, 0])) == .ints([1, 0]):
      let (rows, columns) = (x.shape[0], x.shape[1])
      result = Table(
        shape: [columns, rows],
        elements: (0..<rows * columns).map { x.elements[$0 % rows * columns + $0 / rows] })
    case "Cast": result = x
    default: result = nil
    }
    guard let result, result.elements.count <= 64 else { return false }
    let tensor = Tensor(shape: result.shape, result.elements)
    return constant(node.outputs[0], tensor) == node.outputs[0]
  }

  private func isToInt64(_ node: RawNode) -> Bool {
    node.type == "Cast" && node.attributes["to"] == .int(7)
  }

  private func table(_ name: String) -> Table? {
    guard let tensor = graph.initializers[name], 1...2 ~= tensor.shape.count,
      1...64 ~= tensor.count
    else { return nil }
    switch tensor.elementType {
    case .int64: return Table(shape: tensor.shape, elements: tensor.values(as: Int64.self))
    case .int32:
      return Table(shape: tensor.shape, elements: tensor.values(as: Int32.self).map { Int64($0) })
    default: return nil
    }
  }

  private func reshaped(_ x: Table, _ wanted: [Int]) -> Table? {
    guard 1...2 ~= wanted.count, wanted.count(where: { $0 == -1 }) <= 1,
      wanted.allSatisfy({ $0 == -1 || 1...64 ~= $0 })
    else { return nil }
    let known = wanted.filter { $0 != -1 }.reduce(1, *)
    guard x.elements.count % known == 0 else { return nil }
    let shape = wanted.map { $0 == -1 ? x.elements.count / known : $0 }
    guard shape.reduce(1, *) == x.elements.count else { return nil }
    return Table(shape: shape, elements: x.elements)
  }

  /// All rows the other way round, which constant folding does not know; other slices are its own.
  private func sliced(_ x: Table, _ bounds: [[Int64]]) -> Table? {
    guard bounds.count == 4, bounds[0] == [-1], let end = bounds[1].first, bounds[1].count == 1,
      end < -Int64(x.shape[0]), bounds[2] == [0], bounds[3] == [-1]
    else { return nil }
    return Table(shape: x.shape, elements: x.rows.reversed().flatMap { $0 })
  }
}
