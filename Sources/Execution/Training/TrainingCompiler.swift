import Graphs
import OneDNN
import Tensors

/// A tensor of the graph while a training program is being written.
final class Activation {
  let name: String
  let shape: [Int]
  /// Where its elements are, in the layout that its gradients share.
  let operand: Operand
  /// Whether a parameter lies upstream.
  let needsGradient: Bool
  /// The number of nodes that read it, and one more if it is an output.
  let uses: Int
  /// Whether some backward step reads the elements, so that nothing may be written over them.
  var isKept = false
  /// What its readers' backward steps have given so far.
  var gradients: [Gradient] = []

  /// A share of an activation's gradient; only its owner may write over it.
  struct Gradient {
    var operand: Operand
    var isOwned: Bool
  }

  init(_ name: String, _ shape: [Int], _ operand: Operand, needsGradient: Bool, uses: Int) {
    self.name = name
    self.shape = shape
    self.operand = operand
    self.needsGradient = needsGradient
    self.uses = uses
  }
}

/// Writes the program of one training step for a graph.
///
/// Forward steps are written in the graph's order. Each leaves on the tape how its backward steps
/// are written; the tape is unrolled from its end.
final class TrainingCompiler {
  let graph: Graph
  let types: [String: TensorType]
  let engine: Engine
  let activationType: ElementType
  let parameters: ParameterStore
  var writer: ProgramWriter
  var statistics: [NormalizationStatistics] = []
  /// Numbers that kernels read and nothing writes; for the session to keep alive.
  private(set) var constants: [AlignedBuffer<UInt8>] = []
  /// The graph's output, row-major float32.
  private(set) var result: Activation?
  /// The number of steps of the forward pass.
  private(set) var forwardCount = 0

  private var activations: [String: Activation] = [:]
  private var readers: [String: [Int]] = [:]
  private var fused: Set<Int> = []
  private var tape: [() throws -> Void] = []

  init(
    _ graph: Graph, types: [String: TensorType], precision: Precision, parameters: ParameterStore,
    engine: Engine
  ) {
    self.graph = graph
    self.types = types
    self.engine = engine
    self.parameters = parameters
    activationType = precision == .bfloat16 ? .bfloat16 : .float32
    writer = ProgramWriter(engine: engine)
  }

  /// Writes all steps; `logits`, `logitGradients` and, where wanted, `inputGradients` are the caller's,
  /// row-major float32.
  func compile(
    logits: UnsafeMutableRawPointer, logitGradients: UnsafeMutableRawPointer,
    inputGradients: UnsafeMutableRawPointer? = nil
  ) throws {
    for (i, node) in graph.nodes.enumerated() {
      for name in node.inputs { readers[name, default: []].append(i) }
    }
    let input = try lowerInput(graph.inputs[0].name, needsGradient: inputGradients != nil)
    for (i, node) in graph.nodes.enumerated() where !fused.contains(i) { try lower(node) }
    let output = graph.outputs[0]
    let made = try activation(output.name, for: nil)
    let plain = try Layout(made.shape, .float32)
    try copy(
      made.operand, to: Operand(layout: plain, place: .fixed(logits)), .reorderData, output.name)
    result = made
    forwardCount = writer.steps.count
    let gradient = try ordered(
      Operand(layout: plain, place: .fixed(logitGradients)), as: made.operand.layout,
      .reorderData, output.name)
    made.gradients.append(.init(operand: gradient, isOwned: false))
    for unroll in tape.reversed() { try unroll() }
    if let inputGradients, let whole = try self.gradient(of: input) {
      let plain = try Layout(input.shape, .float32)
      try copy(
        whole.operand, to: Operand(layout: plain, place: .fixed(inputGradients)), .reorderData,
        input.name)
    }
  }

  /// The caller's images, which are gone after the forward pass.
  private func lowerInput(_ name: String, needsGradient: Bool) throws -> Activation {
    let given = Operand(layout: try Layout(shape(of: name), .float32), place: .input)
    // These copy their source into the layout and type they want anyway.
    let copying: Set<Operation> = [.convolution, .flatten, .gemm]
    let areCopied = readers[name, default: []].allSatisfy {
      copying.contains(graph.nodes[$0].operation)
    }
    let operand =
      areCopied
      ? given
      : try ordered(
        given, as: given.layout.with(activationType, format: .rowMajor), .reorderData, name)
    return activation(name, operand, needsGradient: needsGradient)
  }

  private func lower(_ node: Node) throws {
    switch node.operation {
    case .convolution: try lowerConvolution(node)
    case .batchNormalization: try lowerNormalization(node)
    case .relu: try lowerRelu(node)
    case .add: try lowerAddition(node)
    case .maxPool, .averagePool, .globalAveragePool: try lowerPooling(node)
    case .flatten: try lowerFlatten(node)
    case .gemm: try lowerGemm(node)
    case .identity: try lowerIdentity(node)
    case .multiply: try lowerMultiplication(node)
    case .clip: try lowerClip(node)
    case .leakyRelu:
      try lowerFunction(node, .relu, alpha: node.float("alpha", default: 0.01))
    case .sigmoid: try lowerFunction(node, .logistic)
    case .hardSigmoid:
      try lowerFunction(
        node, .hardSigmoid, alpha: node.float("alpha", default: 0.2),
        beta: node.float("beta", default: 0.5))
    case .hardSwish: try lowerFunction(node, .hardSwish, alpha: 1 / 6, beta: 0.5)
    case .quantizeLinear: try lowerQuantization(node)
    default: throw ExecutionError(node, "cannot be trained; write the graph without it")
    }
  }

