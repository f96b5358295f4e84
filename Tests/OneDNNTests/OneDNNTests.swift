import Tensors
import Testing

@testable import OneDNN

@Suite struct KernelTests {
  let engine: Engine
  let stream: OneDNN.Stream

  init() throws {
    engine = try Engine()
    stream = try OneDNN.Stream(engine)
  }

  func memory(_ shape: [Int], _ values: [Float], _ format: Format = .rowMajor) throws -> Memory {
    let plain = try Memory(Layout(shape, .float32), on: engine)
    for (i, value) in values.enumerated() { plain.elements(Float.self)[i] = value }
    if format == .rowMajor { return plain }
    let other = try Memory(Layout(shape, .float32, format), on: engine)
    try copy(plain, to: other)
    return other
  }

  func copy(_ from: Memory, to: Memory) throws {
    let reorder = try Primitive(.reorder(from: from.layout, to: to.layout, on: engine))
    try Call(reorder, [.source: from, .destination: to]).run(on: stream)
    try stream.wait()
  }

  @Test(arguments: [Format.rowMajor, .channelsLast, .channelBlocks16])
  func `a convolution agrees with its definition in every layout`(format: Format) throws {
    var random = SplitMix64(seed: 7)
    let (n, c, h, w, k) = (2, 3, 7, 5, 4)
    let x = (0..<n * c * h * w).map { _ in Float(random.uniform(-1...1)) }
    let f = (0..<k * c * 9).map { _ in Float(random.uniform(-1...1)) }
    let bias = (0..<k).map { _ in Float(random.uniform(-1...1)) }
    let (oh, ow) = (4, 3)
    let window = Window(strides: [2, 2], dilations: [1, 1], begins: [1, 1], ends: [1, 1])
    var attributes = Attributes()
    attributes.postOperations = [.elementwise(.relu)]
    let source = try memory([n, c, h, w], x, format)
    let description = try PrimitiveDescription.convolution(
      .inference, source: source.layout, weights: Layout([k, c, 3, 3], .float32, .any),
      bias: Layout([k], .float32), destination: Layout([n, k, oh, ow], .float32, format),
      window: window, attributes: attributes, on: engine)
    let weights = try Memory(description.layout(of: .weights), on: engine)
    try copy(try memory([k, c, 3, 3], f), to: weights)
    let result = try Memory(description.layout(of: .destination), on: engine)
    let scratchpad = AlignedBuffer<UInt8>(count: description.scratchpadByteCount)
    let call = Call(
      try Primitive(description),
      [
        .source: source, .weights: weights, .bias: try memory([k], bias), .destination: result,
        .scratchpad: try Memory(
          description.layout(of: .scratchpad), on: engine, at: scratchpad.pointer),
      ])
    try call.run(on: stream)
    try stream.wait()
    let plain = try Memory(Layout([n, k, oh, ow], .float32), on: engine)
    try copy(result, to: plain)
    for b in 0..<n {
      for o in 0..<k {
        for y in 0..<oh {
          for z in 0..<ow {
            var sum = bias[o]
            for i in 0..<c {
              for dy in 0..<3 {
                for dx in 0..<3 {
                  let (sy, sx) = (y * 2 + dy - 1, z * 2 + dx - 1)
                  guard (0..<h).contains(sy), (0..<w).contains(sx) else { continue }
                  sum += x[((b * c + i) * h + sy) * w + sx] * f[((o * c + i) * 3 + dy) * 3 + dx]
                }
              }
            }
            let got = plain.elements(Float.self)[((b * k + o) * oh + y) * ow + z]
            #expect(abs(got - max(0, sum)) < 1e-5)
          }
        }
      }
    }
  }

  @Test func `a call follows a memory that moves`() throws {
    let a = try memory([4], [1, 2, 3, 4])
    let b = try memory([4], [5, 6, 7, 8])
    let sum = try memory([4], [0, 0, 0, 0])
    let add = try Primitive(.binary(.add, a.layout, b.layout, destination: a.layout, on: engine))
    let call = Call(add, [.source: a, .source1: b, .destination: sum])
    try call.run(on: stream)
    #expect(Array(sum.elements(Float.self)) == [6, 8, 10, 12])
    a.move(to: b.pointer)
    try call.run(on: stream)
    #expect(Array(sum.elements(Float.self)) == [10, 12, 14, 16])
  }

  @Test func `layouts tell what they are`() throws {
    let plain = try Layout([2, 20, 5, 3], .float32)
    #expect(plain.strides == [300, 15, 3, 1])
    #expect(plain.blocks.isEmpty)
    let blocked = try Layout([2, 20, 5, 3], .bfloat16, .channelBlocks16)
    #expect(blocked.blocks.map(\.axis) == [1])
    #expect(blocked.blocks.map(\.size) == [16])
    #expect(blocked.paddedShape == [2, 32, 5, 3])
    #expect(blocked.byteCount == 2 * 32 * 15 * 2)
    #expect(blocked.elementType == .bfloat16)
    #expect(plain != blocked)
    #expect(try plain == Layout([2, 20, 5, 3], .float32, .strides([300, 15, 3, 1])))
    #expect(try plain.reshaped([2, 20, 15]).shape == [2, 20, 15])
  }

  @Test func `what oneDNN cannot do is an error with a reason`() throws {
    let error = #expect(throws: DNNLError.self) { try Layout([2, 3], .int64) }
    #expect(error?.description.contains("could not describe an array of int64") == true)
  }

  @Test func `the processor is described`() {
    let processor = Processor.current
    #expect(processor.version.hasPrefix("3."))
    #expect(processor.libraryPath?.contains("dnnl") == true)
    #expect(processor.threadCount >= 1)
    #expect(!processor.instructionSet.hasPrefix("unknown"))
  }
}

@Suite struct ParallelTests {
  @Test(arguments: [0, 1, 15, 16, 17, 1000, 4099])
  func `every index is visited once`(count: Int) {
    let visits = AlignedBuffer<Int32>(count: count)
    let pointer = visits.pointer
    Parallel.forEach(count) { range in for i in range { pointer[i] += 1 } }
    Parallel.pieces(count) { pointer[$0] += 1 }
    #expect(visits.buffer.allSatisfy { $0 == 2 })
  }
}
