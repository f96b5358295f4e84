import Graphs
import OneDNN
import Tensors

extension TrainingCompiler {
  /// A convolution, in the layouts that oneDNN prefers where the source leaves a choice.
  func lowerConvolution(_ node: Node) throws {
    let source = try activation(node.inputs[0], for: node)
    let kernelShape = try parameterShape(node, 1)
    let groups = node.int("group", default: 1)
    let shape = try shape(of: node.outputs[0])
    let window = OneDNN.Window(try Graphs.Window(node, kernel: Array(kernelShape[2...])))
    let weightShape =
      groups == 1
      ? kernelShape : [groups, kernelShape[0] / groups, kernelShape[1]] + kernelShape[2...]
    let hasBias = node.inputs.count > 2 && !node.inputs[2].isEmpty
    let bias = hasBias ? try vector(node, 2) : nil

    func anyLayout(_ shape: [Int]) throws -> Layout { try Layout(shape, activationType, .any) }
    func forward(from layout: Layout) throws -> PrimitiveDescription {
      try .convolution(
        .training, source: layout, weights: anyLayout(weightShape), bias: bias?.value.layout,
        destination: anyLayout(shape), window: window, on: engine)
    }
    let kernel = try forward(from: anyLayout(source.shape))
    let input = try ordered(
      source.operand, as: kernel.layout(of: .source), .reorderData, node.name)
    let output = writer.array(try kernel.layout(of: .destination))
    let taps = ConvolutionTaps(
      source: source.shape, result: shape, kernel: Array(kernelShape[2...]), window: window)
    let isTapwise =
      groups == 1 && (bias == nil ? taps.isFasterThanDirect : taps.isFasterWithBias)
    let weightsKernel =
      isTapwise
      ? nil
      : try PrimitiveDescription.convolutionBackwardWeights(
        source: input.layout, weightsGradient: Layout(weightShape, .float32, .any),
        biasGradient: bias?.gradient.layout, destinationGradient: output.layout, window: window,
        forward: kernel, on: engine)
    let master = try weightsKernel?.layout(of: .weightsGradient) ?? taps.weightsLayout()
    let slot = try parameters.add(
      node.inputs[1], shape: kernelShape, layout: master, decays: true, for: node)
    var arguments: [(Argument, Operand)] = [
      (.source, input), (.destination, output),
      (.weights, parameters.values(slot, as: try kernel.layout(of: .weights))),
    ]
    if let bias { arguments.append((.bias, bias.value)) }
    try writer.run(.convolutionForward, node.name, kernel, arguments)
    source.isKept = true
    let result = activation(node.outputs[0], output, needsGradient: true)

    onTape { [self] in
      guard let gradient = try gradient(of: result)?.operand else { return }
      let weightsGradient = Operand(layout: master, place: .gradient(slot))
      if let weightsKernel {
        var arguments: [(Argument, Operand)] = [
          (.source, input), (.destinationGradient, gradient), (.weightsGradient, weightsGradient),
        ]
        if let bias { arguments.append((.biasGradient, bias.gradient)) }
        try writer.run(.convolutionBackwardWeights, node.name, weightsKernel, arguments)
      } else {
        try writeTaps(
          taps, node, source: input, gradient: gradient, into: weightsGradient,
          bias: bias?.gradient)
      }
      guard source.needsGradient else { return }
      let dataKernel = try PrimitiveDescription.convolutionBackwardData(
        sourceGradient: input.layout, weights: anyLayout(weightShape),
        destinationGradient: output.layout, window: window, forward: kernel, on: engine)
      let made = writer.array(input.layout)
      let turned = parameters.values(slot, as: try dataKernel.layout(of: .weights))
      try writer.run(
        .convolutionBackwardData, node.name, dataKernel,
        [(.sourceGradient, made), (.weights, turned), (.destinationGradient, gradient)])
      let given = try ordered(made, as: source.operand.layout, .reorderData, node.name)
      source.gradients.append(.init(operand: given, isOwned: true))
    }
  }
}

extension OneDNN.Window {
  /// The window with as much padding at the ends as `outputs` need.
  func reaching(_ outputs: [Int], from inputs: [Int], kernel: [Int]) -> OneDNN.Window {
    var window = self
    for axis in kernel.indices {
      let reach = dilations[axis] * (kernel[axis] - 1) + 1
      window.ends[axis] = (outputs[axis] - 1) * strides[axis] + reach - inputs[axis] - begins[axis]
    }
    return window
  }
}
