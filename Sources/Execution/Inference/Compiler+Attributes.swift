import Graphs
import OneDNN
import Tensors

extension Compiler {
  /// What a convolution or product does besides multiplying: scales, zero points and epilogue.
  mutating func kernelAttributes(
    _ step: Step, _ index: Int, _ result: inout Prepared, _ weights: Weights, mask: Int
  ) throws -> Attributes {
    var attributes = try attributes(step, index, &result, leading: [])
    if case .whole(_, let scales) = weights.values, let affine = step.sources[0].affine {
      // The source's scale goes into the weights': one multiplication less for the kernel.
      attributes.scales[.weights] = mask
      result.bindings[.scales(of: .weights)] = .constant(
        try constant([scales.count], scales.map { $0 * affine.scale }))
      if affine.zeroPoint != 0 {
        attributes.zeroPoints[.source] = 0
        result.bindings[.zeroPoints(of: .source)] = .constant(try whole(affine.zeroPoint))
      }
    }
    try quantize(step.quantization, .destination, &attributes, &result)
    return attributes
  }

  /// Gives `argument` the scale and zero point of `affine`.
  func quantize(
    _ affine: Affine?, _ argument: Argument, _ attributes: inout Attributes,
    _ result: inout Prepared
  ) throws {
    guard let affine else { return }
    attributes.scales[argument] = 0
    result.bindings[.scales(of: argument)] = .constant(try constant([1], [affine.scale]))
    if affine.zeroPoint != 0 {
      attributes.zeroPoints[argument] = 0
      result.bindings[.zeroPoints(of: argument)] = .constant(try whole(affine.zeroPoint))
    }
  }

  /// Quantizes by a last multiplication, for kernels that know no scale of their destination.
  func quantizeLast(_ step: Step, _ attributes: inout Attributes) {
    guard let affine = step.quantization else { return }
    attributes.postOperations.append(
      .elementwise(.linear, alpha: 1 / affine.scale, beta: Float(affine.zeroPoint)))
  }

  /// The epilogue as oneDNN's post-operations, `leading` before it.
  mutating func attributes(
    _ step: Step, _ index: Int, _ result: inout Prepared, leading: [Epilogue]
  ) throws -> Attributes {
    var attributes = Attributes()
    let rank = program.slots[step.destination].shape.count
    var hasSum = false
    for item in leading + step.epilogue {
      switch item {
      case .elementwise(let function):
        attributes.postOperations.append(
          .elementwise(function.kind, alpha: function.alpha, beta: function.beta))
      case .affine(let scale, let shift):
        for (function, values, neutral) in [
          (Binary.multiply, scale, Float(1)), (.add, shift, 0),
        ] where values.contains(where: { $0 != neutral }) {
          let memory = try channels(values, rank: rank)
          let place = Argument.postOperation(attributes.postOperations.count)
          result.bindings[place] = .constant(memory)
          attributes.postOperations.append(.binary(function, memory.layout))
        }
      case .rounded(let affine):
        let (low, high) = (affine.range.lowerBound, affine.range.upperBound)
        attributes.postOperations += [
          .elementwise(.linear, alpha: 1 / affine.scale),
          .elementwise(
            .clip, alpha: Float(low - affine.zeroPoint), beta: Float(high - affine.zeroPoint)),
          .elementwise(.round),
          .elementwise(.linear, alpha: affine.scale),
        ]
      case .add(let view):
        let slot = program.slots[view.slot]
        let destination = program.slots[step.destination]
        let scale = view.affine?.scale ?? 1
        let zeroPoint = view.affine?.zeroPoint ?? 0
        if !hasSum, isFree(view.slot, after: index),
          !step.sources.contains(where: {
            storage[$0.slot] == storage[view.slot]
          }), slot.elementType.bits == destination.elementType.bits
        {
          share(view.slot, with: step.destination)
          attributes.postOperations.append(
            .sum(
              scale: scale, zeroPoint: zeroPoint,
              type: slot.elementType == destination.elementType ? nil : slot.elementType))
          hasSum = true
          continue
        }
        // A binary post-operation knows no scale: what it adds to is scaled back and forth.
        if view.affine != nil {
          attributes.postOperations.append(
            .elementwise(.linear, alpha: 1 / scale, beta: -Float(zeroPoint)))
        }
        let place = Argument.postOperation(attributes.postOperations.count)
        result.bindings[place] = .slot(view.slot)
        attributes.postOperations.append(.binary(.add, layouts[view.slot]))
        if view.affine != nil {
          attributes.postOperations.append(.elementwise(.linear, alpha: scale))
        }
      }
    }
    return attributes
  }

