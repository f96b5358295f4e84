import Tensors

/// Padding and resizing of images, in one form each.
extension ONNXImporter {
  mutating func appendPad(_ node: RawNode) throws(GraphError) {
    let rank = try shape(node).count
    guard var pads = try list(node, "pads", input: 1) else { throw fail(node, "has no pads") }
    if node.inputs.count > 3, let axes = try list(node, "axes", input: 3) {
      guard pads.count == 2 * axes.count, axes.allSatisfy({ -rank..<rank ~= $0 }) else {
        throw fail(node, "has \(pads.count) pads for axes \(axes)")
      }
      var all = Array(repeating: 0, count: 2 * rank)
      for (i, axis) in axes.enumerated() {
        all[axis < 0 ? axis + rank : axis] = pads[i]
        all[(axis < 0 ? axis + rank : axis) + rank] = pads[i + axes.count]
      }
      pads = all
    }
    if pads.allSatisfy({ $0 == 0 }) { return forward(node) }
    let value = node.inputs.count > 2 && node.inputs[2] != "" ? node.inputs[2] : nil
    let isZero = value.map { graph.initializers[$0]?.floatsIfReal.allSatisfy { $0 == 0 } ?? false }
    let isConstant = (node.attributes["mode"] ?? .string("constant")) == .string("constant")
    if isConstant, isZero ?? true, rank == 4, pads.count == 8, pads.allSatisfy({ $0 >= 0 }),
      pads[0...1] == [0, 0], pads[4...5] == [0, 0], readers[node.outputs[0]] == 1,
      !outputs.contains(node.outputs[0])
    {
      padded[node.outputs[0]] = (node.inputs[0], [pads[2], pads[3], pads[6], pads[7]])
    }
    let name = constant(
      "\(node.outputs[0]).pads", Tensor(shape: [pads.count], pads.map { Int64($0) }))
    append(.pad, node, inputs: [node.inputs[0], name] + (value.map { [$0] } ?? []))
  }

  /// Lets a convolution pad by itself what is padded for it alone.
  mutating func unpad(_ node: inout RawNode) {
    guard node.type == "Conv", let name = node.inputs.first, let pad = padded[name],
      (node.attributes["auto_pad"] ?? .string("NOTSET")) == .string("NOTSET"),
      let index = graph.nodes.lastIndex(where: { $0.outputs == [name] })
    else { return }
    var pads = [0, 0, 0, 0]
    if let given = node.attributes["pads"] {
      guard case .ints(let values) = given, values.count == 4,
        values.allSatisfy({ 0...(1 << 20) ~= $0 })
      else { return }
      pads = values
    }
    node.attributes["pads"] = .ints(zip(pads, pad.pads).map { $0 &+ $1 })
    node.inputs[0] = pad.source
    graph.initializers[graph.nodes[index].inputs[1]] = nil
    graph.nodes.remove(at: index)
  }

  /// Sizes and scales of all axes or of some become scales of all.
  mutating func appendResize(_ node: RawNode) throws(GraphError) {
    let x = try shape(node)
    func text(_ key: String, _ standard: String) -> String {
      if case .string(let value)? = node.attributes[key] { value } else { standard }
    }
    let (mode, place) = (
      text("mode", "nearest"), text("coordinate_transformation_mode", "half_pixel")
    )
    guard x.count == 4, ["nearest", "linear"].contains(mode),
      ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"].contains(place),
      (node.attributes["antialias"] ?? .int(0)) == .int(0),
      text("keep_aspect_ratio_policy", "stretch") == "stretch"
    else {
      throw fail(
        node, "resizes \(describe(x)) by mode '\(mode)', '\(place)', which is not supported")
    }
    var axes = [0, 1, 2, 3]
    if case .ints(let given)? = node.attributes["axes"] {
      axes = given.map { $0 < 0 ? $0 &+ 4 : $0 }
      guard axes.allSatisfy({ 0..<4 ~= $0 }) else { throw fail(node, "has axes \(given)") }
    }
    var scales: [Float] = [1, 1, 1, 1]
    func given(_ index: Int) -> String? {
      node.inputs.indices.contains(index) && node.inputs[index] != "" ? node.inputs[index] : nil
    }
    if let name = given(3) {
      guard let sizes = wholes(name), sizes.count == axes.count else {
        throw fail(node, "its sizes '\(name)' are not known before the model runs")
      }
      for (axis, size) in zip(axes, sizes) where axis > 1 {
        guard let size, let extent = x[axis], 1...(1 << 20) ~= size, 1...(1 << 20) ~= extent else {
          throw fail(node, "resizes \(describe(x)) to sizes that are not known")
        }
        scales[axis] = Float(size) / Float(extent)
        if Int(Float(extent) * scales[axis]) < size { scales[axis] = scales[axis].nextUp }
      }
    } else if let name = given(2), let tensor = graph.initializers[name],
      tensor.elementType == .float32, tensor.count == axes.count
    {
      for (axis, scale) in zip(axes, tensor.floats) { scales[axis] = scale }
    } else {
      throw fail(node, "has neither sizes nor scales that are constants")
    }
    var attributes = node.attributes
    attributes["axes"] = nil
    let name = constant("\(node.outputs[0]).scales", Tensor(shape: [4], scales))
    append(.resize, node, inputs: [node.inputs[0], "", name], attributes: attributes)
  }
}

extension Tensor {
  /// The elements of a `float32` tensor; none of any other.
  var floatsIfReal: [Float] { elementType == .float32 ? floats : [] }
}
