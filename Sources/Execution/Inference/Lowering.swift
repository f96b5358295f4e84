import Graphs
import OneDNN
import Tensors

/// Makes a graph into the steps of a ``Program``, as few as its meaning allows.
///
/// Meaning is ONNX's. A chain of single-consumer element-wise nodes behind a convolution, product
/// or sum becomes that step's epilogue; nothing that the graph declares as an output is hidden in
/// one. A convolution or product whose operands are both dequantized runs in whole numbers. A
/// `QuantizeLinear`, `DequantizeLinear` pair within an epilogue keeps its rounding and clipping, so
/// fusing changes results only where float32 arithmetic in another order lands on the other side
/// of a rounding tie: by one quantization step.
struct Lowering {
  let graph: Graph
  let types: [String: TensorType]
  let constants: Constants
  /// What activations are held in: float32 or bfloat16.
  let activation: ElementType
  /// Whether the processor adds pairs of int8 products in 16 bits.
  let pairsSaturate: Bool
  let declared: Set<String>
  let nodes: [Node]
  /// The nodes that read each tensor, once for each time they read it.
  let uses: [String: [Int]]
  var program = Program()
  /// The tensors computed so far.
  var views: [String: View] = [:]
  /// Nodes that an earlier step does already.
  var absorbed: Set<Int> = []
  /// Slots of real numbers made out of quantized ones, or out of the input.
  private var dequantized: [View: Int] = [:]
  private var constantSlots: [String: Int] = [:]
  /// Unsigned copies of signed whole numbers.
  private var shifted: [View: Int] = [:]

  /// The steps of `graph` for an input of `shape`, batch first.
  static func program(
    of graph: Graph, inputShape shape: [Int], precision: Precision, pairsSaturate: Bool
  ) throws -> Program {
    guard graph.inputs.count == 1, let input = graph.inputs.first else {
      throw ExecutionError(
        "graph '\(graph.name)'", "has \(graph.inputs.count) inputs, expected 1")
    }
    guard input.elementType == .float32 else {
      throw ExecutionError("input '\(input.name)'", "is \(input.elementType), expected float32")
    }
    let graph = try graph.foldingConstants()
    let types = try graph.inferShapes(inputs: [input.name: shape])
    for name in [input.name] + graph.nodes.flatMap(\.outputs) {
      guard let type = types[name], 1...6 ~= type.shape.count, type.count > 0 else {
        throw ExecutionError(
          "tensor '\(name)'",
          "has the shape \(types[name]?.shape ?? []), expected 1 to 6 axes, none of them empty")
      }
    }
    var lowering = Lowering(
      graph, types: types, precision: precision, pairsSaturate: pairsSaturate)
    let slot = lowering.program.addSlot(input.name, shape, .float32)
    lowering.views[input.name] = View(slot: slot)
    return try lowering.finished()
  }

  private init(
    _ graph: Graph, types: [String: TensorType], precision: Precision, pairsSaturate: Bool
  ) {
    self.graph = graph
    self.pairsSaturate = pairsSaturate
    self.types = types
    constants = Constants(graph)
    activation = precision == .bfloat16 ? .bfloat16 : .float32
    declared = Set(graph.outputs.map(\.name))
    nodes = graph.scheduled()
    var uses: [String: [Int]] = [:]
    for (i, node) in nodes.enumerated() {
      for input in node.inputs where input != "" { uses[input, default: []].append(i) }
    }
    self.uses = uses
    program.rows = Self.rows(nodes, types)
  }

  private consuming func finished() throws(ExecutionError) -> Program {
    for (i, node) in nodes.enumerated()
    where !absorbed.contains(i) && !constants.contains(node.outputs[0]) {
      try lower(node)
    }
    for output in graph.outputs {
      guard let view = views[output.name] else {
        throw ExecutionError("output '\(output.name)'", "does not depend on the input")
      }
      program.outputs.append((output.name, view))
    }
    return program
  }

