public import Graphs
import OneDNN
public import Tensors

/// A graph compiled for training: forward and backward passes over one batch, and the parameters.
///
/// All memory is planned beforehand: a step allocates nothing. Parameters, gradients and momenta
/// stay in the layouts that the kernels prefer. In ``Precision/bfloat16``, activations, their
/// gradients and the convolutions' weights are rounded to bfloat16; master weights, weight
/// gradients, normalization parameters and statistics, and all after `Flatten` are float32.
///
/// Batch normalization uses the batch's own statistics and keeps running ones in PyTorch's
/// convention. With a fixed number of threads results repeat bit for bit; they do not depend on
/// what was run before, but for the parameters and running statistics themselves.
///
/// A session belongs to one thread at a time. Its work runs on oneDNN's threads.
public final class TrainingSession {
  /// The number of images in a batch.
  public let batch: Int
  /// The extents of one image, channels first.
  public let inputShape: [Int]
  /// The shape of the output, `[batch, classes]`.
  public let outputShape: [Int]
  /// The precision of activations and convolutions.
  public let precision: Precision

  private let graph: Graph
  let parameters: ParameterStore
  private let statistics: [NormalizationStatistics]
  private let constants: [AlignedBuffer<UInt8>]
  private let program: TrainingProgram
  private let forwardCount: Int
  private let logits: AlignedBuffer<Float>
  private let logitGradients: AlignedBuffer<Float>
  private let pixelGradients: AlignedBuffer<Float>?
  private let inputCount: Int

  /// Compiles `graph` for batches of `batch` images of `inputShape`, channels first.
  ///
  /// The graph has one float32 input and one output. Its float32 initializers are the parameters
  /// that the session starts with. With `givesInputGradients`, backward passes go on to the input.
  ///
  /// - Throws: ``ExecutionError`` when the graph has a node that cannot be trained or shapes that do
  ///   not fit; an error of oneDNN when a kernel cannot be made.
  public init(
    _ graph: Graph, batch: Int, inputShape: [Int], precision: Precision = .float32,
    givesInputGradients: Bool = false
  ) throws {
    try precision.check()
    guard graph.inputs.count == 1, graph.outputs.count == 1 else {
      throw ExecutionError(
        "graph '\(graph.name)'",
        "has \(graph.inputs.count) inputs and \(graph.outputs.count) outputs; training needs one each"
      )
    }
    let name = graph.inputs[0].name
    let types = try graph.inferShapes(inputs: [name: [batch] + inputShape])
    guard types[name]?.elementType == .float32, let output = types[graph.outputs[0].name] else {
      throw ExecutionError("input '\(name)'", "is not float32; training needs it to be")
    }
    self.graph = graph
    self.batch = batch
    self.inputShape = inputShape
    self.precision = precision
    outputShape = output.shape
    inputCount = inputShape.reduce(batch, *)
    logits = .init(count: output.count)
    logitGradients = .init(count: output.count)
    pixelGradients = givesInputGradients ? .init(count: inputCount) : nil

    let engine = try Engine()
    let stream = try OneDNN.Stream(engine)
    let parameters = ParameterStore(engine: engine, stream: stream)
    self.parameters = parameters
    let compiler = TrainingCompiler(
      graph, types: types, precision: precision, parameters: parameters, engine: engine)
    try compiler.compile(
      logits: logits.pointer, logitGradients: logitGradients.pointer,
      inputGradients: pixelGradients.map { UnsafeMutableRawPointer($0.pointer) })
    parameters.allocate()
    statistics = compiler.statistics
    constants = compiler.constants
    forwardCount = compiler.forwardCount
    let logits = logits.pointer
    program = try TrainingProgram(compiler.writer, stream: stream) { place in
      switch place {
      case .value(let slot): parameters.address(slot, .values)
      case .gradient(let slot): parameters.address(slot, .gradients)
      case .copy(let copy): parameters.copies[copy].pages.pointer
      case .fixed(let pointer): pointer
      // The caller's images have no address yet; any will do.
      case .input, .arena: UnsafeMutableRawPointer(logits)
      }
    }
    try load(parameters: graph.initializers)
  }

  /// Computes the logits of a batch and moves the running statistics.
  ///
  /// - Parameters:
  ///   - input: The images, row-major, `batch` times `inputShape` elements.
  ///   - movesStatistics: Whether the running statistics take note of the batch; not for rows that
  ///     the network is only judged on.
  /// - Returns: The logits, row-major, of ``outputShape``; valid until the next call.
  /// - Throws: An error of oneDNN when a kernel fails.
  @discardableResult
  public func forward(
    _ input: UnsafeBufferPointer<Float>, movesStatistics: Bool = true
  ) throws -> UnsafeBufferPointer<Float> {
    guard input.count == inputCount, let base = input.baseAddress else {
      preconditionFailure("a batch has \(inputCount) elements, not \(input.count)")
    }
    for memory in program.inputs { memory.move(to: UnsafeMutableRawPointer(mutating: base)) }
    try parameters.refreshCopies()
    try program.run(0..<forwardCount)
    if movesStatistics { for entry in statistics { entry.update() } }
    return logits.buffer
  }

