public import Graphs
import OneDNN
import Tensors

/// A graph compiled for a batch size and precision, and the memory to run it in.
///
/// Compiling chooses a kernel for every step, puts the weights into the order it wants and plans
/// one arena for all activations; running allocates nothing. Results do not depend on earlier
/// runs, and with a fixed number of threads they repeat bit for bit. A last batch that is not
/// full is filled up by the caller with anything.
///
/// A session has one owner: it is not meant to be used from two threads at once.
public final class InferenceSession {
  /// The graph's outputs with their shapes for this batch.
  public let outputs: [Value]
  /// The graph's input with its shape for this batch.
  public let input: Value
  /// The length of the memory for activations, in bytes.
  public let arenaBytes: Int
  /// The length of the weights in the order the kernels want, in bytes.
  public let weightBytes: Int

  private let stream: OneDNN.Stream
  private let arena: AlignedBuffer<UInt8>
  private let instructions: [Instruction]
  /// What reads the caller's input, to be told where it lies.
  private let inputs: [Memory]
  private let exports: [(call: Call, memory: Memory)]
  private let constants: [Memory]

  enum Work {
    case call(Call)
    case wholeAverage(WholeAverage)
    case lookup(Lookup)
    case scaling(ChannelScaling)
    case padding(Padding)
    case resampling(Resampling)
  }

  struct Instruction {
    var name: String
    var work: Work
    var summary: String
  }

  /// Compiles `graph`.
  ///
  /// - Parameters:
  ///   - graph: What to run: one float32 input, any tensors as outputs.
  ///   - batch: The number of images in every run.
  ///   - inputShape: The shape of one image: `[channels, height, width]`.
  ///   - precision: What real numbers are computed in.
  /// - Throws: ``ExecutionError``, `GraphError` or `DNNLError` where the graph cannot be run.
  public convenience init(
    _ graph: Graph, batch: Int, inputShape: [Int], precision: Precision = .float32
  ) throws {
    try self.init(
      graph, batch: batch, inputShape: inputShape, precision: precision,
      pairsSaturate: !Processor.current.hasNativeInt8)
  }

  /// Compiles `graph` for a processor on which pairs of int8 products may saturate or not.
  init(
    _ graph: Graph, batch: Int, inputShape: [Int], precision: Precision, pairsSaturate: Bool
  ) throws {
    try precision.check()
    let shape = [batch] + inputShape
    var program = try Lowering.program(
      of: graph, inputShape: shape, precision: precision, pairsSaturate: pairsSaturate)
    program.keepInputOutOfOutputs()
    let compiler = try Compiler(program)
    let compiled = compiler.program
    let assembly = try Assembly(compiler)
    stream = compiler.stream
    arena = assembly.arena
    instructions = assembly.instructions
    inputs = assembly.inputs
    exports = assembly.exports
    constants = assembly.constants
    arenaBytes = arena.count
    weightBytes = constants.reduce(0) { $0 + $1.layout.byteCount }
    input = Value(graph.inputs[0].name, shape: shape)
    outputs = compiled.outputs.map { output in
      Value(output.name, shape: compiled.slots[output.view.slot].shape)
    }
  }

  /// Runs the graph on one batch.
  ///
  /// - Parameter images: Row-major `[batch, channels, height, width]`; read only during the call.
  /// - Throws: `DNNLError` if a kernel fails.
  /// - Precondition: `images` holds a whole batch.
  public func run(_ images: UnsafeBufferPointer<Float>) throws {
    let count = input.shape.reduce(1) { $0 * ($1 ?? 1) }
    precondition(images.count == count, "a batch has \(count) numbers, not \(images.count)")
    guard let address = images.baseAddress else { return }
    let pointer = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(address))
    for memory in inputs { memory.move(to: pointer) }
    for instruction in instructions { try run(instruction) }
    try stream.wait()
  }

  /// Runs the graph on one batch; see ``run(_:)-(UnsafeBufferPointer<Float>)``.
  ///
  /// - Throws: `DNNLError` if a kernel fails.
  public func run(_ images: [Float]) throws {
    try images.withUnsafeBufferPointer { try run($0) }
  }

  private func run(_ instruction: Instruction) throws {
    switch instruction.work {
    case .call(let call): try call.run(on: stream)
    case .wholeAverage(let average): average.run()
    case .lookup(let lookup): lookup.run()
    case .scaling(let scaling): scaling.run()
    case .padding(let padding): padding.run()
    case .resampling(let resampling): resampling.run()
    }
  }

  /// Output number `index` of the last run, row-major, as reals.
  ///
  /// The whole numbers of an output that is quantized come as they are.
  ///
  /// - Throws: `DNNLError` if the copy fails.
  public func output(_ index: Int = 0) throws -> [Float] {
    let count = outputs[index].shape.reduce(1) { $0 * ($1 ?? 1) }
    return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      try copyOutput(index, to: buffer)
      initialized = count
    }
  }

  /// The output called `name`, or `nil` where there is none; see ``output(_:)-(Int)``.
  ///
  /// - Throws: `DNNLError` if the copy fails.
  public func output(_ name: String) throws -> [Float]? {
    guard let index = outputs.firstIndex(where: { $0.name == name }) else { return nil }
    return try output(index)
  }

  /// Writes output number `index` of the last run to `buffer`, row-major.
  ///
  /// - Throws: `DNNLError` if the copy fails.
  /// - Precondition: `buffer` has room for it.
  public func copyOutput(_ index: Int, to buffer: UnsafeMutableBufferPointer<Float>) throws {
    let export = exports[index]
    precondition(
      buffer.count * MemoryLayout<Float>.stride >= export.memory.layout.byteCount,
      "the buffer is too small for output \(index)")
    guard let address = buffer.baseAddress else { return }
    export.memory.move(to: UnsafeMutableRawPointer(address))
    try export.call.run(on: stream)
    try stream.wait()
  }

  /// One line for each kernel: the step, what oneDNN chose, shapes.
  public var planDescription: String {
    instructions.map(\.summary).joined(separator: "\n")
  }

  /// Runs the graph once and gives the seconds that each kernel took, in order.
  ///
  /// - Throws: `DNNLError` if a kernel fails.
  public func profile(_ images: [Float]) throws -> [(kernel: String, seconds: Double)] {
    try run(images)
    return try images.withUnsafeBufferPointer { buffer in
      if let address = buffer.baseAddress {
        let pointer = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(address))
        for memory in inputs { memory.move(to: pointer) }
      }
      let clock = ContinuousClock()
      return try instructions.map { instruction in
        let time = try clock.measure {
          try run(instruction)
          try stream.wait()
        }
        return (instruction.summary, time / .seconds(1))
      }
    }
  }
}
