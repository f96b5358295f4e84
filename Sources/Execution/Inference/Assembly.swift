import Foundation
import OneDNN
import Tensors

/// A compiled program with an address for every array.
struct Assembly {
  let arena: AlignedBuffer<UInt8>
  private(set) var instructions: [InferenceSession.Instruction] = []
  private(set) var inputs: [Memory] = []
  private(set) var exports: [(call: Call, memory: Memory)] = []
  private(set) var constants: [Memory] = []
  private let compiler: Compiler
  /// The first byte of every slot; `nil` for the caller's input.
  private var addresses: [UnsafeMutableRawPointer?] = []

  init(_ compiler: Compiler) throws {
    self.compiler = compiler
    let program = compiler.program
    // One item for each piece of memory: slots that share it, then scratchpads.
    var items: [MemoryPlan.Item] = []
    var itemOfStorage: [Int: Int] = [:]
    for slot in program.slots.indices where slot > 0 && program.slots[slot].constant == nil {
      let first = compiler.prepared.firstIndex { $0.writes == slot } ?? 0
      let lifetime = first...max(first, compiler.lastUse[slot])
      let bytes = compiler.layouts[slot].byteCount
      if let item = itemOfStorage[compiler.storage[slot]] {
        let old = items[item]
        items[item] = .init(
          byteCount: max(old.byteCount, bytes),
          lifetime: min(
            old.lifetime.lowerBound, first)...max(old.lifetime.upperBound, lifetime.upperBound))
      } else {
        itemOfStorage[compiler.storage[slot]] = items.count
        items.append(.init(byteCount: bytes, lifetime: lifetime))
      }
    }
    let firstScratchpad = items.count
    for (i, step) in compiler.prepared.enumerated() {
      items.append(.init(byteCount: step.scratchpadByteCount, lifetime: i...i))
    }
    // Before the plan adds lengths up: a graph from a file may ask for any size.
    let limit = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    if let largest = items.map(\.byteCount).max(), largest > limit / 2 {
      throw ExecutionError(
        "graph", "needs \(largest) bytes for one tensor; this machine has \(limit)")
    }
    let plan = MemoryPlan(items)
    guard plan.byteCount <= limit else {
      throw ExecutionError(
        "graph", "needs \(plan.byteCount) bytes for its tensors; this machine has \(limit)")
    }
    arena = AlignedBuffer(count: plan.byteCount)
    let base = UnsafeMutableRawPointer(arena.pointer)

    for slot in program.slots.indices {
      if let values = program.slots[slot].constant {
        let memory = try compiler.constant(compiler.layouts[slot].shape, values)
        constants.append(memory)
        addresses.append(memory.pointer)
      } else {
        addresses.append(itemOfStorage[compiler.storage[slot]].map { base + plan.offsets[$0] })
      }
    }
    for (i, step) in compiler.prepared.enumerated() {
      try add(step, scratchpad: base + plan.offsets[firstScratchpad + i])
    }
    for output in program.outputs { try export(output.view) }
  }

