import Graphs
import OneDNN
import Tensors

extension TrainingCompiler {
  /// A maximum or an average over windows, or over the whole image.
  func lowerPooling(_ node: Node) throws {
    let source = try activation(node.inputs[0], for: node)
    let layout = source.operand.layout
    let shape = try shape(of: node.outputs[0])
    let kernel: [Int]
    let window: OneDNN.Window
    let pooling: Pooling
    if node.operation == .globalAveragePool {
      kernel = Array(source.shape[2...])
      window = .init(strides: [1, 1], dilations: [1, 1], begins: [0, 0], ends: [0, 0])
      pooling = .averageWithoutPadding
    } else {
      let described = try Graphs.Window(node)
      kernel = described.kernel
      window = OneDNN.Window(described).reaching(
        Array(shape[2...]), from: Array(source.shape[2...]), kernel: kernel)
      let counts = node.int("count_include_pad", default: 0) != 0
      if counts, window != OneDNN.Window(described), described.roundsUp {
        throw ExecutionError(
          node, "averages over padding that rounding up adds; this is not supported")
      }
      pooling =
        node.operation == .maxPool
        ? .maximum : counts ? .averageWithPadding : .averageWithoutPadding
    }
    guard let type = layout.elementType else { return }
    let forward = try PrimitiveDescription.pooling(
      .training, pooling, source: layout, destination: Layout(shape, type, .any), kernel: kernel,
      window: window, on: engine)
    let output = writer.array(try forward.layout(of: .destination))
    let workspace =
      pooling == .maximum ? writer.array(try forward.layout(of: .workspace)) : nil
    var arguments: [(Argument, Operand)] = [(.source, source.operand), (.destination, output)]
    if let workspace { arguments.append((.workspace, workspace)) }
    try writer.run(.pooling, node.name, forward, arguments)
    let result = activation(node.outputs[0], output, needsGradient: source.needsGradient)
    onTape { [self] in
      guard source.needsGradient, let gradient = try gradient(of: result)?.operand else { return }
      let backward = try PrimitiveDescription.poolingBackward(
        pooling, sourceGradient: layout, destinationGradient: output.layout, kernel: kernel,
        window: window, forward: forward, on: engine)
      let made = writer.array(layout)
      var arguments: [(Argument, Operand)] = [
        (.destinationGradient, gradient), (.sourceGradient, made),
      ]
      if let workspace { arguments.append((.workspace, workspace)) }
      try writer.run(.pooling, node.name, backward, arguments)
      source.gradients.append(.init(operand: made, isOwned: true))
    }
  }

  /// An image as a row; rows are float32, because what follows is small and decides.
  func lowerFlatten(_ node: Node) throws {
    let source = try activation(node.inputs[0], for: node)
    guard node.int("axis", default: 1) == 1 else {
      throw ExecutionError(node, "axis is \(node.int("axis", default: 1)); training needs 1")
    }
    let shape = try shape(of: node.outputs[0])
    let image = try Layout(source.shape, .float32)
    let flat = try Layout(shape, .float32)
    let ordered = try ordered(source.operand, as: image, .reorderData, node.name)
    let output = Operand(layout: flat, place: ordered.place)
    let result = activation(node.outputs[0], output, needsGradient: source.needsGradient)
    // Where nothing was copied, both names stand for the same bytes.
    result.isKept = ordered.place == source.operand.place
    onTape { [self] in
      guard source.needsGradient, let gradient = try gradient(of: result) else { return }
      let image = Operand(layout: image, place: gradient.operand.place)
      let given = try self.ordered(image, as: source.operand.layout, .reorderData, node.name)
      source.gradients.append(
        .init(operand: given, isOwned: gradient.isOwned || given.place != image.place))
    }
  }

  /// A fully connected layer, in float32.
  func lowerGemm(_ node: Node) throws {
    let source = try activation(node.inputs[0], for: node)
    guard node.int("transA", default: 0) == 0, node.float("alpha", default: 1) == 1,
      node.float("beta", default: 1) == 1
    else { throw ExecutionError(node, "has transA, alpha or beta; training needs a plain layer") }
    let weightShape = try parameterShape(node, 1)
    let isTransposed = node.int("transB", default: 0) != 0
    let kept = try Layout(weightShape, .float32)
    let layout = isTransposed ? kept : try kept.permuted([1, 0])
    let slot = try parameters.add(
      node.inputs[1], shape: weightShape, layout: kept, decays: true, for: node)
    let weights = Operand(layout: layout, place: .value(slot))
    let hasBias = node.inputs.count > 2 && !node.inputs[2].isEmpty
    let bias = hasBias ? try vector(node, 2) : nil
    let rows = try Layout(source.shape, .float32)
    let input = try ordered(source.operand, as: rows, .reorderData, node.name)
    let output = writer.array(try Layout(shape(of: node.outputs[0]), .float32))
    let forward = try PrimitiveDescription.innerProduct(
      .training, source: rows, weights: layout, bias: bias?.value.layout,
      destination: output.layout, on: engine)
    var arguments: [(Argument, Operand)] = [
      (.source, input), (.weights, weights), (.destination, output),
    ]
    if let bias { arguments.append((.bias, bias.value)) }
    try writer.run(.product, node.name, forward, arguments)
    source.isKept = true
    let result = activation(node.outputs[0], output, needsGradient: true)

    onTape { [self] in
      guard let gradient = try gradient(of: result)?.operand else { return }
      let weightsKernel = try PrimitiveDescription.innerProductBackwardWeights(
        source: rows, weightsGradient: layout, biasGradient: bias?.gradient.layout,
        destinationGradient: output.layout, forward: forward, on: engine)
      var arguments: [(Argument, Operand)] = [
        (.source, input), (.destinationGradient, gradient),
        (.weightsGradient, Operand(layout: layout, place: .gradient(slot))),
      ]
      if let bias { arguments.append((.biasGradient, bias.gradient)) }
      try writer.run(.product, node.name, weightsKernel, arguments)
      guard source.needsGradient else { return }
      let dataKernel = try PrimitiveDescription.innerProductBackwardData(
        sourceGradient: rows, weights: layout, destinationGradient: output.layout,
        forward: forward, on: engine)
      let made = writer.array(rows)
      try writer.run(
        .product, node.name, dataKernel,
        [(.sourceGradient, made), (.weights, weights), (.destinationGradient, gradient)])
      let given = try ordered(made, as: source.operand.layout, .reorderData, node.name)
      source.gradients.append(.init(operand: given, isOwned: true))
    }
  }
}