  /// Computes all parameters' gradients for the batch of the last ``forward(_:movesStatistics:)``.
  ///
  /// Once for each forward pass: nothing is left of what that kept.
  ///
  /// - Parameter gradients: The loss's gradients with respect to the logits, row-major.
  /// - Throws: An error of oneDNN when a kernel fails.
  public func backward(_ gradients: UnsafeBufferPointer<Float>) throws {
    precondition(gradients.count == logitGradients.count, "one gradient for each logit")
    _ = logitGradients.mutableBuffer.update(fromContentsOf: gradients)
    try program.run(forwardCount..<program.kinds.count)
  }

  /// The gradients on the input of the last ``backward(_:)``, row-major.
  ///
  /// Empty where the session does not give them; valid until the next call.
  public var inputGradients: UnsafeBufferPointer<Float> {
    pixelGradients?.buffer ?? UnsafeBufferPointer(start: nil, count: 0)
  }

  /// Where each parameter lies in the flat arrays.
  public var slots: [Slot] { parameters.slots }

  /// One of the flat arrays, in the kernels' order; valid while the session lives.
  ///
  /// Values may be changed until the next call; ask again for later changes.
  public func elements(of array: ParameterArray) -> UnsafeMutableBufferPointer<Float> {
    parameters.elements(array)
  }

  /// Every parameter's values, gradients or momenta as row-major tensors, by name.
  ///
  /// - Throws: An error of oneDNN when a copy fails.
  public func tensors(of array: ParameterArray) throws -> [String: Tensor] {
    try parameters.tensors(array)
  }

  /// Copies one parameter's values, gradients or momenta, row-major, to `elements`.
  ///
  /// - Parameters:
  ///   - array: Which.
  ///   - slot: The parameter's place in ``slots``.
  ///   - elements: Takes as many elements as the parameter has.
  /// - Throws: An error of oneDNN when the copy fails.
  public func read(
    _ array: ParameterArray, slot: Int, into elements: UnsafeMutableBufferPointer<Float>
  ) throws {
    try parameters.read(array, slot: slot, into: elements)
  }

  /// Sets one parameter's values from row-major `elements`, as many as the parameter has.
  ///
  /// - Throws: An error of oneDNN when the copy fails.
  public func write(_ elements: UnsafeBufferPointer<Float>, slot: Int) throws {
    try parameters.write(elements, to: .values, slot: slot)
  }

  /// The running means and variances by name.
  public var runningStatistics: [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for entry in statistics {
      for (name, values) in [
        (entry.names.mean, entry.runningMean), (entry.names.variance, entry.runningVariance),
      ] {
        tensors[name] = Tensor(shape: [values.count], Array(values.buffer))
      }
    }
    return tensors
  }

  /// The graph with the parameters and running statistics as they are now.
  ///
  /// - Throws: An error of oneDNN when a copy fails.
  public func trainedGraph() throws -> Graph {
    var trained = graph
    for (name, tensor) in try tensors(of: .values) { trained.initializers[name] = tensor }
    for (name, tensor) in runningStatistics { trained.initializers[name] = tensor }
    return trained
  }

  /// Sets parameters and running statistics by name; what is not named stays as it is.
  ///
  /// - Throws: ``ExecutionError`` when a tensor has another shape or type than the parameter.
  public func load(parameters tensors: [String: Tensor]) throws {
    try parameters.load(tensors, into: .values)
    for entry in statistics {
      for (name, values) in [
        (entry.names.mean, entry.runningMean), (entry.names.variance, entry.runningVariance),
      ] {
        guard let tensor = tensors[name] else { continue }
        guard tensor.elementType == .float32, tensor.count == values.count else {
          throw ExecutionError(
            "statistic '\(name)'",
            "is \(tensor.elementType) \(tensor.shape), expected float32 [\(values.count)]")
        }
        _ = values.mutableBuffer.update(fromContentsOf: tensor.floats)
      }
    }
  }

  /// Sets momenta by parameter name; what is not named stays as it is.
  ///
  /// - Throws: ``ExecutionError`` when a tensor has another shape or type than the parameter.
  public func load(momenta tensors: [String: Tensor]) throws {
    try parameters.load(tensors, into: .momenta)
  }

  /// The bytes that activations, their gradients and the kernels' working room share.
  public var arenaByteCount: Int { program.arenaByteCount }

  /// Starts measuring what each kind of step takes, or stops.
  public var measures: Bool {
    get { program.measures }
    set { program.measures = newValue }
  }

  /// The fewest seconds each step took since ``measures`` was set, in the order of the steps.
  public var profile: [(kind: String, step: String, seconds: Double)] {
    program.kinds.indices.map {
      (program.kinds[$0].rawValue, program.names[$0], program.seconds[$0])
    }
  }
}
