import Graphs
import OneDNN
import Tensors

extension TrainingCompiler {
  /// Batch normalization on the batch's own statistics, with the ReLU that follows it.
  func lowerNormalization(_ node: Node) throws {
    let source = try activation(node.inputs[0], for: node)
    let layout = source.operand.layout
    let channels = source.shape[1]
    let epsilon = node.float("epsilon", default: 1e-5)
    let (scale, shift) = (try vector(node, 1), try vector(node, 2))
    // 1 would keep the statistics for ever: so PyTorch's exporter writes a momentum of `None`.
    let momentum = node.float("momentum", default: 0.9)
    let statistics = NormalizationStatistics(
      names: (node.inputs[3], node.inputs[4]), channels: channels,
      population: source.shape.reduce(1, *) / channels,
      keep: momentum < 1 ? momentum : 0.9)
    self.statistics.append(statistics)
    let vectorLayout = try Layout([channels], .float32)
    let mean = Operand(layout: vectorLayout, place: .fixed(.init(statistics.mean.pointer)))
    let variance = Operand(layout: vectorLayout, place: .fixed(.init(statistics.variance.pointer)))

    var options: NormalizationOptions = [.scale, .shift]
    let relu = fusedRelu(after: node.outputs[0])
    if relu != nil { options.insert(.relu) }
    let kernel = try PrimitiveDescription.batchNormalization(
      .training, source: layout, destination: layout, epsilon: epsilon, options: options,
      on: engine)
    let output = writer.array(layout)
    var arguments: [(Argument, Operand)] = [
      (.source, source.operand), (.destination, output), (.mean, mean), (.variance, variance),
      (.scale, scale.value), (.shift, shift.value),
    ]
    let workspace = relu == nil ? nil : writer.array(try kernel.layout(of: .workspace))
    if let workspace { arguments.append((.workspace, workspace)) }
    try writer.run(.normalizationForward, node.name, kernel, arguments)
    source.isKept = true
    let result = activation((relu ?? node).outputs[0], output, needsGradient: true)

    onTape { [self] in
      guard let gradient = try gradient(of: result) else { return }
      let kernel = try PrimitiveDescription.batchNormalizationBackward(
        sourceGradient: layout, destinationGradient: layout, source: layout, epsilon: epsilon,
        options: options, forward: kernel, on: engine)
      let made = gradient.isOwned ? gradient.operand : writer.array(layout)
      var arguments: [(Argument, Operand)] = [
        (.source, source.operand), (.mean, mean), (.variance, variance), (.scale, scale.value),
        (.destinationGradient, gradient.operand), (.sourceGradient, made),
        (.scaleGradient, scale.gradient), (.shiftGradient, shift.gradient),
      ]
      if let workspace { arguments.append((.workspace, workspace)) }
      try writer.run(.normalizationBackward, node.name, kernel, arguments)
      source.gradients.append(.init(operand: made, isOwned: true))
    }
  }

  /// A ReLU that no other node has taken along.
  func lowerRelu(_ node: Node) throws {
    let source = try activation(node.inputs[0], for: node)
    let layout = source.operand.layout
    let output = writer.array(layout)
    try writer.run(
      .elements, node.name,
      .elementwise(.training, .relu, source: layout, destination: layout, on: engine),
      [(.source, source.operand), (.destination, output)])
    let result = activation(node.outputs[0], output, needsGradient: source.needsGradient)
    result.isKept = true
    onTape { [self] in
      guard source.needsGradient, let gradient = try gradient(of: result, throughRelu: output)
      else { return }
      source.gradients.append(gradient)
    }
  }

  /// A sum of two activations, with the ReLU that follows it.
  func lowerAddition(_ node: Node) throws {
    if try lowerWithNumber(node) { return }
    var sources = [
      try activation(node.inputs[0], for: node), try activation(node.inputs[1], for: node),
    ]
    guard sources[0].shape == sources[1].shape else {
      throw ExecutionError(
        node, "adds \(sources[0].shape) and \(sources[1].shape); training needs equal shapes")
    }
    // The sum may be written over a source that nobody else reads.
    func mayOverwrite(_ source: Activation) -> Bool { source.uses == 1 && !source.isKept }
    if !mayOverwrite(sources[0]) { sources.swapAt(0, 1) }
    let layout = sources[0].operand.layout
    let output = mayOverwrite(sources[0]) ? sources[0].operand : writer.array(layout)
    let other = try ordered(sources[1].operand, as: layout, .reorderData, node.name)
    let relu = fusedRelu(after: node.outputs[0])
    var attributes = Attributes()
    if relu != nil { attributes.postOperations = [.elementwise(.relu)] }
    try writer.run(
      .elements, node.name,
      .binary(.add, layout, layout, destination: layout, attributes: attributes, on: engine),
      [(.source, sources[0].operand), (.source1, other), (.destination, output)])
    let result = activation(
      (relu ?? node).outputs[0], output, needsGradient: sources.contains { $0.needsGradient })
    result.isKept = relu != nil

    onTape { [self] in
      guard result.needsGradient,
        let gradient = try gradient(of: result, throughRelu: relu == nil ? nil : output)
      else { return }
      for source in sources where source.needsGradient {
        let given = try ordered(
          gradient.operand, as: source.operand.layout, .reorderData, node.name)
        source.gradients.append(
          .init(operand: given, isOwned: given.place != gradient.operand.place))
      }
    }
  }
}