  private mutating func add(_ step: Prepared, scratchpad: UnsafeMutableRawPointer) throws {
    switch step.kernel {
    case .none: return
    case .wholeAverage(let source, let quantization):
      guard let affine = source.affine, let from = addresses[source.slot],
        let to = addresses[step.writes]
      else { return }
      let shape = compiler.layouts[source.slot].shape
      let average = WholeAverage(
        batch: shape[0], pixels: shape[2] * shape[3], channels: shape[1], affine: affine,
        source: from, destination: to, quantization: quantization,
        sums: AlignedBuffer(count: shape[0] * shape[1]))
      append(step, .wholeAverage(average), "whole average")
    case .lookup(let source, let table):
      guard let from = addresses[source], let to = addresses[step.writes] else { return }
      let lookup = Lookup(
        table: table, count: compiler.layouts[source].byteCount, source: from, destination: to)
      append(step, .lookup(lookup), "table")
    case .scaling(let images, let factors, let target):
      guard let affine = images.affine, let from = addresses[images.slot],
        let numbers = addresses[factors.slot], let to = addresses[step.writes]
      else { return }
      let shape = compiler.layouts[images.slot].shape
      let scaling = ChannelScaling(
        batch: shape[0], pixels: shape[2] * shape[3], channels: shape[1], affine: affine,
        source: from, factors: numbers, factorAffine: factors.affine, target: target,
        destination: to, reals: AlignedBuffer(count: shape[0] * shape[1]))
      append(step, .scaling(scaling), "channel scaling")
    case .padding(let source, let begins, let value):
      guard let from = addresses[source], let to = addresses[step.writes] else { return }
      let padding = Padding(
        begins, value, from: compiler.layouts[source], at: from,
        to: compiler.layouts[step.writes], at: to)
      append(step, .padding(padding), "padding")
    case .resampling(let source, let mode):
      guard let from = addresses[source], let to = addresses[step.writes] else { return }
      let resampling = Resampling(
        mode, from: compiler.layouts[source], at: from, to: compiler.layouts[step.writes], at: to)
      append(step, .resampling(resampling), "resampling")
    case .primitive(let description):
      var memories: [Argument: Memory] = [:]
      for (argument, binding) in step.bindings {
        switch binding {
        case .constant(let memory):
          memories[argument] = memory
          constants.append(memory)
        case .slot(let slot, let layout): memories[argument] = try memory(slot, as: layout)
        }
      }
      if step.scratchpadByteCount > 0 {
        memories[.scratchpad] = try Memory(
          Layout([step.scratchpadByteCount], .uint8), on: compiler.engine, at: scratchpad)
      }
      let call = Call(try Primitive(description), memories)
      append(step, .call(call), description.implementation)
    }
  }

  private mutating func append(
    _ step: Prepared, _ work: InferenceSession.Work, _ implementation: String
  ) {
    let shapes = (step.reads.prefix(1) + [step.writes]).map {
      let slot = compiler.program.slots[$0]
      return "\(slot.elementType) \(slot.shape.map(String.init).joined(separator: "x"))"
    }
    let summary = "\(step.name): \(implementation), \(shapes.joined(separator: " -> "))"
    instructions.append(.init(name: step.name, work: work, summary: summary))
  }

  /// The array in `slot`; the caller's input has no address yet.
  private mutating func memory(_ slot: Int, as layout: Layout? = nil) throws -> Memory {
    let layout = layout ?? compiler.layouts[slot]
    if let address = addresses[slot] {
      return try Memory(layout, on: compiler.engine, at: address)
    }
    let memory = try Memory(layout, on: compiler.engine)
    inputs.append(memory)
    return memory
  }

  /// How an output is read: row-major, as reals.
  private mutating func export(_ view: View) throws {
    let source = try memory(view.slot)
    let target = try Memory(Layout(source.layout.shape, .float32), on: compiler.engine)
    var attributes = Attributes()
    var memories: [Argument: Memory] = [.source: source, .destination: target]
    if let affine = view.affine {
      attributes.scales[.source] = 0
      memories[.scales(of: .source)] = try compiler.constant([1], [affine.scale])
      attributes.zeroPoints[.source] = 0
      memories[.zeroPoints(of: .source)] = try compiler.whole(affine.zeroPoint)
    }
    let description = try PrimitiveDescription.reorder(
      from: source.layout, to: target.layout, attributes: attributes, on: compiler.engine)
    if description.scratchpadByteCount > 0 {
      memories[.scratchpad] = try Memory(
        Layout([description.scratchpadByteCount], .uint8), on: compiler.engine)
    }
    exports.append((Call(try Primitive(description), memories), target))
  }
}

extension Prepared {
  /// The room that the kernel works in.
  var scratchpadByteCount: Int {
    if case .primitive(let description) = kernel { description.scratchpadByteCount } else { 0 }
  }
}

extension Program {
  /// Copies the input where it is an output too: the caller's memory is not ours to keep.
  mutating func keepInputOutOfOutputs() {
    guard outputs.contains(where: { $0.view.slot == 0 }) else { return }
    let copy = addSlot(slots[0].name, slots[0].shape, .float32)
    steps.append(
      Step(name: "copy of the input", work: .copy, sources: [View(slot: 0)], destination: copy))
    for i in outputs.indices where outputs[i].view.slot == 0 { outputs[i].view.slot = copy }
  }
}