  private mutating func lower(_ node: Node) throws(ExecutionError) {
    switch node.operation {
    case .convolution: try lowerConvolution(node)
    case .gemm: try lowerProduct(node)
    case .add: try lowerBinary(node, .add)
    case .multiply: try lowerBinary(node, .multiply)
    case .batchNormalization:
      let (scale, shift) = try normalization(node)
      try append(node, .affine(scale: scale, shift: shift), [realView(node.inputs[0])])
    case .maxPool:
      // The largest whole number stands for the largest real, so pooling commutes with dequantizing.
      let given = try view(node.inputs[0])
      let source = given.affine == nil ? try realView(node.inputs[0]) : given
      let slot = addSlot(node, program.slots[source.slot].elementType)
      let work = Work.maxPool(try window(node))
      add(Step(name: node.name, work: work, sources: [View(slot: source.slot)], destination: slot))
      views[node.outputs[0]] = View(slot: slot, affine: source.affine)
    case .averagePool:
      let work = Work.averagePool(
        try window(node), countsPadding: node.int("count_include_pad", default: 0) != 0)
      try appendPlain(node, work)
    case .globalAveragePool: try lowerGlobalAverage(node)
    case .layerNormalization, .pRelu, .matMul, .pad, .resize: try lowerToken(node)
    case .relu, .leakyRelu, .clip, .sigmoid, .hardSigmoid, .hardSwish, .gelu:
      if try lowerLookup(node) { return }
      if let function = function(node) { try appendPlain(node, .elementwise(function)) }
    case .softmax, .logSoftmax:
      try appendPlain(
        node, .softmax(axis: axis(node, default: -1), logarithm: node.operation == .logSoftmax))
    case .flatten: try move(node, .copy)
    case .reshape: try lowerReshape(node)
    case .transpose:
      let rank = shape(node.inputs[0]).count
      try move(node, .transposition(node.ints("perm", default: (0..<rank).reversed())))
    case .slice: try lowerSlice(node)
    case .concatenate: try lowerConcatenation(node)
    case .identity: views[node.outputs[0]] = try view(node.inputs[0])
    case .quantizeLinear: try lowerQuantize(node)
    case .dequantizeLinear:
      let source = try view(node.inputs[0])
      guard source.affine == nil else {
        throw ExecutionError(node, "dequantizes what is dequantized already")
      }
      views[node.outputs[0]] = View(slot: source.slot, affine: try affine(node))
    case .cast, .gather, .gatherElements, .bitShift, .bitwiseAnd,
      .bitwiseOr, .cumulativeSum:
      throw ExecutionError(node, "is run on constants only")
    }
  }

  private mutating func lowerQuantize(_ node: Node) throws(ExecutionError) {
    let source = try view(node.inputs[0])
    let target = try affine(node)
    if source.affine == target {
      // Quantizing what these same whole numbers stand for gives them back.
      views[node.outputs[0]] = View(slot: source.slot)
      return
    }
    let slot = addSlot(node, target.elementType)
    add(
      Step(
        name: node.name, work: .copy, sources: [source], quantization: target, destination: slot))
    views[node.outputs[0]] = View(slot: slot)
  }

  private mutating func lowerGlobalAverage(_ node: Node) throws(ExecutionError) {
    let source = try view(node.inputs[0])
    guard source.affine != nil else { return try appendPlain(node, .globalAverage) }
    // Whole numbers are summed exactly; the mean may be quantized again at once.
    let chain = try epilogue(after: node.outputs[0], allowing: .quantization)
    try append(node, .globalAverage, [source], chain, real: .float32)
  }

  private mutating func lowerBinary(
    _ node: Node, _ function: Binary
  ) throws(ExecutionError) {
    if function == .multiply, try lowerScaling(node) { return }
    var sources = [try operand(node.inputs[0]), try operand(node.inputs[1])]
    if function != .add {
      // Only a sum can be made of whole numbers as they are.
      for i in 0..<2 where sources[i].affine != nil { sources[i] = try realView(node.inputs[i]) }
    }
    let shapes = sources.map { program.slots[$0.slot].shape }
    let result = shape(node.outputs[0])
    if shapes[0] != result { sources.swapAt(0, 1) }
    guard shapes.contains(result) else {
      throw ExecutionError(
        node, "stretches both its operands, \(shapes[0]) and \(shapes[1]); one must be whole")
    }
    try append(node, .binary(function), sources)
  }

  func axis(_ node: Node, default standard: Int) -> Int {
    let axis = node.int("axis", default: standard)
    return axis < 0 ? axis + shape(node.inputs[0]).count : axis
  }

  /// A step that moves elements, whole numbers as well as reals.
  private mutating func move(_ node: Node, _ work: Work) throws(ExecutionError) {
    let given = try view(node.inputs[0])
    let source = given.slot == 0 && !isCopy(work) ? try realView(node.inputs[0]) : given
    let slot = addSlot(node, program.slots[source.slot].elementType)
    add(Step(name: node.name, work: work, sources: [View(slot: source.slot)], destination: slot))
    views[node.outputs[0]] = View(slot: slot, affine: source.affine)
  }

