import Tensors

/// Brings the nodes of a file into the one form that the rest of Equant knows.
///
/// Exporters say the same in many ways, which differ between operator sets too. What is said about
/// shapes is worked out as far as it can be without knowing the batch; what remains is rewritten
/// into few operators: `Dropout` disappears, `Split` becomes slices, a mean over height and width
/// is a `GlobalAveragePool`, `Squeeze` and the usual `Reshape` of an image are a `Flatten`, a
/// `MatMul` with a constant is a `Gemm`.
struct ONNXImporter {
  /// A node as it stands in a file.
  struct RawNode {
    var name: String
    var type: String
    var inputs: [String]
    var outputs: [String]
    var attributes: [String: Attribute]
  }

  /// The operators that become others, or nothing, on reading.
  static let rewritten: Set<String> = [
    "Dropout", "ReduceMean", "Squeeze", "Unsqueeze", "Shape", "ConstantOfShape", "Split", "MatMul",
    "Sub", "Div", "Erf", "Expand", "Equal", "Where", "Sqrt", "Mod",
  ]

  var graph: Graph
  let opset: Int
  let outputs: Set<String>
  /// How many nodes read each tensor.
  let readers: [String: Int]
  var values: [String: Value] = [:]
  /// Whole numbers about shapes; `nil` where one depends on the batch.
  var numbers: [String: [Int?]] = [:]
  /// What is read in place of a tensor whose node is left out.
  var origins: [String: String] = [:]
  /// Constants that are repeated for every image, by the name of the result.
  var stretched: [String: Tensor] = [:]
  /// The `Gemm` that makes each product of rows, and the `Reshape` that gives them their axes back.
  var products: [String: RowProduct] = [:]
  /// Images padded by nodes that only one convolution reads: the image, height and width's pads.
  var padded: [String: (source: String, pads: [Int])] = [:]

  /// An importer of nodes into `graph`, which has its inputs and constants already.
  init(_ graph: Graph, opset: Int, outputs: Set<String>, readers: [String: Int] = [:]) {
    self.graph = graph
    self.opset = opset
    self.outputs = outputs
    self.readers = readers
    for input in graph.inputs { values[input.name] = input }
    for (name, tensor) in graph.initializers {
      values[name] = Value(name, tensor.elementType, shape: tensor.shape)
    }
  }

  mutating func append(_ given: RawNode) throws(GraphError) {
    var node = given
    node.inputs = node.inputs.map { origins[$0] ?? $0 }
    if computeNumbers(node) || computeScalar(node) || computeTable(node) { return }
    unpad(&node)
    switch node.type {
    case "Dropout": forward(node)
    case "Cast" where isCopy(node): forward(node)
    case "Pad": try appendPad(node)
    case "Resize": try appendResize(node)
    case "Expand": try appendExpand(node)
    case "Concat": try appendConcatenation(node)
    case "Gather" where isActivation(node.inputs.first): try appendGather(node)
    case "Add" where addsBias(node): addBias(node)
    case "Gelu" where movesToRows(node), "Relu" where movesToRows(node): moveToRows(node)
    case "Erf": throw fail(node, "outside of a Gelu is not supported")
    case "Reshape": try appendReshape(node)
    case "Squeeze", "Unsqueeze": try appendAxes(node)
    case "ReduceMean": try appendMean(node)
    case "Split": try appendSplit(node)
    case "Slice": try appendSlices(node)
    case "MatMul": try appendProduct(node)
    case "Sub", "Div": try appendInverse(node)
    case "PRelu" where isOneSlope(node): appendSlope(node)
    case "ConstantOfShape": try appendFilled(node)
    default:
      guard let operation = Operation(rawValue: node.type) else {
        throw fail(node, "of a tensor that is not a shape is not supported")
      }
      append(operation, node)
      if operation == .gelu { graph.opset = max(graph.opset, 20) }
    }
  }

  func fail(_ node: RawNode, _ problem: String) -> GraphError {
    GraphError("node '\(node.name)' (\(node.type))", problem)
  }