  /// Another name for the same elements.
  private func lowerIdentity(_ node: Node) throws {
    let source = try activation(node.inputs[0], for: node)
    source.isKept = true
    let result = activation(
      node.outputs[0], source.operand, needsGradient: source.needsGradient)
    result.isKept = true
    onTape { [self] in
      guard source.needsGradient, let gradient = try gradient(of: result) else { return }
      source.gradients.append(gradient)
    }
  }

  /// The single reader of `name` if it is a ReLU, which is then taken as done.
  func fusedRelu(after name: String) -> Node? { fusedReader(of: name, .relu) }

  /// The single reader of `name` if it does `operation`, which is then taken as done.
  func fusedReader(of name: String, _ operation: Operation) -> Node? {
    guard let all = readers[name], all.count == 1, !isOutput(name),
      graph.nodes[all[0]].operation == operation
    else { return nil }
    fused.insert(all[0])
    return graph.nodes[all[0]]
  }

  private func isOutput(_ name: String) -> Bool { graph.outputs.contains { $0.name == name } }

  /// Leaves `unroll` to be done after the backward steps of all later nodes.
  func onTape(_ unroll: @escaping () throws -> Void) { tape.append(unroll) }

  /// Names a new activation and makes it known to later nodes.
  @discardableResult
  func activation(_ name: String, _ operand: Operand, needsGradient: Bool) -> Activation {
    let made = Activation(
      name, operand.layout.shape, operand, needsGradient: needsGradient,
      uses: (readers[name]?.count ?? 0) + (isOutput(name) ? 1 : 0))
    activations[name] = made
    return made
  }

  /// The activation `name`, which `node` reads.
  func activation(_ name: String, for node: Node?) throws -> Activation {
    guard let found = activations[name] else {
      let problem = "is not computed from the graph's input; training needs every node to be"
      if let node { throw ExecutionError(node, "input '\(name)' \(problem)") }
      throw ExecutionError("output '\(name)'", problem)
    }
    return found
  }

  /// The full shape of tensor `name`.
  func shape(of name: String) throws -> [Int] {
    guard let type = types[name] else {
      throw ExecutionError("tensor '\(name)'", "has no known shape")
    }
    return type.shape
  }

  /// The shape of the float32 constant that `node` reads at `index`.
  func parameterShape(_ node: Node, _ index: Int) throws -> [Int] {
    let name = node.inputs[index]
    guard let tensor = graph.initializers[name], tensor.elementType == .float32 else {
      throw ExecutionError(
        node, "input '\(name)' is not a float32 initializer; training needs it to be")
    }
    return tensor.shape
  }

  /// So many ones of the activations' type.
  func ones(_ count: Int) -> UnsafeMutableRawPointer {
    // The upper half of a float32 is its bfloat16.
    let one = Float(1).bitPattern.littleEndian
    let bytes = withUnsafeBytes(of: one) { Array($0.suffix(activationType.bits / 8)) }
    let buffer = AlignedBuffer<UInt8>(count: count * bytes.count)
    for i in 0..<count * bytes.count { buffer.pointer[i] = bytes[i % bytes.count] }
    constants.append(buffer)
    return UnsafeMutableRawPointer(buffer.pointer)
  }

  /// A parameter kept as a plain vector.
  func vector(_ node: Node, _ index: Int) throws -> (value: Operand, gradient: Operand) {
    let shape = try parameterShape(node, index)
    let layout = try Layout(shape, .float32)
    let slot = try parameters.add(
      node.inputs[index], shape: shape, layout: layout, decays: false, for: node)
    return (
      Operand(layout: layout, place: .value(slot)), Operand(layout: layout, place: .gradient(slot))
    )
  }

  /// `operand`, or a copy of it in `layout`.
  func ordered(_ operand: Operand, as layout: Layout, _ kind: StepKind, _ name: String) throws
    -> Operand
  {
    if operand.layout == layout, operand.place != .input { return operand }
    let made = writer.array(layout)
    try copy(operand, to: made, kind, name)
    return made
  }

  /// Copies between layouts and element types.
  func copy(_ from: Operand, to: Operand, _ kind: StepKind, _ name: String) throws {
    try writer.run(
      kind, name, .reorder(from: from.layout, to: to.layout, on: engine),
      [(.source, from), (.destination, to)])
  }

  /// The whole gradient of `activation`, if any reader gave one; called when all readers have.
  ///
  /// Where `result`, a ReLU's, is not positive, the gradient is zero.
  func gradient(
    of activation: Activation, throughRelu result: Operand? = nil
  ) throws -> Activation.Gradient? {
    guard var whole = activation.gradients.first else { return nil }
    let layout = activation.operand.layout
    let add = try PrimitiveDescription.binary(.add, layout, layout, destination: layout, on: engine)
    for share in activation.gradients.dropFirst() {
      let reused = whole.isOwned ? whole : share.isOwned ? share : nil
      let sum = reused?.operand ?? writer.array(layout)
      try writer.run(
        .elements, activation.name, add,
        [(.source, whole.operand), (.source1, share.operand), (.destination, sum)])
      whole = .init(operand: sum, isOwned: true)
    }
    guard let result else { return whole }
    let passed = whole.isOwned ? whole.operand : writer.array(layout)
    let forward = try PrimitiveDescription.elementwise(
      .training, .reluFromResult, source: layout, destination: layout, on: engine)
    let backward = try PrimitiveDescription.elementwiseBackward(
      .reluFromResult, sourceGradient: layout, destinationGradient: layout, data: layout,
      forward: forward, on: engine)
    try writer.run(
      .elements, activation.name, backward,
      [(.destination, result), (.destinationGradient, whole.operand), (.sourceGradient, passed)])
    return .init(operand: passed, isOwned: true)
  }
}