  private func isCopy(_ work: Work) -> Bool {
    if case .copy = work { true } else { false }
  }

  private mutating func lowerReshape(_ node: Node) throws(ExecutionError) {
    let (from, to) = (shape(node.inputs[0]), shape(node.outputs[0]))
    if let shuffle = shuffle(node) {
      absorbed.formUnion(shuffle.nodes)
      let last = nodes[shuffle.nodes[1]]
      var whole = node
      whole.outputs = last.outputs
      return try move(whole, .shuffle(groups: shuffle.groups))
    }
    guard from.count == 4, to.count == 4, from != to else { return try move(node, .copy) }
    // Between two images, through the order in which elements are counted.
    let source = try view(node.inputs[0])
    let type = program.slots[source.slot].elementType
    let flat = program.addSlot("\(node.name) flat", [from[0], from[1...].reduce(1, *)], type)
    add(
      Step(
        name: "\(node.name) flat", work: .copy, sources: [View(slot: source.slot)],
        destination: flat))
    let slot = addSlot(node, type)
    add(Step(name: node.name, work: .copy, sources: [View(slot: flat)], destination: slot))
    views[node.outputs[0]] = View(slot: slot, affine: source.affine)
  }

  /// The channel shuffle that begins with `node`: split, exchange, join.
  private func shuffle(_ node: Node) -> (groups: Int, nodes: [Int])? {
    let (from, split) = (shape(node.inputs[0]), shape(node.outputs[0]))
    guard from.count == 4, split.count == 5, split[0] == from[0], split[3...] == from[2...],
      let (first, exchange) = onlyConsumer(of: node.outputs[0]),
      exchange.operation == .transpose, exchange.ints("perm", default: []) == [0, 2, 1, 3, 4],
      let (second, join) = onlyConsumer(of: exchange.outputs[0]), join.operation == .reshape,
      shape(join.outputs[0]) == from
    else { return nil }
    return (split[1], [first, second])
  }

  private mutating func lowerSlice(_ node: Node) throws(ExecutionError) {
    var offsets = shape(node.inputs[0]).map { _ in 0 }
    let part: (axis: Int, range: Range<Int>)
    do {
      part = try Graphs.slicedPart(node, of: shape(node.inputs[0]), graph.initializers)
    } catch { throw ExecutionError(error.place, error.problem) }
    offsets[part.axis] = part.range.lowerBound
    try move(node, .part(offsets: offsets))
  }

  private mutating func lowerConcatenation(_ node: Node) throws(ExecutionError) {
    var sources: [View] = []
    for name in node.inputs { sources.append(try view(name)) }
    let affine = sources[0].affine
    if affine == nil || sources.contains(where: { $0.affine != affine }) {
      for (i, name) in node.inputs.enumerated() { sources[i] = try realView(name) }
    }
    let slot = addSlot(node, program.slots[sources[0].slot].elementType)
    add(
      Step(
        name: node.name, work: .concatenation(axis: axis(node, default: 1)),
        sources: sources.map { View(slot: $0.slot) }, destination: slot))
    views[node.outputs[0]] = View(slot: slot, affine: sources[0].affine)
  }

  /// An operand of a sum: an activation, or a constant put into a slot.
  mutating func operand(_ name: String) throws(ExecutionError) -> View {
    if let slot = constantSlots[name] { return View(slot: slot) }
    guard let (shape, values) = try constants.reals(name) else {
      let view = try view(name)
      return view.affine == nil ? try realView(name) : view
    }
    let slot = program.addSlot(name, shape, .float32, constant: values)
    constantSlots[name] = slot
    return View(slot: slot)
  }

  /// A step that reads and writes reals and has no epilogue.
  mutating func appendPlain(_ node: Node, _ work: Work) throws(ExecutionError) {
    let source = try realView(node.inputs[0])
    let type = program.slots[source.slot].elementType
    try append(node, work, [source], Chain(last: node.outputs[0]), real: type)
  }

