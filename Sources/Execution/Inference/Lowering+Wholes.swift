import Graphs
import OneDNN
import Tensors

/// Work between two quantizers that needs no convolution.
extension Lowering {
  /// `node`, a function of each element, and what follows it up to a quantizer, as one table.
  ///
  /// - Returns: Whether it was possible: the argument is quantized to eight bits, and so is what
  ///   is made of it alone. A product with the argument itself, as in `x · sigmoid(x)`, belongs to
  ///   it, quantized in between or not.
  mutating func lowerLookup(_ node: Node) throws(ExecutionError) -> Bool {
    guard let source = views[node.inputs[0]], let given = source.affine,
      let function = function(node)
    else { return false }
    let argument = given.reals
    var values = argument.map(function.value(at:))
    var last = node.outputs[0]
    var passed: Set<Int> = []
    var end: (table: [UInt8], whole: String, affine: Affine, passed: Set<Int>)?
    while let (index, next) = onlyConsumer(of: last) {
      switch next.operation {
      case .quantizeLinear:
        let target = try affine(next)
        let wholes = values.map(target.whole)
        passed.insert(index)
        end = (wholes.map { UInt8(truncatingIfNeeded: $0) }, next.outputs[0], target, passed)
        values = wholes.map { Float($0 - target.zeroPoint) * target.scale }
      case .dequantizeLinear:
        guard let end, try affine(next) == end.affine else { break }
        passed.insert(index)
      case .multiply:
        let other = next.inputs[0] == last ? next.inputs[1] : next.inputs[0]
        guard try quantized(other) == source else { break }
        values = zip(values, argument).map { $0 * $1 }
        passed.insert(index)
      default:
        guard let function = self.function(next) else { break }
        values = values.map(function.value(at:))
        passed.insert(index)
      }
      guard passed.contains(index) else { break }
      last = next.outputs[0]
    }
    guard let end, liesAs(end.whole, source.slot) else { return false }
    absorbed.formUnion(end.passed)
    let slot = program.addSlot(end.whole, shape(end.whole), end.affine.elementType)
    add(
      Step(
        name: node.name, work: .lookup(end.table), sources: [View(slot: source.slot)],
        destination: slot))
    views[end.whole] = View(slot: slot)
    return true
  }

  /// A product of quantized images with a number for each channel that is quantized again.
  ///
  /// - Returns: Whether `node` is one; squeeze and excitation is.
  mutating func lowerScaling(_ node: Node) throws(ExecutionError) -> Bool {
    var sources: [View] = []
    for name in node.inputs {
      guard let view = views[name], view.slot != 0 else { return false }
      sources.append(view)
    }
    let result = shape(node.outputs[0])
    if program.slots[sources[0].slot].shape != result { sources.swapAt(0, 1) }
    let (images, factors) = (program.slots[sources[0].slot], program.slots[sources[1].slot])
    guard result.count == 4, images.shape == result, sources[0].affine != nil,
      factors.shape == [result[0], result[1], 1, 1],
      sources[1].affine != nil || factors.elementType == .float32
    else { return false }
    let chain = try epilogue(after: node.outputs[0], allowing: .quantization)
    guard chain.quantization != nil, liesAs(chain.last, sources[0].slot),
      !program.rows.contains(images.name)
    else { return false }
    try append(node, .scaling, sources, chain)
    return true
  }

  /// The whole numbers behind the tensor `name`, computed before or dequantized by a node to come.
  private func quantized(_ name: String) throws(ExecutionError) -> View? {
    if let view = views[name] { return view }
    guard let maker = nodes.first(where: { $0.outputs.contains(name) }),
      maker.operation == .dequantizeLinear, let whole = views[maker.inputs[0]]
    else { return nil }
    return View(slot: whole.slot, affine: try affine(maker))
  }

  /// Whether the elements of a tensor called `name` will lie as those of `slot`.
  private func liesAs(_ name: String, _ slot: Int) -> Bool {
    slot != 0 && program.slots[slot].shape == shape(name)
      && program.rows.contains(name) == program.rows.contains(program.slots[slot].name)
  }
}
