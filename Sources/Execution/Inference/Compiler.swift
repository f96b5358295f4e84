import Graphs
import OneDNN
import Tensors

/// A step whose kernel is chosen, before its arrays have addresses.
struct Prepared {
  var name: String
  var kernel: Kernel
  /// The arrays by role.
  var bindings: [Argument: Binding] = [:]
  var reads: [Int]
  var writes: Int

  enum Kernel {
    case primitive(PrimitiveDescription)
    case wholeAverage(source: View, Affine?)
    case lookup(source: Int, table: [UInt8])
    case scaling(images: View, factors: View, Affine)
    case padding(source: Int, begins: [Int], value: Float)
    case resampling(source: Int, Resampling.Mode)
    /// Nothing moves: what is written lies where what is read lay.
    case none
  }

  enum Binding {
    case slot(Int, as: Layout? = nil)
    case constant(Memory)
  }
}

/// Chooses a kernel for every step of a program and puts weights into the order it wants.
///
/// Activations of four axes lie channels-last throughout: for every convolution of a ResNet that
/// is the fastest order or within a few percent of it, nothing is ever reordered between kernels,
/// and nothing is padded.
struct Compiler {
  let engine: Engine
  let stream: Stream
  private(set) var program: Program
  let layouts: [Layout]
  /// Which slot's memory each slot lies in: its own unless it takes over that of another.
  private(set) var storage: [Int]
  /// The last step that reads each slot.
  private(set) var lastUse: [Int]
  private(set) var prepared: [Prepared] = []

  init(_ program: consuming Program) throws {
    engine = try Engine()
    stream = try Stream(engine)
    let (slots, steps, rows) = (program.slots, program.steps.count, program.rows)
    layouts = try slots.enumerated().map { i, slot in
      try Layout(
        slot.shape.isEmpty ? [1] : slot.shape, slot.elementType,
        slot.shape.count == 4 && i > 0 && slot.constant == nil && !rows.contains(slot.name)
          ? .channelsLast : .rowMajor)
    }
    storage = Array(slots.indices)
    lastUse = Array(repeating: -1, count: slots.count)
    for (i, step) in program.steps.enumerated() {
      for slot in step.reads { lastUse[slot] = i }
      lastUse[step.destination] = max(lastUse[step.destination], i)
    }
    for output in program.outputs { lastUse[output.view.slot] = steps }
    self.program = program
    for i in 0..<steps {
      prepared.append(try prepare(self.program.steps[i], at: i))
      // The weights are in the kernel's order now: do not hold them twice.
      self.program.steps[i].work = .copy
    }
  }

  private mutating func prepare(_ step: Step, at index: Int) throws -> Prepared {
    var result = Prepared(
      name: step.name, kernel: .none, reads: step.reads, writes: step.destination)
    result.bindings[.destination] = .slot(step.destination)
    if let source = step.sources.first { result.bindings[.source] = .slot(source.slot) }
    switch step.work {
    case .convolution(let weights, let window, let groups):
      try prepareConvolution(&result, step, index, weights, window, groups)
    case .product(let weights): try prepareProduct(&result, step, index, weights)
    case .maxPool(let window): try preparePool(&result, step, .maximum, window)
    case .averagePool(let window, let countsPadding):
      if window.roundsUp && countsPadding {
        throw ExecutionError(
          "node '\(step.name)' (AveragePool)",
          "has both ceil_mode and count_include_pad, which is not supported")
      }
      try preparePool(
        &result, step, countsPadding ? .averageWithPadding : .averageWithoutPadding, window)
    case .globalAverage: try prepareGlobalAverage(&result, step)
    case .binary(let function): try prepareBinary(&result, step, index, function)
    case .affine(let scale, let shift):
      var attributes = try self.attributes(
        step, index, &result,
        leading: [
          .affine(scale: scale.map { _ in 1 }, shift: shift)
        ])
      quantizeLast(step, &attributes)
      let factors = try channels(scale, rank: program.slots[step.destination].shape.count)
      result.bindings[.source1] = .constant(factors)
      result.kernel = .primitive(
        try .binary(
          .multiply, layouts[step.sources[0].slot], factors.layout,
          destination: layouts[step.destination], attributes: attributes, on: engine))
    case .elementwise(let function):
      result.kernel = .primitive(
        try .elementwise(
          .inference, function.kind, source: layouts[step.sources[0].slot],
          destination: layouts[step.destination], alpha: function.alpha, beta: function.beta,
          on: engine))
    case .lookup(let table):
      result.kernel = .lookup(source: step.sources[0].slot, table: table)
    case .scaling:
      guard let target = step.quantization else {
        preconditionFailure("\(step.name) gives whole numbers")
      }
      result.kernel = .scaling(images: step.sources[0], factors: step.sources[1], target)
    case .softmax(let axis, let logarithm):
      result.kernel = .primitive(
        try .softmax(
          .inference, source: layouts[step.sources[0].slot],
          destination: layouts[step.destination], axis: axis, logarithm: logarithm, on: engine))
    case .layerNormalization, .slopes, .matrices: try prepareRows(&result, step)
    case .padding(let begins, let value):
      result.kernel = .padding(source: step.sources[0].slot, begins: begins, value: value)
    case .resampling(let mode):
      result.kernel = .resampling(source: step.sources[0].slot, mode)
    case .concatenation, .part, .transposition, .shuffle: try prepareMove(&result, step)
    case .copy: try prepareCopy(&result, step)
    }
    return result
  }

