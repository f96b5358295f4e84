import OneDNN
import Tensors

/// Kernels that move elements without computing anything.
extension Compiler {
  mutating func prepareMove(_ result: inout Prepared, _ step: Step) throws {
    let source = layouts[step.sources[0].slot]
    let destination = layouts[step.destination]
    var (from, to) = (source, destination)
    switch step.work {
    case .concatenation(let axis):
      result.bindings[.source] = nil
      for (i, view) in step.sources.enumerated() {
        result.bindings[.source(at: i)] = .slot(view.slot)
      }
      result.kernel = .primitive(
        try .concatenation(
          step.sources.map { layouts[$0.slot] }, destination: destination, axis: axis, on: engine))
      return
    case .part(let offsets):
      from = try source.part(destination.shape, at: offsets)
    case .transposition(let order):
      // oneDNN is told where each axis of the source goes to.
      from = try source.permuted(order.indices.map { order.firstIndex(of: $0) ?? $0 })
    case .shuffle(let groups):
      // Channel i * (C / groups) + j becomes channel j * groups + i.
      let (shape, type) = (source.shape, source.elementType ?? .float32)
      let each = shape[1] / groups
      let split = [shape[0], each, groups, shape[2], shape[3]]
      let (image, row, pixel) = (shape[1] * shape[2] * shape[3], shape[1] * shape[3], shape[1])
      from = try Layout(split, type, .strides([image, 1, each, row, pixel]))
      to = try Layout(split, type, .strides([image, groups, 1, row, pixel]))
    default: preconditionFailure("\(step.name) does not move anything")
    }
    if case .transposition = step.work, from == to, step.sources[0].slot != 0 {
      return share(step.sources[0].slot, with: step.destination)
    }
    result.bindings[.source] = .slot(step.sources[0].slot, as: from)
    result.bindings[.destination] = .slot(step.destination, as: to)
    result.kernel = .primitive(try .reorder(from: from, to: to, on: engine))
  }
}