  /// A number for each channel, stretched over the other axes; one number stands for all.
  func channels(_ values: [Float], rank: Int) throws -> Memory {
    var shape = Array(repeating: 1, count: rank)
    if rank > 1 { shape[1] = values.count }
    return try constant(shape, values)
  }

  /// A constant array of reals.
  func constant(_ shape: [Int], _ values: [Float]) throws -> Memory {
    let memory = try Memory(Layout(shape, .float32), on: engine)
    _ = memory.elements(Float.self).initialize(from: values)
    return memory
  }

  /// A zero point.
  func whole(_ value: Int) throws -> Memory {
    let memory = try Memory(Layout([1], .int32), on: engine)
    memory.elements(Int32.self)[0] = Int32(value)
    return memory
  }

  /// What weights are held in for a source of the given layout.
  func weightType(_ weights: Weights, _ source: Layout) -> ElementType {
    switch weights.values {
    case .real: source.elementType ?? .float32
    case .whole: .int8
    }
  }

  /// Weights in the order that a kernel wants.
  func arranged(_ weights: Weights, _ shape: [Int], as layout: Layout) throws -> Memory {
    let plain: Memory
    switch weights.values {
    case .real(let values): plain = try constant(shape, values)
    case .whole(let values, _):
      plain = try Memory(Layout(shape, .int8), on: engine)
      _ = plain.elements(Int8.self).initialize(from: values)
    }
    if plain.layout == layout { return plain }
    let arranged = try Memory(layout, on: engine)
    let reorder = try Primitive(.reorder(from: plain.layout, to: layout, on: engine))
    var memories: [Argument: Memory] = [.source: plain, .destination: arranged]
    if let scratchpad = try scratchpad(reorder.description) { memories[.scratchpad] = scratchpad }
    try Call(reorder, memories).run(on: stream)
    try stream.wait()
    return arranged
  }

  private func scratchpad(_ description: PrimitiveDescription) throws -> Memory? {
    let count = description.scratchpadByteCount
    return count == 0 ? nil : try Memory(Layout([count], .uint8), on: engine)
  }

  /// The kernel to take among those oneDNN has for a convolution.
  ///
  /// oneDNN 3.2 puts its `brgconv` kernels first, which go through one image at a time. Its older direct
  /// kernels are faster, up to twice, where several images have few pixels each, where real numbers
  /// come in few channels, and in whole numbers where windows see few numbers.
  func choose(
    _ weights: Weights, from source: Layout, to destination: Layout,
    _ create: () throws -> PrimitiveDescription
  ) throws -> PrimitiveDescription {
    let first = try create()
    guard first.implementation.hasPrefix("brg") else { return first }
    let (images, outputs) = (destination.shape[0], destination.shape[1])
    let pixels = destination.shape[2...].reduce(1, *)
    if images == 1 || images * pixels <= 16 { return first }
    if source.elementType == .float32 {
      if pixels > 32 && (outputs > 32 || outputs % 16 == 0) { return first }
    } else if pixels > 49 && weights.shape[1] >= 128 && weights.shape[2...].reduce(1, *) > 1 {
      return first
    }
    let other = try create()
    while other.advance() {
      let name = other.implementation
      if name.hasPrefix("jit"), name.contains("avx512_core") { return other }
    }
    return first
  }
}
