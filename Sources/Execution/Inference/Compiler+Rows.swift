import OneDNN
import Tensors

/// Kernels of transformers.
extension Compiler {
  func prepareRows(_ result: inout Prepared, _ step: Step) throws {
    let source = layouts[step.sources[0].slot]
    let destination = layouts[step.destination]
    switch step.work {
    case .layerNormalization(let scale, let shift, let epsilon):
      result.bindings[.scale] = .constant(try constant([scale.count], scale))
      if let shift { result.bindings[.shift] = .constant(try constant([shift.count], shift)) }
      result.kernel = .primitive(
        try .layerNormalization(
          .inference, source: source, destination: destination, epsilon: epsilon,
          options: shift == nil ? .scale : [.scale, .shift], on: engine))
    case .slopes(let values):
      let slopes = try channels(values, rank: source.shape.count)
      result.bindings[.weights] = .constant(slopes)
      result.kernel = .primitive(
        try .parametricRelu(
          .inference, source: source, weights: slopes.layout, destination: destination, on: engine))
    case .matrices:
      let rank = destination.shape.count
      let operands = try step.sources.map { view in
        let layout = layouts[view.slot]
        let missing = rank - layout.shape.count
        return missing == 0
          ? layout : try layout.reshaped(Array(repeating: 1, count: missing) + layout.shape)
      }
      result.bindings[.source] = .slot(step.sources[0].slot, as: operands[0])
      result.bindings[.weights] = .slot(step.sources[1].slot, as: operands[1])
      result.kernel = .primitive(
        try .matrixProduct(
          source: operands[0], weights: operands[1], destination: destination, on: engine))
    default: preconditionFailure("\(step.name) has another kernel")
    }
  }
}
