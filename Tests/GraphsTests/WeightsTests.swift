import Files
import Foundation
import GraphReference
import Graphs
import TestSupport
import Tensors
import Testing

@Suite struct SafetensorsTests {
  private let contents = Safetensors.Contents(
    tensors: [
      "a.weight": Tensor(shape: [2, 2], [1, 2, 3, 4] as [Float]),
      "b\"/ü": Tensor(shape: [3], [1, -2, 3] as [Int8]),
      "empty": Tensor(shape: [0, 5], [] as [Float]),
      "half": Tensor(shape: [1], elementType: .bfloat16, bytes: [0x80, 0x3f]),
      "scalar": Tensor(scalar: 7 as Int64),
    ],
    metadata: ["step": "12", "note": "{}\n"])

  @Test func `what is written is read back`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/x.safetensors"
    try Safetensors.write(contents.tensors, metadata: contents.metadata, to: path)
    #expect(try Safetensors.readContents(path) == contents)
    let first = try Files.read(path)
    try Safetensors.write(contents.tensors, metadata: contents.metadata, to: path)
    #expect(try Files.read(path) == first)
    try Safetensors.write([:], to: path)
    #expect(try Safetensors.read(path).isEmpty)
  }

  @Test func `reads what the safetensors library wrote`() throws {
    let path = try goldenURL("tiny.safetensors", in: .module).path
    let contents = try Safetensors.readContents(path)
    #expect(contents.metadata == ["made by": "safetensors"])
    #expect(contents.tensors["conv2.weight"]?.shape == [8, 2, 3, 3])
    #expect(contents.tensors["bn1.num_batches_tracked"]?.elementType == .int64)
    #expect(
      contents.tensors["fc.weight"]?.widened
        == FormulaWeights.parameter("fc.weight", shape: [3, 8]))
  }

  @Test(arguments: [
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
      "tensor 'a' has 4 bytes, expected 8 for F32 of shape [2]"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      "tensor 'a' lies at [4, 8], expected to start at 0 and end within 8"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      "has 4 bytes after its last tensor"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#,
      "tensor 'b' lies at [4, 8], expected to start at 8 and end within 8"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
      "tensor 'a' lies at [8, 0], expected to start at 0 and end within 8"
    ),
    (
      #"{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}"#,
      "tensor 'a' has the element type F8_E4M3, not supported"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[-2,-1],"data_offsets":[0,8]}}"#,
      "tensor 'a' has the impossible shape [-2, -1]"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#,
      "tensor 'a' has the impossible shape [4294967296, 4294967296]"
    ),
    (#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, "has a damaged header: 'a' has no 'shape'"),
    (
      #"{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,8]}}"#,
      "has a damaged header: 'a.shape.Index 0' is not as expected"
    ),
    (#"{"a":"#, "has a damaged header: it is not JSON of the expected form"),
    ("hello", "is not a safetensors file: its header does not start with '{'"),
  ])
  func `what is wrong is named`(header: String, problem: String) {
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
    let bytes = length + Array(header.utf8) + [UInt8](repeating: 0, count: 8)
    #expect(throws: FileError("x", problem)) { try Safetensors.contents(bytes, path: "x") }
  }

  @Test func `a length beyond the file is refused`() {
    let huge = [UInt8](repeating: 0xff, count: 16)
    #expect(throws: FileError.self) { try Safetensors.contents(huge, path: "x") }
    #expect(throws: FileError.self) { try Safetensors.contents([1, 0], path: "x") }
    #expect(throws: FileError.self) {
      try Safetensors.contents([9, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d], path: "x")
    }
  }

  /// Property: a damaged file gives one line, or tensors; never a crash.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func `damaged files give one line`(seed: UInt64) throws {
    let golden = try Files.read(goldenURL("tiny.safetensors", in: .module).path)
    let own = try Safetensors.bytes(of: contents, path: "")
    var random = SplitMix64(seed: seed)
    var refused = 0
    for round in 0..<400 {
      let bytes = damaged(round % 2 == 0 ? own : golden, using: &random)
      do {
        _ = try Safetensors.contents(bytes, path: "damaged")
      } catch {
        refused += 1
        #expect(!"\(error)".contains("\n"))
      }
    }
    #expect(refused > 100)
  }
}

@Suite struct LoadingTests {
  private let weights = ResNet.resnet18(classes: 2).withFormulaWeights().initializers

  @Test func `a torchvision state dictionary loads`() throws {
    var state = weights
    state["bn1.num_batches_tracked"] = Tensor(scalar: 5 as Int64)
    let graph = try ResNet.resnet18(classes: 2, seed: nil).loading(state)
    #expect(graph == ResNet.resnet18(classes: 2).withFormulaWeights())
  }

  @Test func `another number of classes gets a fresh head`() throws {
    let empty = ResNet.resnet18(classes: 10, seed: nil)
    let graph = try empty.loading(weights, headSeed: 4)
    #expect(graph.initializers["conv1.weight"] == weights["conv1.weight"])
    let fresh = ResNet.resnet18(classes: 10, seed: 4).initializers
    #expect(graph.initializers["fc.weight"] == fresh["fc.weight"])
    #expect(graph.initializers["fc.bias"] == fresh["fc.bias"])
    #expect(try empty.loading(weights, headSeed: 5) != graph)
  }

  @Test func `everything that does not fit is named in one line`() {
    var state = weights
    state["bn1.bias"] = nil
    state["extra"] = Tensor(scalar: 1 as Float)
    state["conv1.weight"] = Tensor(shape: [1], [0 as Float])
    state["bn1.weight"] = Tensor(shape: [64], [Int32](repeating: 0, count: 64))
    let expected = GraphError(
      "weights for 'resnet18'",
      "missing 'bn1.bias'; unknown 'extra'; 'bn1.weight' is int32 [64], expected float32 [64]; "
        + "'conv1.weight' is float32 [1], expected float32 [64, 3, 7, 7]")
    #expect(throws: expected) { try ResNet.resnet18(classes: 2, seed: nil).loading(state) }
  }
}

@Suite struct WidenedTests {
  #if !(os(macOS) && arch(x86_64))
  @Test func `every half-precision number keeps its value`() throws {
    let patterns = (0...UInt16.max).map { $0 }
    let half = Tensor(
      shape: [patterns.count], elementType: .float16, bytes: patterns.withUnsafeBytes { Array($0) })
    let wide = try #require(half.widened).floats
    for (pattern, value) in zip(patterns, wide) {
      let expected = Float(Float16(bitPattern: pattern))
      #expect(value.bitPattern == expected.bitPattern || value.isNaN && expected.isNaN)
    }
  }
  #endif

  @Test func `a bfloat16 is the upper half of a float32`() {
    let brain = Tensor(shape: [2], elementType: .bfloat16, bytes: [0x80, 0x3f, 0x49, 0xc0])
    #expect(brain.widened?.floats == [1, -3.140625])
    #expect(Tensor(scalar: 3 as Int8).widened == nil)
    #expect(Tensor(scalar: 0.1 as Double).widened == Tensor(scalar: 0.1 as Float))
  }
}
