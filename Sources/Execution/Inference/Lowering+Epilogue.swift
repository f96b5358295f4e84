import Graphs
import OneDNN
import Tensors

/// The nodes behind a step's main work that it does along with it.
struct Chain {
  var epilogue: [Epilogue] = []
  var quantization: Affine?
  /// The tensor that is written in the end.
  var last: String
  var absorbed: Set<Int> = []
}

extension Lowering {
  /// What a step may take on behind its main work.
  enum Allowance { case everything, quantization }

  /// Follows the only consumer of each tensor from `tensor` on, as far as a kernel can go along.
  ///
  /// Ends at declared outputs, at tensors with several consumers, and at a quantization that
  /// convolutions or poolings read.
  func epilogue(after tensor: String, allowing: Allowance) throws(ExecutionError) -> Chain {
    var chain = Chain(last: tensor)
    while true {
      if allowing == .everything, let gate = gate(on: chain.last) {
        chain.epilogue.append(.elementwise(gate.function))
        chain.absorbed.formUnion(gate.nodes)
        chain.last = gate.result
        continue
      }
      guard let (index, node) = onlyConsumer(of: chain.last) else { break }
      switch node.operation {
      case .quantizeLinear:
        let target = try affine(node)
        if case .elementwise(.relu)? = chain.epilogue.last,
          target.zeroPoint == target.range.lowerBound
        {
          chain.epilogue.removeLast()  // Clipping does the same.
        }
        chain.absorbed.insert(index)
        if let (next, result) = try continuation(of: node, target, allowing) {
          chain.epilogue.append(.rounded(target))
          chain.absorbed.insert(next)
          chain.last = result
          continue
        }
        chain.quantization = target
        chain.last = node.outputs[0]
        return chain
      case _ where allowing == .quantization: return chain
      case _ where function(node) != nil:
        if let function = function(node) { chain.epilogue.append(.elementwise(function)) }
      case .batchNormalization where node.inputs[0] == chain.last:
        let (scale, shift) = try normalization(node)
        chain.epilogue.append(.affine(scale: scale, shift: shift))
      case .add, .multiply:
        guard let term = try term(of: node, besides: chain.last) else { return chain }
        chain.epilogue.append(term)
      default: return chain
      }
      chain.absorbed.insert(index)
      chain.last = node.outputs[0]
    }
    return chain
  }

  /// `x` times a sigmoid of `x`, where nothing else reads either.
  func gate(on tensor: String) -> (function: Function, nodes: [Int], result: String)? {
    guard !declared.contains(tensor), let readers = uses[tensor], readers.count == 2 else {
      return nil
    }
    for (first, second) in [(readers[0], readers[1]), (readers[1], readers[0])] {
      let (sigmoid, product) = (nodes[first], nodes[second])
      guard product.operation == .multiply,
        Set(product.inputs) == [tensor, sigmoid.outputs[0]],
        let (only, _) = onlyConsumer(of: sigmoid.outputs[0]), only == second,
        var function = function(sigmoid)
      else { continue }
      switch function.kind {
      case .logistic: function = Function(kind: .swish, alpha: 1)
      case .hardSigmoid: function.kind = .hardSwish
      default: continue
      }
      return (function, [first, second], product.outputs[0])
    }
    return nil
  }

  /// The function of each element that `node` is, or `nil` where it is something else.
  func function(_ node: Node) -> Function? {
    switch node.operation {
    case .relu: return .relu
    case .leakyRelu:
      return Function(kind: .relu, alpha: node.float("alpha", default: 0.01))
    case .sigmoid: return Function(kind: .logistic)
    case .hardSigmoid:
      return Function(
        kind: .hardSigmoid, alpha: node.float("alpha", default: 0.2),
        beta: node.float("beta", default: 0.5))
    case .gelu:
      let isExact = node.string("approximate", default: "none") == "none"
      return Function(kind: isExact ? .gelu : .geluTanh)
    case .hardSwish: return Function(kind: .hardSwish, alpha: 1 / 6, beta: 0.5)
    case .clip:
      func bound(_ index: Int, _ standard: Float) -> Float {
        guard node.inputs.indices.contains(index) else { return standard }
        return graph.initializers[node.inputs[index]]?.floats.first ?? standard
      }
      let largest = Float.greatestFiniteMagnitude
      return Function(kind: .clip, alpha: bound(1, -largest), beta: bound(2, largest))
    default: return nil
    }
  }

  /// The one node that reads `tensor`, unless the caller wants to see `tensor` too.
  func onlyConsumer(of tensor: String) -> (Int, Node)? {
    guard !declared.contains(tensor), let readers = uses[tensor], readers.count == 1 else {
      return nil
    }
    return (readers[0], nodes[readers[0]])
  }

  /// The dequantization behind `quantization` where more element-wise work follows it.
  private func continuation(
    of quantization: Node, _ target: Affine, _ allowing: Allowance
  ) throws(ExecutionError) -> (index: Int, result: String)? {
    guard allowing == .everything,
      let (index, node) = onlyConsumer(of: quantization.outputs[0]),
      node.operation == .dequantizeLinear, try affine(node) == target,
      let (_, next) = onlyConsumer(of: node.outputs[0])
    else { return nil }
    switch next.operation {
    case .relu, .batchNormalization: return (index, node.outputs[0])
    case .quantizeLinear where try affine(next) != target: return (index, node.outputs[0])
    case .add where try term(of: next, besides: node.outputs[0]) != nil:
      return (index, node.outputs[0])
    default: return nil
    }
  }

  /// What `sum` adds to `tensor`, if it is known by then and needs no stretching of `tensor`.
  private func term(of sum: Node, besides tensor: String) throws(ExecutionError) -> Epilogue? {
    let other = sum.inputs[0] == tensor ? sum.inputs[1] : sum.inputs[0]
    let shape = shape(tensor)
    guard self.shape(sum.outputs[0]) == shape else { return nil }
    if let (extents, values) = try constants.reals(other) {
      let padded = Array(repeating: 1, count: max(0, shape.count - extents.count)) + extents
      let channels = shape.count > 1 ? shape[1] : 1
      guard padded.indices.allSatisfy({ padded[$0] == ($0 == 1 ? channels : 1) }) else {
        return nil
      }
      return sum.operation == .add
        ? .affine(scale: values.map { _ in 1 }, shift: values)
        : .affine(scale: values, shift: values.map { _ in 0 })
    }
    guard sum.operation == .add else { return nil }
    guard let view = views[other], view.slot != 0, program.slots[view.slot].shape == shape else {
      return nil
    }
    return .add(view)
  }
}