  /// Lets what follows read the node's first input instead of its result.
  mutating func forward(_ node: RawNode) {
    guard let input = node.inputs.first, let output = node.outputs.first else { return }
    if outputs.contains(output) {
      append(.identity, node, inputs: [input], outputs: [output], attributes: [:])
    } else {
      origins[output] = input
    }
  }

  mutating func append(
    _ operation: Operation, _ node: RawNode, inputs: [String]? = nil, outputs: [String]? = nil,
    attributes: [String: Attribute]? = nil
  ) {
    let made = Node(
      node.name, operation, inputs: inputs ?? node.inputs, outputs: outputs ?? node.outputs,
      attributes: attributes ?? node.attributes)
    graph.nodes.append(made)
    guard (try? Signature(operation).check(made)) != nil,
      let result = try? ShapeInference(node: made, values: values, constants: graph.initializers)
        .result()
    else { return }  // What is wrong is said when the whole graph is checked.
    values[made.outputs[0]] = Value(made.outputs[0], result.type, shape: result.shape)
  }

  /// Adds a constant and gives its name.
  mutating func constant(_ name: String, _ tensor: Tensor) -> String {
    if graph.initializers[name] == tensor { return name }
    let free = graph.initializers[name] == nil && values[name] == nil ? name : "\(name).constant"
    graph.initializers[free] = tensor
    values[free] = Value(free, tensor.elementType, shape: tensor.shape)
    return free
  }

  func shape(_ node: RawNode, _ index: Int = 0) throws(GraphError) -> [Int?] {
    guard node.inputs.indices.contains(index), let value = values[node.inputs[index]] else {
      throw fail(node, "reads a tensor whose shape is not known")
    }
    return value.shape
  }

  /// The whole numbers of attribute `key` or, in newer operator sets, of input `index`.
  func list(_ node: RawNode, _ key: String, input index: Int) throws(GraphError) -> [Int]? {
    if case .ints(let values)? = node.attributes[key] { return values }
    guard node.inputs.indices.contains(index), node.inputs[index] != "" else { return nil }
    guard let known = wholes(node.inputs[index]) else {
      throw fail(node, "its \(key) '\(node.inputs[index])' are not constants")
    }
    return try known.map { value throws(GraphError) in
      guard let value else { throw fail(node, "its \(key) depend on the batch") }
      return value
    }
  }

