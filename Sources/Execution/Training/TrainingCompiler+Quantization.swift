import Graphs
import OneDNN
import Tensors

extension TrainingCompiler {
  /// A `QuantizeLinear` with the `DequantizeLinear` that reads it: rounding to 8 bits and back.
  ///
  /// Scale and zero point are constants and stay.
  func lowerQuantization(_ node: Node) throws {
    guard let back = fusedReader(of: node.outputs[0], .dequantizeLinear),
      back.inputs.dropFirst() == node.inputs.dropFirst()
    else {
      throw ExecutionError(
        node, "is not followed by one DequantizeLinear of the same scale; training needs it to be")
    }
    let rounding = try fakeQuantization(of: node)
    let source = try activation(node.inputs[0], for: node)
    let layout = source.operand.layout
    guard layout.elementType == .float32 else {
      throw ExecutionError(node, "rounds to 8 bits; training needs float32 for it")
    }
    // In any layout the padding is zero, which every grid has.
    let count = layout.byteCount / 4
    let output = writer.array(layout)
    writer.run(.elements, node.name, on: [source.operand, output]) { arrays in
      rounding.forward(arrays[0], to: arrays[1], count: count)
    }
    source.isKept = true
    let result = activation(back.outputs[0], output, needsGradient: source.needsGradient)
    onTape { [self] in
      guard source.needsGradient, let gradient = try gradient(of: result) else { return }
      let made = gradient.isOwned ? gradient.operand : writer.array(layout)
      writer.run(.elements, node.name, on: [source.operand, gradient.operand, made]) { arrays in
        rounding.backward(arrays[0], gradient: arrays[1], to: arrays[2], count: count)
      }
      source.gradients.append(.init(operand: made, isOwned: true))
    }
  }

  private func fakeQuantization(of node: Node) throws -> FakeQuantization {
    guard node.inputs.count > 1, let scale = graph.initializers[node.inputs[1]],
      scale.elementType == .float32, scale.count == 1, scale.floats[0] > 0
    else {
      throw ExecutionError(node, "its scale is not one positive constant; training needs it to be")
    }
    var (lowest, highest, zero): (Int, Int, Int) = (0, 255, 0)
    if node.inputs.count > 2, !node.inputs[2].isEmpty {
      guard let point = graph.initializers[node.inputs[2]], point.count == 1,
        [.uint8, .int8].contains(point.elementType)
      else {
        throw ExecutionError(
          node, "its zero point is not one 8-bit constant; training needs it to be")
      }
      if point.elementType == .int8 {
        (lowest, highest, zero) = (-128, 127, Int(point.values(as: Int8.self)[0]))
      } else {
        zero = Int(point.values(as: UInt8.self)[0])
      }
    }
    return FakeQuantization(
      scale: scale.floats[0], steps: Float(lowest - zero)...Float(highest - zero))
  }
}