  private mutating func prepareConvolution(
    _ result: inout Prepared, _ step: Step, _ index: Int, _ weights: Weights,
    _ window: Graphs.Window,
    _ groups: Int
  ) throws {
    let attributes = try kernelAttributes(
      step, index, &result, weights, mask: groups == 1 ? 1 : 3)
    var shape = weights.shape
    if groups > 1 { shape = [groups, shape[0] / groups] + shape[1...] }
    let source = layouts[step.sources[0].slot]
    let destination = layouts[step.destination]
    let wanted = try Layout(shape, weightType(weights, source), .any)
    let bias = try weights.bias.map { try self.constant([$0.count], $0) }
    let description = try choose(weights, from: source, to: destination) {
      try .convolution(
        .inference, source: source, weights: wanted, bias: bias?.layout, destination: destination,
        window: .init(window), attributes: attributes, on: engine)
    }
    result.kernel = .primitive(description)
    result.bindings[.weights] = .constant(
      try arranged(weights, shape, as: description.layout(of: .weights)))
    if let bias { result.bindings[.bias] = .constant(bias) }
  }

  private mutating func prepareProduct(
    _ result: inout Prepared, _ step: Step, _ index: Int, _ weights: Weights
  ) throws {
    let attributes = try kernelAttributes(step, index, &result, weights, mask: 2)
    let source = layouts[step.sources[0].slot]
    let wanted = try Layout(weights.shape, weightType(weights, source), .any)
    let bias = try weights.bias.map { try self.constant([1, $0.count], $0) }
    let description = try PrimitiveDescription.matrixProduct(
      source: source, weights: wanted, bias: bias?.layout,
      destination: layouts[step.destination], attributes: attributes, on: engine)
    result.kernel = .primitive(description)
    result.bindings[.weights] = .constant(
      try arranged(weights, weights.shape, as: description.layout(of: .weights)))
    if let bias { result.bindings[.bias] = .constant(bias) }
  }

  private func preparePool(
    _ result: inout Prepared, _ step: Step, _ pooling: Pooling, _ window: Graphs.Window
  ) throws {
    let source = layouts[step.sources[0].slot]
    let destination = layouts[step.destination]
    var padded = OneDNN.Window(window)
    for axis in 0..<2 {
      // Rounding up lets the last window hang over the end: padding, for oneDNN.
      let reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1
      let last = (destination.shape[axis + 2] - 1) * window.strides[axis] + reach
      padded.ends[axis] = max(
        padded.ends[axis], last - source.shape[axis + 2] - padded.begins[axis])
    }
    result.kernel = .primitive(
      try .pooling(
        .inference, pooling, source: source, destination: destination, kernel: window.kernel,
        window: padded, on: engine))
  }