  private func isCopy(_ node: RawNode) -> Bool {
    guard let input = node.inputs.first.flatMap({ values[$0] }), input.elementType == .float32,
      graph.initializers[input.name] == nil, case .int(let code)? = node.attributes["to"],
      let code = Int32(exactly: code)
    else { return false }
    return ElementType(onnx: code)?.widened == .float32
  }
}

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
  private mutating func computeNumbers(_ node: RawNode) -> Bool {
    guard let output = node.outputs.first, node.outputs.count == 1, let first = node.inputs.first
    else { return false }
    if node.type == "Shape" {
      if let known = numbers[first] {
        numbers[output] = [known.count]
        return true
      }
      guard let shape = values[first]?.shape else { return false }
      func place(_ key: String, _ standard: Int) -> Int {
        guard case .int(let value)? = node.attributes[key] else { return standard }
        return min(max(value < 0 ? value &+ shape.count : value, 0), shape.count)
      }
      let start = place("start", 0)
      numbers[output] = Array(shape[start..<max(start, place("end", shape.count))])
      return true
    }
    // Constants alone are left to constant folding, which knows no remainders.
    guard node.type == "Mod" || node.inputs.contains(where: { numbers[$0] != nil }) else {
      return false
    }
    let operands = node.inputs.map { wholes($0) }
    guard let x = operands[0] else { return false }
    func combine(_ function: (Int, Int) -> Int?) -> [Int?]? {
      guard operands.count == 2, let y = operands[1], let count = [x.count, y.count].max(),
        [1, count].contains(x.count), [1, count].contains(y.count)
      else { return nil }
      return (0..<count).map { i in
        guard let a = x[x.count == 1 ? 0 : i], let b = y[y.count == 1 ? 0 : i] else { return nil }
        return function(a, b)
      }
    }
    let result: [Int?]?
    switch node.type {
    case "Cast" where node.attributes["to"] == .int(1):
      // Real numbers are constants like any other, as soon as they are known.
      guard x.count == 1, let whole = x[0] else { return false }
      _ = constant(output, Tensor(scalar: Float(whole)))
      return graph.initializers[output] != nil
    case "Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape": result = x
    case "ConstantOfShape":
      guard x.count == 1, let count = x[0], 0...64 ~= count else { return false }
      var value = 0
      if case .tensor(let given)? = node.attributes["value"], given.elementType == .int64,
        given.count == 1
      {
        value = Int(given.values(as: Int64.self)[0])
      }
      result = Array(repeating: value, count: count)
    // A batch is more than 0; only numbers that mean something else can be -1.
    case "Equal":
      result = operands.count == 2 ? operands[1].flatMap { equal(x, $0) } : nil
    case "Where":
      guard operands.count == 3, let yes = operands[1], let no = operands[2],
        yes.count == x.count, no.count == x.count, x.allSatisfy({ $0 != nil })
      else { return false }
      result = x.indices.map { x[$0] != 0 ? yes[$0] : no[$0] }
    case "Mod": result = combine { $1 > 0 && $0 >= 0 ? $0 % $1 : nil }
    case "Gather":
      result = operands[1].flatMap { indices in
        let places = indices.compactMap { $0.map { $0 < 0 ? $0 &+ x.count : $0 } }
        guard places.count == indices.count, places.allSatisfy(x.indices.contains) else {
          return nil
        }
        return places.map { x[$0] }
      }
    case "Concat":
      let parts = operands.compactMap(\.self)
      result = parts.count == operands.count ? parts.flatMap(\.self) : nil
    case "Slice":
      let bounds = operands.dropFirst().map { $0?.count == 1 ? $0?[0] : nil }
      guard bounds.count >= 2, let start = bounds[0], let end = bounds[1],
        bounds.count < 4 || bounds[3] == 1
      else { return false }
      func place(_ value: Int) -> Int { min(max(value < 0 ? value &+ x.count : value, 0), x.count) }
      result = Array(x[place(start)..<max(place(start), place(end))])
    case "Add": result = combine { $0 &+ $1 }
    case "Sub": result = combine { $0 &- $1 }
    case "Mul": result = combine { $0 &* $1 }
    case "Div": result = combine { $1 > 0 ? $0 / $1 : nil }
    default: result = nil
    }
    guard let result else { return false }
    numbers[output] = result
    return true
  }
}

/// Rewriting.
extension ONNXImporter {
  /// Where two lists are equal, as 1 and 0; `nil` where that depends on the batch.
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

  private mutating func appendReshape(_ node: RawNode) throws(GraphError) {
    guard node.inputs.count == 2, let target = wholes(node.inputs[1]) else {
      throw fail(node, "its shape is not known before the model runs")
    }
    if graph.initializers[node.inputs[0]] != nil || values[node.inputs[0]] == nil {
      return append(.reshape, node)
    }
    let x = try shape(node)
    let keepsZero = node.attributes["allowzero"] != .int(1)
    // An extent of 0 is that of the input; `nil`, the batch, can only stand where it stood.
    var wanted: [Int] = []
    // What depends on the batch may be a multiple of it: where all else is known, it is what is left.
    let isRest = !target.contains(-1) && target.count { $0 == nil } == 1
    for (axis, extent) in target.enumerated() {
      switch extent {
      case 0 where keepsZero && x.indices.contains(axis): wanted.append(x[axis] ?? 0)
      case nil where isRest: wanted.append(-1)
      case nil where x.indices.contains(axis) && x[axis] == nil: wanted.append(0)
      case let extent?: wanted.append(extent)
      case nil: throw fail(node, "moves the batch to axis \(axis), which is not supported")
      }
    }
    try appendShaped(node, x, wanted)
  }

