import Graphs
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
    while let (index, node) = onlyConsumer(of: chain.last) {
      switch node.operation {
      case .quantizeLinear:
        let target = try affine(node)
        if case .relu? = chain.epilogue.last, target.zeroPoint == target.range.lowerBound {
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
      case .relu: chain.epilogue.append(.relu)
      case .batchNormalization where node.inputs[0] == chain.last:
        let (scale, shift) = try normalization(node)
        chain.epilogue.append(.affine(scale: scale, shift: shift))
      case .add:
        guard let term = try term(of: node, besides: chain.last) else { return chain }
        chain.epilogue.append(term)
      default: return chain
      }
      chain.absorbed.insert(index)
      chain.last = node.outputs[0]
    }
    return chain
  }

  /// The one node that reads `tensor`, unless the caller wants to see `tensor` too.
  private func onlyConsumer(of tensor: String) -> (Int, Node)? {
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
      return .affine(scale: values.map { _ in 1 }, shift: values)
    }
    guard let view = views[other], view.slot != 0, program.slots[view.slot].shape == shape else {
      return nil
    }
    return .add(view)
  }
}
