import Graphs
import OneDNN
import Tensors

/// The parameters of a network with their gradients and momenta, in the kernels' layouts.
final class ParameterStore {
  /// The parameters, in the order of their storage.
  private(set) var slots: [Slot] = []
  private(set) var layouts: [Layout] = []
  /// The tiles of each parameter's values, where they consist of tiles.
  private(set) var tiles: [WeightTiles?] = []
  /// What kernels read instead of the values.
  var copies: [WeightCopy] = []
  private var rowMajor: [Layout] = []
  private var room: AlignedBuffer<UInt8>?
  private var indices: [String: Int] = [:]
  private var arrays: [ParameterArray: Pages] = [:]
  private let engine: Engine
  private let stream: OneDNN.Stream

  init(engine: Engine, stream: OneDNN.Stream) {
    self.engine = engine
    self.stream = stream
  }

  /// The number of elements of each array, padding included.
  private(set) var count = 0

  /// Makes room for a parameter that is kept in `layout`, and returns its slot.
  ///
  /// Comes before ``allocate()``. `shape` is the graph's; `layout` may split its first axis.
  func add(_ name: String, shape: [Int], layout: Layout, decays: Bool, for node: Node) throws -> Int
  {
    guard indices[name] == nil else {
      throw ExecutionError(
        node, "parameter '\(name)' is used by two nodes; training needs one each")
    }
    let length = layout.byteCount / 4
    slots.append(Slot(name: name, shape: shape, range: count..<count + length, decays: decays))
    layouts.append(layout)
    tiles.append(WeightTiles(master: layout))
    rowMajor.append(try layout.with(format: .rowMajor))
    indices[name] = slots.count - 1
    // The next parameter starts on a cache line of its own.
    count = (count + length + 15) / 16 * 16
    return slots.count - 1
  }

  /// Allocates all arrays, zeroed.
  func allocate() {
    for array in ParameterArray.allCases { arrays[array] = Pages(byteCount: count * 4) }
  }

  /// All elements of `array`, in the kernels' order, for the caller to change until the next call.
  func elements(_ array: ParameterArray) -> UnsafeMutableBufferPointer<Float> {
    if array == .values { forgetCopies() }
    return .init(start: pointer(array), count: count)
  }

  /// Takes note that the values were changed.
  private func forgetCopies() {
    for copy in copies { copy.isCurrent = false }
  }

  /// The first element of `array`.
  func pointer(_ array: ParameterArray) -> UnsafeMutablePointer<Float> {
    guard let pages = arrays[array] else { preconditionFailure("allocate() comes first") }
    return pages.pointer.assumingMemoryBound(to: Float.self)
  }

  /// The address of a parameter's elements in `array`.
  func address(_ slot: Int, _ array: ParameterArray) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(pointer(array) + slots[slot].range.lowerBound)
  }

  /// Every parameter's `array` as row-major tensors, by name.
  func tensors(_ array: ParameterArray) throws -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (i, slot) in slots.enumerated() {
      var elements = [Float](repeating: 0, count: slot.shape.reduce(1, *))
      try elements.withUnsafeMutableBufferPointer { try read(array, slot: i, into: $0) }
      tensors[slot.name] = Tensor(shape: slot.shape, elements)
    }
    return tensors
  }

  /// Sets `array` from row-major tensors; parameters that are not named stay as they are.
  func load(_ tensors: [String: Tensor], into array: ParameterArray) throws {
    for (i, slot) in slots.enumerated() {
      guard let tensor = tensors[slot.name] else { continue }
      guard tensor.elementType == .float32, tensor.shape == slot.shape else {
        throw ExecutionError(
          "parameter '\(slot.name)'",
          "is \(tensor.elementType) \(tensor.shape), expected float32 \(slot.shape)")
      }
      try tensor.floats.withUnsafeBufferPointer { try write($0, to: array, slot: i) }
    }
  }

  /// Copies `slot`'s part of `array`, row-major, to `elements`.
  func read(
    _ array: ParameterArray, slot: Int, into elements: UnsafeMutableBufferPointer<Float>
  ) throws {
    let plain = try plain(slot)
    try copy(Memory(layouts[slot], on: engine, at: address(slot, array)), to: plain)
    let made = plain.elements(Float.self)
    precondition(
      elements.count == made.count,
      "'\(slots[slot].name)' has \(made.count) elements, not \(elements.count)")
    _ = elements.update(fromContentsOf: made)
  }

  /// Sets `slot`'s part of `array` from row-major elements.
  func write(
    _ elements: UnsafeBufferPointer<Float>, to array: ParameterArray, slot: Int
  ) throws {
    let plain = try plain(slot)
    precondition(
      plain.bytes.count == elements.count * 4,
      "'\(slots[slot].name)' has \(plain.bytes.count / 4) elements, not \(elements.count)")
    if array == .values { forgetCopies() }
    plain.bytes.copyMemory(from: UnsafeRawBufferPointer(elements))
    try copy(plain, to: Memory(layouts[slot], on: engine, at: address(slot, array)))
  }

  /// Room for a parameter row-major, the same for all that come after one another.
  private func plain(_ slot: Int) throws -> Memory {
    let layout = rowMajor[slot]
    if room.map({ $0.count < layout.byteCount }) ?? true {
      room = AlignedBuffer(count: rowMajor.map(\.byteCount).max() ?? 0)
    }
    return try Memory(layout, on: engine, at: room.map { UnsafeMutableRawPointer($0.pointer) })
  }

  /// Copies the values of `slot` into `copy`.
  func reorder(slot: Int, to copy: WeightCopy) throws {
    let kept = try Memory(layouts[slot], on: engine, at: address(slot, .values))
    try self.copy(kept, to: Memory(copy.layout, on: engine, at: copy.pages.pointer))
  }

  private func copy(_ from: Memory, to: Memory) throws {
    let reorder = try PrimitiveDescription.reorder(from: from.layout, to: to.layout, on: engine)
    var memories: [Argument: Memory] = [.source: from, .destination: to]
    if reorder.scratchpadByteCount > 0 {
      memories[.scratchpad] = try Memory(reorder.layout(of: .scratchpad), on: engine)
    }
    try Call(Primitive(reorder), memories).run(on: stream)
    try stream.wait()
  }
}
