import OneDNN
import Tensors

/// Products of `float32` matrices on all threads.
///
/// A kernel is made once for every shape. One owner at a time.
final class MatrixProducts {
  /// A matrix in memory: where it starts and how far neighbours in a column and in a row are.
  struct Operand {
    var pointer: UnsafeMutablePointer<Float>
    var strides: [Int]

    /// A matrix of rows `stride` elements apart.
    static func rows(_ pointer: UnsafeMutablePointer<Float>, stride: Int) -> Operand {
      Operand(pointer: pointer, strides: [stride, 1])
    }

    /// The same numbers, rows as columns.
    var transposed: Operand { Operand(pointer: pointer, strides: strides.reversed()) }
  }

  /// What becomes of the numbers that are there already.
  enum Update: Hashable {
    case replace, add
  }

  private struct Shape: Hashable {
    var extents: [Int]
    var strides: [[Int]]
    var update: Update
  }

  private let engine: Engine
  private let stream: OneDNN.Stream
  private var calls: [Shape: Call] = [:]

  init() throws {
    engine = try Engine()
    stream = try OneDNN.Stream(engine)
  }

  /// Writes `a b` to `c`, which has memory of its own, or adds it to what is there.
  ///
  /// There is no taking away: oneDNN does that in plain loops, hundreds of times slower. Negate `a`.
  ///
  /// `extents` are the rows of `a`, the columns of `a` and the columns of `b`, all positive.
  func multiply(
    _ extents: [Int], _ a: Operand, _ b: Operand, into c: Operand, _ update: Update = .replace
  ) throws {
    let shape = Shape(
      extents: extents, strides: [a.strides, b.strides, c.strides], update: update)
    let call = try calls[shape] ?? make(shape)
    calls[shape] = call
    for (argument, operand) in [(Argument.source, a), (.weights, b), (.destination, c)] {
      call.memories[argument]?.move(to: UnsafeMutableRawPointer(operand.pointer))
    }
    try call.run(on: stream)
    try stream.wait()
  }

  private func make(_ shape: Shape) throws -> Call {
    let (m, k, n) = (shape.extents[0], shape.extents[1], shape.extents[2])
    let layouts = try zip([[m, k], [k, n], [m, n]], shape.strides).map {
      try Layout($0, .float32, .strides($1))
    }
    var attributes = Attributes()
    attributes.callerGivesScratchpad = false
    switch shape.update {
    case .replace: break
    case .add: attributes.postOperations = [.sum()]
    }
    let description = try PrimitiveDescription.matrixProduct(
      source: layouts[0], weights: layouts[1], destination: layouts[2], attributes: attributes,
      on: engine)
    // Where the arrays lie is said before every run.
    let anywhere = UnsafeMutableRawPointer(placeholder.pointer)
    return Call(
      try Primitive(description),
      [
        .source: try Memory(layouts[0], on: engine, at: anywhere),
        .weights: try Memory(layouts[1], on: engine, at: anywhere),
        .destination: try Memory(layouts[2], on: engine, at: anywhere),
      ])
  }

  private let placeholder = AlignedBuffer<Float>(count: 16)
}
