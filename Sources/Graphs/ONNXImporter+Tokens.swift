import Tensors

/// Products of rows, and what transformers do with shapes.
extension ONNXImporter {
  /// A product of rows that were flattened for it.
  struct RowProduct {
    /// What the `Gemm` writes.
    var gemm: String
    /// What it, or a function behind it, writes before the axes come back.
    var rows: String
  }

  func isActivation(_ name: String?) -> Bool {
    guard let name, let value = values[name] else { return false }
    return graph.initializers[name] == nil && value.elementType == .float32
      && dependsOnImages(name)
  }

  /// Whether `name` is computed from an input; unpacked weights are not.
  private func dependsOnImages(_ name: String) -> Bool {
    var makers: [String: Int] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for output in node.outputs { makers[output] = index }
    }
    var seen: Set<String> = [name]
    var open = [name]
    while let next = open.popLast() {
      if graph.inputs.contains(where: { $0.name == next }) { return true }
      guard let maker = makers[next] else { continue }
      open += graph.nodes[maker].inputs.filter { seen.insert($0).inserted }
    }
    return false
  }

  /// `result` as the shape of a reshape: what depends on the batch is what is left.
  func target(_ node: RawNode, _ result: [Int?], of x: [Int?]) throws(GraphError) -> [Int] {
    guard result.count(where: { $0 == nil }) <= 1 else {
      throw fail(node, "of the shape \(describe(x)) is not supported")
    }
    return result.map { $0 ?? -1 }
  }

  /// The root or a quotient of one constant number, as attention's scale is written.
  mutating func computeScalar(_ node: RawNode) -> Bool {
    guard ["Sqrt", "Div", "Cast"].contains(node.type), let output = node.outputs.first else {
      return false
    }
    var operands: [Float] = []
    var shape: [Int] = []
    for name in node.inputs {
      guard let tensor = graph.initializers[name], tensor.count == 1, tensor.shape.count <= 1,
        tensor.elementType == .float32
      else { return false }
      operands.append(tensor.floats[0])
      shape = tensor.shape
    }
    switch (node.type, operands.count) {
    case ("Sqrt", 1): _ = constant(output, Tensor(scalar: operands[0].squareRoot()))
    case ("Div", 2): _ = constant(output, Tensor(scalar: operands[0] / operands[1]))
    case ("Cast", 1) where node.attributes["to"] == .int(1):
      // A list of one number stays a list: a single kept weight is looked up in it.
      _ = constant(output, Tensor(shape: shape, [operands[0]]))
    default: return false
    }
    return true
  }

  /// Rows times a matrix are a `Gemm`, with the other axes put together for it.
  mutating func appendProduct(_ node: RawNode) throws(GraphError) {
    let (a, b) = (try shape(node), try shape(node, 1))
    let isConstant = graph.initializers[node.inputs[1]] != nil || isDequantized(node.inputs[1])
    guard a.count >= 2, b.count == 2, isConstant, isActivation(node.inputs[0]) else {
      return append(.matMul, node, attributes: [:])
    }
    guard let inner = b[0], let outputs = b[1] else { throw fail(node, "has weights of no shape") }
    var gemm = node
    gemm.inputs[1] = turned(node.inputs[1]) ?? node.inputs[1]
    let isTurned = gemm.inputs[1] != node.inputs[1]
    let attributes: [String: Attribute] = isTurned ? ["transB": .int(1)] : [:]
    if a.count == 2 {
      append(.gemm, gemm, attributes: attributes)
      products[node.outputs[0]] = RowProduct(gemm: node.outputs[0], rows: node.outputs[0])
      return
    }
    var flat = node
    flat.name = "\(node.name)_rows"
    flat.inputs = [node.inputs[0]]
    flat.outputs = ["\(node.outputs[0]).given"]
    try appendShaped(flat, a, [-1, inner])
    let rows = "\(node.outputs[0]).rows"
    append(
      .gemm, gemm, inputs: [flat.outputs[0], gemm.inputs[1]], outputs: [rows],
      attributes: attributes)
    try appendAxesBack(node, rows, a.dropLast() + [outputs])
    products[node.outputs[0]] = RowProduct(gemm: rows, rows: rows)
  }

  /// The matrix with rows and columns exchanged, as weights are stored everywhere else.
  private mutating func turned(_ name: String) -> String? {
    guard let tensor = graph.initializers[name], tensor.elementType == .float32,
      tensor.shape.count == 2
    else { return nil }
    let turned = "\(name).turned"
    if graph.initializers[turned] == nil {
      let (rows, columns) = (tensor.shape[0], tensor.shape[1])
      let old = tensor.floats
      var new = [Float](repeating: 0, count: old.count)
      for row in 0..<rows {
        for column in 0..<columns { new[column * rows + row] = old[row * columns + column] }
      }
      graph.initializers[turned] = Tensor(shape: [columns, rows], new)
      values[turned] = Value(turned, shape: [columns, rows])
      if readers[name] == 1 { graph.initializers[name] = nil }
    }
    return turned
  }

  private func isDequantized(_ name: String) -> Bool {
    graph.nodes.contains {
      $0.operation == .dequantizeLinear && $0.outputs == [name]
        && graph.initializers[$0.inputs[0]] != nil
    }
  }

  /// Gives `rows` the shape that `node` writes.
  private mutating func appendAxesBack(
    _ node: RawNode, _ rows: String, _ shape: [Int?]
  ) throws(GraphError) {
    var back = node
    back.name = "\(node.name)_axes"
    back.inputs = [rows]
    let wanted = try target(back, shape, of: shape)
    let name = constant(
      "\(node.outputs[0]).shape", Tensor(shape: [wanted.count], wanted.map { Int64($0) }))
    append(.reshape, back, inputs: [rows, name], outputs: [node.outputs[0]], attributes: [:])
  }

  /// The product that `node` alone reads, if it is the last thing that was appended.
  private func product(_ name: String) -> RowProduct? {
    guard let product = products[name], readers[name] == 1, !outputs.contains(name),
      graph.nodes.last?.outputs == [name]
    else { return nil }
    return product
  }

  /// Whether `node` adds a number for each column to a product without a bias.
  func addsBias(_ node: RawNode) -> Bool { bias(node) != nil }

  private func bias(_ node: RawNode) -> (product: String, bias: String, gemm: Int)? {
    guard node.inputs.count == 2 else { return nil }
    for (x, bias) in [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])] {
      guard let product = product(x), let tensor = graph.initializers[bias],
        tensor.elementType == .float32, tensor.shape.count == 1,
        values[x]?.shape.last == tensor.shape[0],
        product.gemm == product.rows,
        let gemm = graph.nodes.lastIndex(where: { $0.outputs == [product.gemm] }),
        graph.nodes[gemm].inputs.count == 2
      else { continue }
      return (x, bias, gemm)
    }
    return nil
  }

  mutating func addBias(_ node: RawNode) {
    guard let (x, bias, gemm) = bias(node) else { return }
    graph.nodes[gemm].inputs.append(bias)
    products[node.outputs[0]] = products[x]
    rename(x, to: node.outputs[0])
  }

  /// Lets the node that was appended last write `new` instead of `old`, which nothing else reads.
  private mutating func rename(_ old: String, to new: String) {
    let last = graph.nodes.count - 1
    graph.nodes[last].outputs = [new]
    renameShape(of: last, old, new)
    if products[new]?.rows == old { products[new] = RowProduct(gemm: new, rows: new) }
    if let value = values[old] { values[new] = Value(new, value.elementType, shape: value.shape) }
  }

  /// Names the shape of a reshape after what it writes, as reading the written file again does.
  private mutating func renameShape(of node: Int, _ old: String, _ new: String) {
    guard graph.nodes[node].operation == .reshape, graph.nodes[node].inputs[1] == "\(old).shape",
      let shape = graph.initializers.removeValue(forKey: "\(old).shape")
    else { return }
    graph.nodes[node].inputs[1] = constant("\(new).shape", shape)
  }

  /// Whether `node` is a function of each element of a product whose axes came back for it.
  func movesToRows(_ node: RawNode) -> Bool {
    guard node.inputs.count == 1, let product = product(node.inputs[0]) else { return false }
    return product.rows != node.inputs[0]
  }

  /// Puts a function before the reshape, where the product's kernel can do it along the way.
  mutating func moveToRows(_ node: RawNode) {
    guard let product = products[node.inputs[0]], let operation = Operation(rawValue: node.type)
    else { return }
    var back = graph.nodes.removeLast()
    let rows = "\(node.outputs[0]).rows"
    append(operation, node, inputs: [product.rows], outputs: [rows])
    back.inputs[0] = rows
    back.outputs = node.outputs
    graph.nodes.append(back)
    renameShape(of: graph.nodes.count - 1, node.inputs[0], node.outputs[0])
    let shape = values[node.inputs[0]]?.shape ?? []
    values[node.outputs[0]] = Value(node.outputs[0], shape: shape)
    if operation == .gelu { graph.opset = max(graph.opset, 20) }
  }

  /// One index of an axis: a slice without that axis.
  mutating func appendGather(_ node: RawNode) throws(GraphError) {
    let x = try shape(node)
    var axis = 0
    if case .int(let value)? = node.attributes["axis"] { axis = value }
    guard -x.count..<x.count ~= axis else { throw fail(node, "has axis \(axis) of \(x.count)") }
    axis = axis < 0 ? axis + x.count : axis
    if let shape = orderedShape(node), x == [shape.reduce(1, *)] {
      return try appendShaped(node, x, shape)
    }
    guard node.inputs.count == 2, let indices = graph.initializers[node.inputs[1]],
      indices.count == 1, let index = wholes(node.inputs[1])?[0], let extent = x[axis],
      -extent..<extent ~= index
    else { throw fail(node, "picks more than one constant index of axis \(axis)") }
    let start = index < 0 ? index + extent : index
    let keeps = !indices.shape.isEmpty
    let part = keeps ? node.outputs[0] : "\(node.outputs[0]).part"
    appendSlice(node, node.inputs[0], part, (start, start + 1, axis), keeps ? "" : "_part")
    if keeps { return }
    var flat = node
    flat.inputs = [part]
    var result = x
    var sliced = x
    sliced[axis] = 1
    result.remove(at: axis)
    try appendShaped(flat, sliced, target(flat, result, of: x))
  }

  /// The shape of indices that count from 0 on, as `as_strided` is written.
  private func orderedShape(_ node: RawNode) -> [Int]? {
    guard node.inputs.count == 2, let indices = graph.initializers[node.inputs[1]],
      indices.elementType == .int64, indices.shape.count > 1, indices.count <= 1 << 24
    else { return nil }
    let isOrdered = indices.values(as: Int64.self).enumerated().allSatisfy { $0 == Int($1) }
    return isOrdered ? indices.shape : nil
  }

  /// A constant for every image.
  mutating func appendExpand(_ node: RawNode) throws(GraphError) {
    guard node.inputs.count == 2, let wanted = wholes(node.inputs[1]) else {
      throw fail(node, "its shape is not known before the model runs")
    }
    guard let tensor = graph.initializers[node.inputs[0]], tensor.elementType == .float32,
      tensor.shape.count == wanted.count, tensor.shape.first == 1,
      zip(tensor.shape, wanted).dropFirst().allSatisfy({ $1 == 1 || $0 == $1 })
    else {
      throw fail(node, "stretches something else than a constant over the images of a batch")
    }
    stretched[node.outputs[0]] = tensor
    values[node.outputs[0]] = Value(
      node.outputs[0], shape: [wanted[0]] + tensor.shape.dropFirst().map { $0 })
  }

  /// Images put together with constants that are the same for all: padded, and added to.
  mutating func appendConcatenation(_ node: RawNode) throws(GraphError) {
    let parts = node.inputs.map { name in
      stretched[name] ?? (isActivation(name) ? nil : graph.initializers[name].flatMap(row))
    }
    let free = node.inputs.indices.filter { parts[$0] == nil }
    guard free.count == 1, node.inputs.count > 1, isActivation(node.inputs[free[0]]),
      case .int(let given)? = node.attributes["axis"]
    else { return append(.concatenate, node) }
    var image = node
    image.inputs = [node.inputs[free[0]]]
    let x = try shape(image)
    let axis = given < 0 ? given + x.count : given
    guard 1..<max(1, x.count) ~= axis, let extent = x[axis],
      x.dropFirst().allSatisfy({ $0 != nil && $0 ?? 0 <= 1 << 20 }),
      parts.allSatisfy({ part in
        part.map { part in
          part.shape.count == x.count
            && x.indices.dropFirst().allSatisfy { $0 == axis || part.shape[$0] == x[$0] }
        } ?? true
      })
    else { throw fail(node, "joins constants to \(describe(x)) in a way that is not supported") }
    let before = parts[..<free[0]].compactMap { $0?.shape[axis] }.reduce(0, +)
    let after = parts[(free[0] + 1)...].compactMap { $0?.shape[axis] }.reduce(0, +)
    var pads = Array(repeating: Int64(0), count: 2 * x.count)
    (pads[axis], pads[axis + x.count]) = (Int64(before), Int64(after))
    let inner = x[(axis + 1)...].reduce(1) { $0 * ($1 ?? 1) }
    let outer = x[1..<axis].reduce(1) { $0 * ($1 ?? 1) }
    var constants: [Float] = []
    guard outer * inner * (before + extent + after) <= 1 << 26 else {
      throw fail(node, "its result is too large")
    }
    for row in 0..<outer {
      for part in parts {
        let count = (part?.shape[axis] ?? extent) * inner
        if let part {
          constants += part.floats[row * count..<(row + 1) * count]
        } else {
          constants += Array(repeating: 0, count: count)
        }
      }
    }
    var shape = [1] + x.dropFirst().map { $0 ?? 1 }
    shape[axis] = before + extent + after
    let rest = constant("\(node.outputs[0]).constants", Tensor(shape: shape, constants))
    let room = "\(node.outputs[0]).padded"
    let widths = constant("\(room).pads", Tensor(shape: [pads.count], pads))
    var pad = node
    pad.name = "\(node.name)_pad"
    append(.pad, pad, inputs: [image.inputs[0], widths], outputs: [room], attributes: [:])
    append(.add, node, inputs: [room, rest], attributes: [:])
  }

  /// The first of equal rows; `nil` where they differ or there are none.
  private func row(_ tensor: Tensor) -> Tensor? {
    guard tensor.elementType == .float32, let count = tensor.shape.first, count > 0 else {
      return nil
    }
    let length = tensor.bytes.count / count
    guard
      (1..<count).allSatisfy({
        tensor.bytes[$0 * length..<($0 + 1) * length]
          .elementsEqual(tensor.bytes[..<length])
      })
    else { return nil }
    return Tensor(
      shape: [1] + tensor.shape.dropFirst(), elementType: .float32,
      bytes: Array(tensor.bytes[..<length]))
  }
}
