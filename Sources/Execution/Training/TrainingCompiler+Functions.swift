import Graphs
import OneDNN
import Tensors

/// Functions of each element and products, as networks from elsewhere use them.
extension TrainingCompiler {
  /// A function of each element; backward reads its argument.
  func lowerFunction(
    _ node: Node, _ function: Elementwise, alpha: Float = 0, beta: Float = 0, input: Int = 0
  ) throws {
    let source = try activation(node.inputs[input], for: node)
    let layout = source.operand.layout
    let output = writer.array(layout)
    let forward = try PrimitiveDescription.elementwise(
      .training, function, source: layout, destination: layout, alpha: alpha, beta: beta,
      on: engine)
    try writer.run(
      .elements, node.name, forward, [(.source, source.operand), (.destination, output)])
    source.isKept = true
    let result = activation(node.outputs[0], output, needsGradient: source.needsGradient)
    onTape { [self] in
      guard source.needsGradient, let gradient = try gradient(of: result) else { return }
      let backward = try PrimitiveDescription.elementwiseBackward(
        function, sourceGradient: layout, destinationGradient: layout, data: layout, alpha: alpha,
        beta: beta, forward: forward, on: engine)
      let made = gradient.isOwned ? gradient.operand : writer.array(layout)
      try writer.run(
        .elements, node.name, backward,
        [
          (.source, source.operand), (.destinationGradient, gradient.operand),
          (.sourceGradient, made),
        ])
      source.gradients.append(.init(operand: made, isOwned: true))
    }
  }

  /// `Clip`, whose gradient is zero on the bounds as PyTorch's is.
  func lowerClip(_ node: Node) throws {
    func bound(_ index: Int, _ standard: Float) throws -> Float {
      guard node.inputs.count > index, !node.inputs[index].isEmpty else { return standard }
      guard let value = scalar(node.inputs[index]) else {
        throw ExecutionError(node, "its bounds are not constants; training needs them to be")
      }
      return value
    }
    try lowerFunction(
      node, .clipOpen, alpha: bound(1, -.greatestFiniteMagnitude),
      beta: bound(2, .greatestFiniteMagnitude))
  }

  /// The one element of a float32 constant.
  private func scalar(_ name: String) -> Float? {
    guard let tensor = graph.initializers[name], tensor.elementType == .float32, tensor.count == 1
    else { return nil }
    return tensor.floats[0]
  }

  /// Adds or multiplies by a constant number; `false` where no input is one.
  func lowerWithNumber(_ node: Node) throws -> Bool {
    guard let index = node.inputs.firstIndex(where: { scalar($0) != nil }),
      let number = scalar(node.inputs[index])
    else { return false }
    let isSum = node.operation == .add
    try lowerFunction(
      node, .linear, alpha: isSum ? 1 : number, beta: isSum ? number : 0, input: 1 - index)
    return true
  }

  /// A product of two activations; the second may have one number for each channel of an image.
  func lowerMultiplication(_ node: Node) throws {
    if try lowerWithNumber(node) { return }
    var sources = [
      try activation(node.inputs[0], for: node), try activation(node.inputs[1], for: node),
    ]
    if sources[0].shape != (try shape(of: node.outputs[0])) { sources.swapAt(0, 1) }
    let (large, small) = (sources[0], sources[1])
    let isWhole = large.shape == small.shape
    guard
      isWhole || large.shape.count == 4 && small.shape == Array(large.shape[..<2]) + [1, 1]
    else {
      throw ExecutionError(
        node,
        "multiplies \(large.shape) and \(small.shape); training needs equal shapes or one "
          + "number for each channel")
    }
    let layout = large.operand.layout
    let factor =
      isWhole ? try ordered(small.operand, as: layout, .reorderData, node.name) : small.operand
    let output = writer.array(layout)
    let product = try PrimitiveDescription.binary(
      .multiply, layout, factor.layout, destination: layout, on: engine)
    try writer.run(
      .elements, node.name, product,
      [(.source, large.operand), (.source1, factor), (.destination, output)])
    (large.isKept, small.isKept) = (true, true)
    let result = activation(
      node.outputs[0], output, needsGradient: large.needsGradient || small.needsGradient)
    onTape { [self] in
      guard result.needsGradient, let gradient = try gradient(of: result)?.operand else { return }
      if small.needsGradient {
        var given = writer.array(layout)
        try writer.run(
          .elements, node.name,
          .binary(.multiply, layout, layout, destination: layout, on: engine),
          [(.source, gradient), (.source1, large.operand), (.destination, given)])
        if !isWhole { given = try sumOfImage(given, small.operand.layout, node.name) }
        let fitting = try ordered(given, as: small.operand.layout, .reorderData, node.name)
        small.gradients.append(.init(operand: fitting, isOwned: true))
      }
      guard large.needsGradient else { return }
      let made = writer.array(layout)
      try writer.run(
        .elements, node.name, product,
        [(.source, gradient), (.source1, factor), (.destination, made)])
      large.gradients.append(.init(operand: made, isOwned: true))
    }
  }

  /// The sum over height and width: an average times the number of pixels.
  private func sumOfImage(_ image: Operand, _ like: Layout, _ name: String) throws -> Operand {
    let extents = Array(image.layout.shape[2...])
    let whole = OneDNN.Window(strides: [1, 1], dilations: [1, 1], begins: [0, 0], ends: [0, 0])
    guard let type = like.elementType else { return image }
    let average = try PrimitiveDescription.pooling(
      .inference, .averageWithoutPadding, source: image.layout,
      destination: Layout(like.shape, type, .any), kernel: extents, window: whole, on: engine)
    let made = writer.array(try average.layout(of: .destination))
    try writer.run(.pooling, name, average, [(.source, image), (.destination, made)])
    let scaled = writer.array(made.layout)
    try writer.run(
      .elements, name,
      .elementwise(
        .inference, .linear, source: made.layout, destination: made.layout,
        alpha: Float(extents.reduce(1, *)), on: engine),
      [(.source, made), (.destination, scaled)])
    return scaled
  }
}
