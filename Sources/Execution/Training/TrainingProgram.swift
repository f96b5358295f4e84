import OneDNN
import Tensors

/// Where an array is.
enum Place: Hashable {
  /// In the arena, at an offset that is planned when all steps are known.
  case arena(Int)
  /// At an address that stays.
  case fixed(UnsafeMutableRawPointer)
  /// A parameter's values, by slot.
  case value(Int)
  /// A parameter's gradients, by slot.
  case gradient(Int)
  /// A copy of a parameter's values, by number.
  case copy(Int)
  /// The caller's images, at another address in every run.
  case input
}

/// An array while a program is being written: a layout and a place.
struct Operand {
  var layout: Layout
  var place: Place
  /// Where in the place's array this one starts.
  var byteOffset = 0
}

/// What a step does, for the profile.
enum StepKind: String, CaseIterable, Sendable {
  case convolutionForward = "convolution forward"
  case convolutionBackwardData = "convolution backward data"
  case convolutionBackwardWeights = "convolution backward weights"
  case normalizationForward = "normalization forward"
  case normalizationBackward = "normalization backward"
  case reorderData = "reorder data"
  case pooling = "pooling"
  case elements = "elements"
  case product = "product"
}

/// A list of steps being written: which kernel runs on which arrays, in order.
struct ProgramWriter {
  /// What runs: a kernel of oneDNN, or a function of the addresses of some arrays.
  enum Work {
    case kernel(Primitive, [(Argument, Operand)])
    case function([Operand], ([UnsafeMutablePointer<Float>]) -> Void)
  }

  struct Step {
    var kind: StepKind
    var name: String
    var work: Work
  }

  let engine: Engine
  private(set) var steps: [Step] = []
  private var byteCounts: [Int] = []
  private var lifetimes: [ClosedRange<Int>?] = []
  private(set) var scratchpadByteCount = 0

  init(engine: Engine) { self.engine = engine }

  /// A new array in the arena, alive from the first step that uses it to the last.
  mutating func array(_ layout: Layout) -> Operand {
    byteCounts.append(layout.byteCount)
    lifetimes.append(nil)
    return Operand(layout: layout, place: .arena(byteCounts.count - 1))
  }

  /// Appends a kernel; arrays of the arena live at least until here.
  mutating func run(
    _ kind: StepKind, _ name: String, _ description: PrimitiveDescription,
    _ arguments: [(Argument, Operand)]
  ) throws {
    scratchpadByteCount = max(scratchpadByteCount, description.scratchpadByteCount)
    use(arguments.map(\.1))
    steps.append(
      Step(kind: kind, name: name, work: .kernel(try Primitive(description), arguments)))
  }

  /// Appends a function of float32 arrays, which is called with their addresses.
  mutating func run(
    _ kind: StepKind, _ name: String, on arrays: [Operand],
    _ function: @escaping ([UnsafeMutablePointer<Float>]) -> Void
  ) {
    use(arrays)
    steps.append(Step(kind: kind, name: name, work: .function(arrays, function)))
  }

  /// Keeps arrays of the arena alive until the next step at least.
  private mutating func use(_ arrays: [Operand]) {
    for operand in arrays {
      guard case .arena(let i) = operand.place else { continue }
      lifetimes[i] = (lifetimes[i]?.lowerBound ?? steps.count)...steps.count
    }
  }

  /// Where the arrays go, by number.
  var plan: MemoryPlan {
    MemoryPlan(
      zip(byteCounts, lifetimes).map { byteCount, lifetime in
        // What no step uses needs no room.
        .init(byteCount: lifetime == nil ? 0 : byteCount, lifetime: lifetime ?? 0...0)
      })
  }
}

/// Steps with all their memory, ready to run.
final class TrainingProgram {
  /// The bytes of the arena and the scratchpad together.
  let arenaByteCount: Int
  /// What each step does, in order.
  let kinds: [StepKind]
  /// What each step is for, and the kernel it uses.
  let names: [String]
  /// The fewest seconds each step took since ``measures`` was set; infinite before it ran.
  private(set) var seconds: [Double]
  /// Whether each step is timed.
  var measures = false {
    didSet { seconds = .init(repeating: .infinity, count: calls.count) }
  }

  private let arena: Pages
  private let scratchpad: Pages
  private let calls: [() throws -> Void]
  private let stream: OneDNN.Stream

  /// The arrays that are the caller's images.
  let inputs: [Memory]

  /// Plans the arena; `resolve` finds the places outside it.
  init(
    _ writer: ProgramWriter, stream: OneDNN.Stream,
    resolve: (Place) -> UnsafeMutableRawPointer
  ) throws {
    let plan = writer.plan
    let arena = Pages(byteCount: plan.byteCount)
    let scratchpad = Pages(byteCount: writer.scratchpadByteCount)
    self.arena = arena
    self.scratchpad = scratchpad
    self.stream = stream
    arenaByteCount = plan.byteCount + writer.scratchpadByteCount
    kinds = writer.steps.map(\.kind)
    func address(_ operand: Operand) -> UnsafeMutableRawPointer {
      if case .arena(let i) = operand.place {
        return arena.pointer + plan.offsets[i] + operand.byteOffset
      }
      return resolve(operand.place) + operand.byteOffset
    }
    var inputs: [Memory] = []
    calls = try writer.steps.map { step in
      switch step.work {
      case .function(let arrays, let function):
        let addresses = arrays.map { address($0).assumingMemoryBound(to: Float.self) }
        return {
          try stream.wait()
          function(addresses)
        }
      case .kernel(let kernel, let arguments):
        var memories: [Argument: Memory] = [:]
        for (argument, operand) in arguments {
          let memory = try Memory(operand.layout, on: writer.engine, at: address(operand))
          memories[argument] = memory
          if operand.place == .input { inputs.append(memory) }
        }
        if kernel.description.scratchpadByteCount > 0 {
          memories[.scratchpad] = try Memory(
            kernel.description.layout(of: .scratchpad), on: writer.engine, at: scratchpad.pointer)
        }
        let call = Call(kernel, memories)
        return { try call.run(on: stream) }
      }
    }
    names = writer.steps.map { step in
      switch step.work {
      case .kernel(let kernel, _): "\(step.name) \(kernel.description.implementation)"
      case .function: step.name
      }
    }
    self.inputs = inputs
    seconds = .init(repeating: .infinity, count: calls.count)
  }

  /// Runs the steps of `range` in order.
  func run(_ range: Range<Int>) throws {
    if measures { return try runMeasured(range) }
    for i in range { try calls[i]() }
    try stream.wait()
  }

  private func runMeasured(_ range: Range<Int>) throws {
    let clock = ContinuousClock()
    for i in range {
      let time = try clock.measure {
        try calls[i]()
        try stream.wait()
      }
      seconds[i] = min(seconds[i], time / .seconds(1))
    }
  }
}
