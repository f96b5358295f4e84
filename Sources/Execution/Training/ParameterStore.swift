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
      let plain = try Memory(rowMajor[i], on: engine)
      let kept = try Memory(layouts[i], on: engine, at: address(i, array))
      try copy(kept, to: plain)
      tensors[slot.name] = Tensor(shape: slot.shape, Array(plain.elements(Float.self)))
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
      let plain = try Memory(rowMajor[i], on: engine)
      if array == .values { forgetCopies() }
      tensor.bytes.withUnsafeBytes { plain.bytes.copyMemory(from: $0) }
      let kept = try Memory(layouts[i], on: engine, at: address(i, array))
      try copy(plain, to: kept)
    }
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
