import Tensors

/// Other axes for the same numbers, and parts of them.
extension ONNXImporter {
  mutating func appendReshape(_ node: RawNode) throws(GraphError) {
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
    // What is left of an image is known though the number of images is not.
    if wanted.first == 0, let rest, let free = wanted.firstIndex(of: -1) {
      var known = 1
      for (axis, extent) in wanted.enumerated() where axis > 0 && axis != free {
        known = known.multipliedReportingOverflow(by: extent).partialValue
      }
      if known > 0, rest % known == 0 { wanted[free] = rest / known }
    }
    let name = constant(
      "\(node.outputs[0]).shape", Tensor(shape: [wanted.count], wanted.map { Int64($0) }))
    append(.reshape, node, inputs: [node.inputs[0], name], attributes: [:])
  }

  mutating func appendAxes(_ node: RawNode) throws(GraphError) {
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

  mutating func appendSplit(_ node: RawNode) throws(GraphError) {
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
  mutating func appendSlices(_ node: RawNode) throws(GraphError) {
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
}