  /// A step for `node` with everything behind it that it can do along with it.
  mutating func append(
    _ node: Node, _ work: Work, _ sources: [View], _ given: Chain? = nil, real: ElementType? = nil
  ) throws(ExecutionError) {
    let chain: Chain
    if let given {
      chain = given
    } else {
      chain = try epilogue(after: node.outputs[0], allowing: .everything)
    }
    absorbed.formUnion(chain.absorbed)
    let fuses = work.canQuantize
    let type = (fuses ? chain.quantization?.elementType : nil) ?? real ?? activation
    var slot = program.addSlot(chain.last, shape(chain.last), type)
    add(
      Step(
        name: node.name, work: work, sources: sources, epilogue: chain.epilogue,
        quantization: fuses ? chain.quantization : nil, destination: slot))
    if let quantization = chain.quantization, !fuses {
      let source = View(slot: slot)
      slot = program.addSlot(chain.last, shape(chain.last), quantization.elementType)
      add(
        Step(
          name: "\(node.name) quantized", work: .copy, sources: [source],
          quantization: quantization, destination: slot))
    }
    views[chain.last] = View(slot: slot)
  }

  /// The tensor `name`, which an earlier node has made.
  func view(_ name: String) throws(ExecutionError) -> View {
    guard let view = views[name] else {
      throw ExecutionError("tensor '\(name)'", "is a constant where an activation is expected")
    }
    return view
  }

  /// The tensor `name` as real numbers in memory, in the order and type that kernels work in.
  mutating func realView(_ name: String) throws(ExecutionError) -> View {
    let view = try view(name)
    guard view.affine != nil || view.slot == 0 else { return view }
    if let slot = dequantized[view] { return View(slot: slot) }
    let slot = program.addSlot(name, shape(name), activation)
    add(Step(name: "\(name) as reals", work: .copy, sources: [view], destination: slot))
    dequantized[view] = slot
    return View(slot: slot)
  }

  /// The same reals as unsigned whole numbers: 128 more each, and so is the zero point.
  mutating func unsigned(_ view: View) -> View {
    guard let affine = view.affine, affine.elementType == .int8 else { return view }
    let result = Affine(
      scale: affine.scale, zeroPoint: affine.zeroPoint + 128, elementType: .uint8)
    if let slot = shifted[view] { return View(slot: slot, affine: result) }
    let old = program.slots[view.slot]
    let slot = program.addSlot(old.name, old.shape, .uint8)
    add(
      Step(
        name: "\(old.name) unsigned", work: .copy, sources: [View(slot: view.slot)],
        quantization: Affine(scale: 1, zeroPoint: 128, elementType: .uint8), destination: slot))
    shifted[view] = slot
    return View(slot: slot, affine: result)
  }

  func shape(_ name: String) -> [Int] { types[name]?.shape ?? [] }

  mutating func addSlot(_ node: Node, _ type: ElementType) -> Int {
    program.addSlot(node.outputs[0], shape(node.outputs[0]), type)
  }

  mutating func add(_ step: Step) { program.steps.append(step) }

  /// The one scale and zero point of an activation's quantization.
  func affine(_ node: Node) throws(ExecutionError) -> Affine {
    let whole = node.operation == .quantizeLinear ? node.outputs[0] : node.inputs[0]
    let type = types[whole]?.elementType ?? .uint8
    guard [.int8, .uint8].contains(type) else {
      throw ExecutionError(node, "quantizes activations to \(type), expected int8 or uint8")
    }
    let (scales, zeroPoints) = try constants.scales(of: node)
    guard scales.count == 1 else {
      throw ExecutionError(node, "has \(scales.count) scales for an activation, expected 1")
    }
    return Affine(scale: scales[0], zeroPoint: zeroPoints[0], elementType: type)
  }

  private func window(_ node: Node) throws(ExecutionError) -> Graphs.Window {
    do { return try Graphs.Window(node) } catch { throw ExecutionError(error.place, error.problem) }
  }

  /// The scale and shift per channel that a batch normalization comes to.
  func normalization(_ node: Node) throws(ExecutionError) -> (scale: [Float], shift: [Float]) {
    var parameters: [[Float]] = []
    for name in node.inputs[1...4] {
      guard let (_, values) = try constants.reals(name) else {
        throw ExecutionError(node, "parameter '\(name)' is not a constant")
      }
      parameters.append(values)
    }
    let epsilon = Double(node.float("epsilon", default: 1e-5))
    var scale: [Float] = []
    var shift: [Float] = []
    for c in parameters[0].indices {
      let spread = (Double(parameters[3][c]) + epsilon).squareRoot()
      let factor = Double(parameters[0][c]) / spread
      scale.append(Float(factor))
      shift.append(Float(Double(parameters[1][c]) - Double(parameters[2][c]) * factor))
    }
    return (scale, shift)
  }
}
