import Graphs
import OneDNN
import Tensors

/// Rows of transformers and ConvNeXts, padding and resizing.
extension Lowering {
  mutating func lowerToken(_ node: Node) throws(ExecutionError) {
    switch node.operation {
    case .layerNormalization:
      var parameters: [[Float]] = []
      for name in node.inputs.dropFirst() where name != "" {
        guard let (_, values) = try constants.reals(name) else {
          throw ExecutionError(node, "parameter '\(name)' is not a constant")
        }
        parameters.append(values)
      }
      try appendPlain(
        node,
        .layerNormalization(
          scale: parameters[0], shift: parameters.count > 1 ? parameters[1] : nil,
          epsilon: node.float("epsilon", default: 1e-5)))
    case .pRelu:
      guard let (_, slopes) = try constants.reals(node.inputs[1]) else {
        throw ExecutionError(node, "slopes '\(node.inputs[1])' are not a constant")
      }
      try appendPlain(node, .slopes(slopes))
    case .matMul:
      let sources = [try operand(node.inputs[0]), try operand(node.inputs[1])]
      guard sources.allSatisfy({ program.slots[$0.slot].constant == nil || activation == .float32 })
      else { throw ExecutionError(node, "of constants is run in float32 only") }
      var reals: [View] = []
      for (view, name) in zip(sources, node.inputs) {
        reals.append(inActivationType(view.affine == nil ? view : try realView(name), name))
      }
      try append(node, .matrices, reals, Chain(last: node.outputs[0]))
    case .pad: try lowerPad(node)
    case .resize:
      let mode: Resampling.Mode
      do {
        mode = try Resampling.Mode(node, graph.initializers[node.inputs[2]]?.floats ?? [])
      } catch { throw ExecutionError(node, error.problem) }
      try appendPlain(node, .resampling(mode))
    default: preconditionFailure("\(node.name) is lowered elsewhere")
    }
  }

  /// `view` in the type that activations are held in, as both operands of a product have to be.
  private mutating func inActivationType(_ view: View, _ name: String) -> View {
    guard program.slots[view.slot].elementType != activation else { return view }
    let slot = program.addSlot(name, shape(name), activation)
    add(Step(name: "\(name) as \(activation)", work: .copy, sources: [view], destination: slot))
    return View(slot: slot)
  }

  /// Whole numbers are padded by what stands for the value, where it can be said exactly.
  private mutating func lowerPad(_ node: Node) throws(ExecutionError) {
    let pads: [Int64] =
      graph.initializers[node.inputs[1]].map {
        $0.elementType == .int64
          ? $0.values(as: Int64.self) : $0.values(as: Int32.self).map { Int64($0) }
      } ?? []
    var value: Float = 0
    if node.inputs.count > 2, node.inputs[2] != "" {
      value = try constants.reals(node.inputs[2])?.values.first ?? 0
    }
    var source = try view(node.inputs[0])
    if source.slot == 0 || source.affine != nil && value != 0 {
      source = try realView(node.inputs[0])
    }
    let slot = addSlot(node, program.slots[source.slot].elementType)
    add(
      Step(
        name: node.name,
        work: .padding(
          begins: pads.prefix(pads.count / 2).map { Int($0) },
          value: source.affine.map { Float($0.zeroPoint) } ?? value),
        sources: [View(slot: source.slot)], destination: slot))
    views[node.outputs[0]] = View(slot: slot, affine: source.affine)
  }

  /// The tensors of four axes that no kernel for images reads or writes.
  ///
  /// What is computed element by element lies like what it is computed from.
  static func rows(_ nodes: [Node], _ types: [String: TensorType]) -> Set<String> {
    var parents: [String: String] = [:]
    func root(_ name: String) -> String {
      var name = name
      while let parent = parents[name] { name = parent }
      return name
    }
    var images: [String] = []
    for node in nodes {
      let tensors = ([node.inputs.first ?? "", node.outputs[0]]).filter {
        types[$0]?.shape.count == 4
      }
      switch node.operation {
      case .convolution, .batchNormalization, .maxPool, .averagePool, .globalAveragePool, .pRelu,
        .resize:
        images += tensors
      case .relu, .leakyRelu, .clip, .sigmoid, .hardSigmoid, .hardSwish, .gelu, .add, .multiply,
        .quantizeLinear, .dequantizeLinear, .concatenate, .slice, .pad, .softmax, .logSoftmax,
        .identity, .layerNormalization:
        let all = (node.inputs + node.outputs).filter { types[$0]?.shape.count == 4 }
        for other in all.dropFirst() {
          let (a, b) = (root(all[0]), root(other))
          if a != b { parents[b] = a }
        }
      // Channels are shuffled between two of these, with the channels last.
      case .reshape
      where Set(node.inputs.prefix(1) + node.outputs).contains {
        types[$0]?.shape.count == 5
      }: images += tensors
      default: break
      }
    }
    let groups = Set(images.map(root))
    return Set(types.filter { $0.value.shape.count == 4 && !groups.contains(root($0.key)) }.keys)
  }
}