  private func prepareGlobalAverage(_ result: inout Prepared, _ step: Step) throws {
    let source = step.sources[0]
    if source.affine != nil {
      result.kernel = .wholeAverage(source: source, step.quantization)
      return
    }
    let layout = layouts[source.slot]
    let whole = OneDNN.Window(strides: [1, 1], dilations: [1, 1], begins: [0, 0], ends: [0, 0])
    result.kernel = .primitive(
      try .pooling(
        .inference, .averageWithPadding, source: layout, destination: layouts[step.destination],
        kernel: Array(layout.shape[2...]), window: whole, on: engine))
  }

  private mutating func prepareBinary(
    _ result: inout Prepared, _ step: Step, _ index: Int, _ function: Binary
  ) throws {
    var leading: [Epilogue] = []
    // A kernel for two arrays knows scales but no zero points: their share is added afterwards.
    let offset = step.sources.reduce(Float(0)) { sum, view in
      sum - (view.affine.map { $0.scale * Float($0.zeroPoint) } ?? 0)
    }
    if offset != 0 { leading.append(.affine(scale: [1], shift: [offset])) }
    var attributes = try attributes(step, index, &result, leading: leading)
    quantizeLast(step, &attributes)
    for (view, argument) in zip(step.sources, [Argument.source, .source1]) {
      if let affine = view.affine {
        attributes.scales[argument] = 0
        result.bindings[.scales(of: argument)] = .constant(try constant([1], [affine.scale]))
      }
    }
    let rank = program.slots[step.destination].shape.count
    let operands = try step.sources.map { view in
      let layout = layouts[view.slot]
      let missing = rank - layout.shape.count
      return missing == 0
        ? layout : try layout.reshaped(Array(repeating: 1, count: missing) + layout.shape)
    }
    result.bindings[.source1] = .slot(step.sources[1].slot, as: operands[1])
    result.kernel = .primitive(
      try .binary(
        function, operands[0], operands[1], destination: layouts[step.destination],
        attributes: attributes, on: engine))
  }

  private mutating func prepareCopy(_ result: inout Prepared, _ step: Step) throws {
    let view = step.sources[0]
    let (source, destination) = (layouts[view.slot], layouts[step.destination])
    if step.quantization == nil, view.affine == nil, view.slot != 0,
      source.elementType == destination.elementType,
      source.isRowMajor && destination.isRowMajor
        || source == destination
    {
      share(view.slot, with: step.destination)
      return
    }
    var attributes = Attributes()
    for (affine, argument) in [(view.affine, Argument.source), (step.quantization, .destination)] {
      try quantize(affine, argument, &attributes, &result)
    }
    var target = destination
    var origin = source
    if source.shape != destination.shape {
      // Elements are counted in row-major order; one side at least lies like that.
      if destination.isRowMajor {
        target = try Layout(source.shape, program.slots[step.destination].elementType)
        result.bindings[.destination] = .slot(step.destination, as: target)
      } else {
        origin = try source.reshaped(destination.shape)
        result.bindings[.source] = .slot(view.slot, as: origin)
      }
    }
    result.kernel = .primitive(
      try .reorder(from: origin, to: target, attributes: attributes, on: engine))
  }

  /// Lets slot `heir` lie where `slot` lies.
  mutating func share(_ slot: Int, with heir: Int) {
    storage[heir] = storage[slot]
  }

  /// Whether the step at `index` may write over `slot`: nothing reads its memory afterwards.
  func isFree(_ slot: Int, after index: Int) -> Bool {
    slot != 0 && program.slots[slot].constant == nil
      && program.slots.indices.allSatisfy { other in
        storage[other] != storage[slot] || lastUse[other] <= index
      }
  }
}

extension Layout {
  /// Whether elements lie in the order in which they are counted.
  fileprivate var isRowMajor: Bool {
    shape.count != 4 || shape[1] == 1 || shape[2...] == [1, 1]
      || elementType.flatMap { try? Layout(shape, $0) } == self
  }
}

extension Step {
  /// The slots that the step reads.
  var reads: [Int] {
    var slots = sources.map(\.slot)
    for case .add(let view) in epilogue { slots.append(view.slot) }
    return slots
  }
}

extension OneDNN.Window {
  init(_ window: Graphs.Window) {
    self.init(
      strides: window.strides, dilations: window.dilations, begins: window.padsBegin,
      ends: window.padsEnd)
  }
}