  /// A reshape to `wanted`, where 0 stands for the input's extent and -1 for what is left.
  mutating func appendShaped(
    _ node: RawNode, _ x: [Int?], _ wanted: [Int]
  ) throws(GraphError) {
    var rest: Int? = 1
    for extent in x.dropFirst() {
      guard let known = rest, let extent, extent <= 1 << 20, known <= 1 << 40 else {
        rest = nil
        break
      }
      rest = known * extent
    }
    let keepsBatch = wanted.first == 0 || (x.first ?? nil) != nil && wanted.first == x[0]
    let takesRest = wanted.count == 2 && (wanted[1] == -1 || rest != nil && wanted[1] == rest)
    if x.count >= 2, takesRest, keepsBatch || wanted[0] == -1 && wanted[1] == rest {
      return append(
        .flatten, node, inputs: [node.inputs[0]], attributes: ["axis": .int(1)])
    }
    var wanted = wanted
    // A batch that is written down as a number would not follow another one.
    let others = wanted.dropFirst()
    if x.first == .some(nil), wanted.first == -1, others.allSatisfy({ $0 > 0 }),
      rest == others.reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue })
    {
      wanted[0] = 0
    }
    let name = constant(
      "\(node.outputs[0]).shape", Tensor(shape: [wanted.count], wanted.map { Int64($0) }))
    append(.reshape, node, inputs: [node.inputs[0], name], attributes: [:])
  }

  private mutating func appendAxes(_ node: RawNode) throws(GraphError) {
    let x = try shape(node)
    let given = try list(node, "axes", input: 1)
    let rank = node.type == "Squeeze" ? x.count : x.count + (given?.count ?? 0)
    let axes = try Set(
      (given ?? x.indices.filter { x[$0] == 1 }).map { axis throws(GraphError) in
        guard -rank..<rank ~= axis else { throw fail(node, "has axis \(axis) of \(rank)") }
        return axis < 0 ? axis + rank : axis
      })
    var result: [Int?] = []
    if node.type == "Squeeze" {
      guard axes.allSatisfy({ x[$0] == 1 }) else {
        throw fail(node, "squeezes an axis of \(describe(x)) that is not 1 long")
      }
      result = x.indices.filter { !axes.contains($0) }.map { x[$0] }
    } else {
      var old = x.makeIterator()
      for axis in 0..<rank { result.append(axes.contains(axis) ? 1 : old.next() ?? 1) }
    }
    try appendShaped(node, x, target(node, result, of: x))
  }

  private mutating func appendMean(_ node: RawNode) throws(GraphError) {
    let rank = try shape(node).count
    let axes = try list(node, "axes", input: 1)?.map { $0 < 0 ? $0 &+ rank : $0 }.sorted()
    guard rank == 4, axes == [2, 3] else {
      throw fail(
        node, "averages axes \(axes ?? []) of \(rank); only height and width are supported")
    }
    if node.attributes["keepdims"] != .int(0) {
      return append(.globalAveragePool, node, inputs: [node.inputs[0]], attributes: [:])
    }
    let mean = "\(node.outputs[0]).mean"
    append(.globalAveragePool, node, inputs: [node.inputs[0]], outputs: [mean], attributes: [:])
    var flat = node
    flat.name += "_flat"
    append(.flatten, flat, inputs: [mean], attributes: ["axis": .int(1)])
  }

  private mutating func appendSplit(_ node: RawNode) throws(GraphError) {
    let x = try shape(node)
    var axis = 0
    if case .int(let value)? = node.attributes["axis"] { axis = value }
    guard -x.count..<x.count ~= axis, let extent = x[axis < 0 ? axis + x.count : axis] else {
      throw fail(node, "splits axis \(axis) of \(describe(x)), whose extent is not known")
    }
    let count = node.outputs.count
    let part = (extent + count - 1) / max(1, count)
    let equal = (0..<count).map { min(part, max(0, extent - $0 * part)) }
    let sizes = try list(node, "split", input: 1) ?? equal
    guard sizes.count == count, sizes.allSatisfy({ 1...extent ~= $0 }),
      sizes.reduce(0, +) == extent
    else { throw fail(node, "splits \(extent) into \(sizes) for \(count) outputs") }
    var start = 0
    for (index, size) in sizes.enumerated() {
      if node.outputs[index] != "" {
        appendSlice(
          node, node.inputs[0], node.outputs[index], (start, start + size, axis), "_\(index)")
      }
      start += size
    }
  }

  /// One axis at a time.
  private mutating func appendSlices(_ node: RawNode) throws(GraphError) {
    let starts = try list(node, "starts", input: 1) ?? []
    let ends = try list(node, "ends", input: 2) ?? []
    let axes = try list(node, "axes", input: 3) ?? Array(starts.indices)
    let steps = try list(node, "steps", input: 4) ?? starts.map { _ in 1 }
    guard !starts.isEmpty, [ends.count, axes.count, steps.count].allSatisfy({ $0 == starts.count })
    else { throw fail(node, "its starts, ends, axes and steps are not equally many") }
    if graph.initializers[node.inputs[0]] != nil || values[node.inputs[0]] == nil {
      return append(.slice, node)
    }
    guard steps.allSatisfy({ $0 == 1 }) else { throw fail(node, "takes steps of \(steps)") }
    var source = node.inputs[0]
    for i in starts.indices {
      let output = i == starts.count - 1 ? node.outputs[0] : "\(node.outputs[0]).axis\(axes[i])"
      appendSlice(node, source, output, (starts[i], ends[i], axes[i]), i == 0 ? "" : "_\(i)")
      source = output
    }
  }

  mutating func appendSlice(
    _ node: RawNode, _ source: String, _ output: String, _ part: (start: Int, end: Int, axis: Int),
    _ suffix: String
  ) {
    var slice = node
    slice.name += suffix
    func one(_ key: String, _ value: Int) -> String {
      constant("\(output).\(key)", Tensor(shape: [1], [Int64(value)]))
    }
    append(
      .slice, slice,
      inputs: [
        source, one("start", part.start), one("end", part.end), one("axis", part.axis),
      ], outputs: [output], attributes: [:])
  }

  /// Subtracting and dividing by a constant are adding and multiplying by another one.
  private mutating func appendInverse(_ node: RawNode) throws(GraphError) {
    guard node.inputs.count == 2, let tensor = graph.initializers[node.inputs[1]],
      tensor.elementType == .float32
    else {
      throw fail(node, "by what is not a float32 constant is not supported")
    }
    let isDivision = node.type == "Div"
    let inverse = tensor.floats.map { isDivision ? 1 / $0 : -$0 }
    let name = constant("\(node.outputs[0]).operand", Tensor(shape: tensor.shape, inverse))
    append(isDivision ? .multiply : .add, node, inputs: [node.inputs[0], name])
  }

  private func isOneSlope(_ node: RawNode) -> Bool {
    guard node.inputs.count == 2, let slope = graph.initializers[node.inputs[1]],
      slope.elementType == .float32, let first = slope.floats.first
    else { return false }
    return slope.floats.allSatisfy { $0 == first }
  }

  private mutating func appendSlope(_ node: RawNode) {
    let slope = graph.initializers[node.inputs[1]]?.floats.first ?? 0
    append(.leakyRelu, node, inputs: [node.inputs[0]], attributes: ["alpha": .float(slope)])
  }

  private mutating func appendFilled(_ node: RawNode) throws(GraphError) {
    guard let name = node.inputs.first, let wanted = wholes(name) else {
      throw fail(node, "its shape is not known before the model runs")
    }
    let shape = wanted.compactMap(\.self)
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow, product <= 1 << 20 else {
        throw fail(node, "makes a constant of shape \(describe(wanted)), which is too large")
      }
      count = product
    }
    guard shape.count == wanted.count else { throw fail(node, "its shape depends on the batch") }
    var value = Tensor(scalar: Float(0))
    if case .tensor(let given)? = node.attributes["value"], given.count == 1,
      given.elementType.bits >= 8
    {
      value = given
    }
    graph.initializers[node.outputs[0]] = Tensor(
      shape: shape, elementType: value.elementType,
      bytes: (0..<count).flatMap { _ in value.bytes })
    values[node.outputs[0]] = Value(node.outputs[0], value.elementType, shape: shape)
  }
}
