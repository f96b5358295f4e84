import Graphs
import Tensors

extension Lowering {
  mutating func lowerConvolution(_ node: Node) throws(ExecutionError) {
    let window: Window
    let shape = self.shape(node.inputs[1])
    do { window = try Window(node, kernel: Array(shape[2...])) } catch {
      throw ExecutionError(error.place, error.problem)
    }
    let chain = try epilogue(after: node.outputs[0], allowing: .everything)
    let bias = try bias(node, count: shape[0])
    var (source, weights) = try operands(node, outputAxis: 0)
    weights.bias = bias
    let (folded, rest) = fold(weights, chain, outputAxis: 0)
    let groups = node.int("group", default: 1)
    try appendExactly(node, folded, source, rest) { .convolution($0, window, groups: groups) }
  }

  mutating func lowerProduct(_ node: Node) throws(ExecutionError) {
    guard node.int("transA", default: 0) == 0 else {
      throw ExecutionError(node, "transposes its first operand, which is not supported")
    }
    let chain = try epilogue(after: node.outputs[0], allowing: .everything)
    let isTransposed = node.int("transB", default: 0) != 0
    let outputs = shape(node.outputs[0])[1]
    var bias = try bias(node, count: outputs)
    var (source, weights) = try operands(node, outputAxis: isTransposed ? 0 : 1)
    if isTransposed { weights = weights.transposed }
    let (alpha, beta) = (node.float("alpha", default: 1), node.float("beta", default: 1))
    if let values = bias, beta != 1 { bias = values.map { $0 * beta } }
    if alpha != 1 {
      weights = try scaled(node, weights, by: alpha, outputs: outputs)
    }
    weights.bias = bias
    let (folded, rest) = fold(weights, chain, outputAxis: 1)
    try appendExactly(node, folded, source, rest, real: .float32) { .product($0) }
  }

  /// A step whose sums of whole numbers are exact on every processor.
  ///
  /// Where pairs of products are added in 16 bits, the step is cut into two whose weights are at
  /// most 64 in magnitude, so that no pair exceeds 255 (64 + 64) = 32640. The second adds what the
  /// first has written before anything is scaled, so that results are those of one step.
  private mutating func appendExactly(
    _ node: Node, _ weights: Weights, _ source: View, _ chain: Chain, real: ElementType? = nil,
    _ work: (Weights) -> Work
  ) throws(ExecutionError) {
    guard pairsSaturate, case .whole(let values, let scales) = weights.values else {
      return try append(node, work(weights), [source], chain, real: real)
    }
    var source = unsigned(source)
    guard values.contains(where: { $0.magnitude > 64 }), let affine = source.affine else {
      return try append(node, work(weights), [source], chain, real: real)
    }
    let halves = values.map { $0 / 2 }
    let ones = scales.map { _ in Float(1) }
    func part(_ values: [Int8]) -> Work {
      work(Weights(shape: weights.shape, values: .whole(values, scales: ones)))
    }
    source.affine?.scale = 1
    let slot = program.addSlot(node.outputs[0], shape(node.outputs[0]), .float32)
    add(
      Step(
        name: "\(node.name), half of the weights", work: part(halves), sources: [source],
        destination: slot))
    var chain = chain
    chain.epilogue.insert(
      contentsOf: [
        .add(View(slot: slot)),
        .affine(
          scale: scales.map { $0 * affine.scale }, shift: weights.bias ?? scales.map { _ in 0 }),
      ], at: 0)
    try append(node, part(zip(values, halves).map { $0 - $1 }), [source], chain, real: real)
  }

  private func scaled(
    _ node: Node, _ weights: Weights, by alpha: Float, outputs: Int
  ) throws(ExecutionError) -> Weights {
    let zeros = Array(repeating: Float(0), count: outputs)
    guard
      let result = weights.folding(scale: zeros.map { _ in alpha }, shift: zeros, outputAxis: 1)
    else { throw ExecutionError(node, "alpha is \(alpha); with quantized weights it must be > 0") }
    return result
  }

  /// Moves scales and shifts at the head of an epilogue into the weights.
  private func fold(_ weights: Weights, _ chain: Chain, outputAxis: Int) -> (Weights, Chain) {
    var (weights, chain) = (weights, chain)
    while case .affine(let scale, let shift)? = chain.epilogue.first,
      let folded = weights.folding(scale: scale, shift: shift, outputAxis: outputAxis)
    {
      weights = folded
      chain.epilogue.removeFirst()
    }
    return (weights, chain)
  }

  /// The activation and the weights of a convolution or product: both whole numbers or both real.
  private mutating func operands(
    _ node: Node, outputAxis: Int
  ) throws(ExecutionError) -> (View, Weights) {
    let name = node.inputs[1]
    let source = try view(node.inputs[0])
    if source.affine != nil, let quantized = try constants.quantized(name),
      let weights = wholeWeights(quantized, outputAxis: outputAxis)
    {
      return (source, weights)
    }
    guard let (shape, values) = try constants.reals(name) else {
      throw ExecutionError(node, "weights '\(name)' are not a constant")
    }
    return (try realView(node.inputs[0]), Weights(shape: shape, values: .real(values)))
  }

  /// Weights as int8 around zero with a scale for each output; `nil` where they are not like that.
  private func wholeWeights(_ constant: Constants.Quantized, outputAxis: Int) -> Weights? {
    guard constant.scales.count == 1 || constant.axis == outputAxis else { return nil }
    var values: [Int8] = []
    values.reserveCapacity(constant.values.count)
    for (i, value) in constant.values.enumerated() {
      guard let value = Int8(exactly: value - constant.zeroPoints[constant.channel(i)]) else {
        return nil
      }
      values.append(value)
    }
    let outputs = constant.shape[outputAxis]
    let scales = (0..<outputs).map { constant.scales[constant.scales.count == 1 ? 0 : $0] }
    return Weights(shape: constant.shape, values: .whole(values, scales: scales))
  }

  /// The bias of a convolution or product; one number may stand for all outputs.
  private func bias(_ node: Node, count: Int) throws(ExecutionError) -> [Float]? {
    guard node.inputs.count > 2, node.inputs[2] != "" else { return nil }
    guard let (shape, values) = try constants.reals(node.inputs[2]) else {
      throw ExecutionError(node, "bias '\(node.inputs[2])' is not a constant")
    }
    if values.count == 1 { return Array(repeating: values[0], count: count) }
    guard values.count == count, shape.last == count else {
      throw ExecutionError(
        node, "bias '\(node.inputs[2])' has the shape \(shape), expected \([count])")
    }
    return values
  }
}

extension Weights {
  /// A matrix with rows and columns exchanged.
  fileprivate var transposed: Weights {
    let (rows, columns) = (shape[0], shape[1])
    func turned<Element>(_ values: [Element]) -> [Element] {
      (0..<values.count).map { values[$0 % rows * columns + $0 / rows] }
    }
    let turnedValues: Values =
      switch values {
      case .real(let reals): .real(turned(reals))
      case .whole(let wholes, let scales): .whole(turned(wholes), scales: scales)
      }
    return Weights(shape: [columns, rows], values: turnedValues, bias: bias)
  }
}
