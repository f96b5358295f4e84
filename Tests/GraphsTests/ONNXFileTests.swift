import Files
import Foundation
import GraphReference
import TestSupport
import Tensors
import Testing

@testable import Graphs

/// `Golden/onnx-files.json`, written by `Scripts/golden/onnx_files.py`.
struct FilesGolden: Decodable, Sendable {
  var input: [Int]
  var logits: [String: [Double]]
}

/// A small network with every operator and attribute kind that files carry.
func smallGraph() -> Graph {
  let weights = Tensor(shape: [2, 3, 1, 1], [1, -2, 3, -4, 5, -6] as [Int8])
  var graph = Graph(
    name: "small", inputs: [Value("input", shape: [nil, 3, 4, nil])],
    outputs: [Value("probabilities", shape: [nil, 2])],
    nodes: [
      Node(
        "weights", .dequantizeLinear, inputs: ["w", "w_scale"], outputs: ["wf"],
        attributes: ["axis": .int(0)]),
      Node(
        "conv", .convolution, inputs: ["input", "wf", "bias"], outputs: ["a"],
        attributes: ["kernel_shape": .ints([1, 1]), "auto_pad": .string("VALID")]),
      Node("pool", .globalAveragePool, inputs: ["a"], outputs: ["b"]),
      Node("flatten", .flatten, inputs: ["b"], outputs: ["c"]),
      Node("fc", .gemm, inputs: ["c", "m"], outputs: ["d"], attributes: ["alpha": .float(0.5)]),
      Node("softmax", .softmax, inputs: ["d"], outputs: ["probabilities"]),
    ],
    initializers: [
      "w": weights, "w_scale": Tensor(shape: [2], [0.5, 0.25] as [Float]),
      "bias": Tensor(shape: [2], [1, .leastNonzeroMagnitude] as [Float]),
      "m": Tensor(shape: [2, 2], [1, 0, 0, -1] as [Float]),
      "unused": Tensor(shape: [0], [] as [Float]),
    ])
  graph.metadata = ["b": "2", "a": "ü\n", "": ""]
  return graph
}

@Suite struct ONNXFileTests {
  @Test func `what is written is read back`() throws {
    let graph = smallGraph()
    let bytes = try ONNXFile.bytes(of: graph)
    #expect(try ONNXFile.graph(bytes, path: "small.onnx") == graph)
    #expect(try ONNXFile.bytes(of: graph) == bytes)
  }

  @Test func `a network survives the way to disk and back`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/resnet18.onnx"
    let graph = ResNet.resnet18(classes: 2, seed: 3)
    try ONNXFile.write(graph, to: path)
    #expect(try ONNXFile.read(path) == graph)
    let inventory = try ModelInventory(path: path)
    #expect(inventory.parameters == 11_177_538)
    #expect(inventory.statistics == 9600)
    #expect(inventory.payload == 4 * (11_177_538 + 9600))
    #expect(inventory.fileBytes == (try Files.read(path)).count)
    // Names and attributes of 69 nodes and 102 constants: some 20 KB.
    #expect(0..<25_000 ~= inventory.overhead)
  }

  @Test(arguments: ["eval", "preserved", "training", "half", "int8", "typed"])
  func `files of PyTorch and ONNX Runtime give the same logits`(file: String) throws {
    let expected = try golden(FilesGolden.self, "onnx-files", in: .module)
    let path = try goldenURL("tiny-\(file).onnx", in: .module).path
    let graph = try ONNXFile.read(path)
    #expect(graph.inputs.map(\.name) == ["input"])
    #expect(!graph.initializers.values.contains { $0.elementType == .float16 })
    let logits = try ReferenceInterpreter(graph).run(
      ["input": FormulaWeights.images(expected.input)], output: "logits")
    let golden = try #require(expected.logits["tiny-\(file)"])
    #expect(logits.count == golden.count)
    for (found, logit) in zip(logits.floats, golden) {
      #expect(abs(Double(found) - logit) < 5e-6)
    }
    // Reading tidies; after that, writing and reading change nothing.
    #expect(try ONNXFile.graph(ONNXFile.bytes(of: graph), path: path) == graph)
    let inventory = try ModelInventory(path: path)
    #expect(inventory.payload + inventory.overhead == inventory.fileBytes)
    #expect(inventory.overhead > 0)
  }

  @Test func `numbers in typed fields are those in raw bytes`() throws {
    let raw = try ONNXFile.read(goldenURL("tiny-int8.onnx", in: .module).path)
    let typed = try ONNXFile.read(goldenURL("tiny-typed.onnx", in: .module).path)
    #expect(raw.initializers == typed.initializers)
  }

  @Test func `constants are tidied into initializers`() throws {
    var model = ONNXWriter(graph: smallGraph()).model()
    var constant = ONNXNodeProto()
    constant.opType = "Constant"
    constant.output = ["bias"]
    var attribute = ONNXAttributeProto()
    attribute.name = "value_floats"
    attribute.type = 6
    attribute.floats = [1, .leastNonzeroMagnitude]
    constant.attribute = [attribute]
    let moved = model.graph.initializer.firstIndex { $0.name == "m" }!
    model.graph.initializer[moved].name = "m_origin"
    var copy = ONNXNodeProto()
    copy.opType = "Identity"
    copy.input = ["m_origin"]
    copy.output = ["m"]
    model.graph.initializer.removeAll { $0.name == "bias" }
    model.graph.node += [constant, copy]
    let graph = try read(model)
    #expect(graph.nodes.map(\.operation) == smallGraph().nodes.map(\.operation))
    #expect(graph.initializers["bias"] == smallGraph().initializers["bias"])
    #expect(graph.nodes[4].inputs == ["c", "m_origin"])
  }

  @Test func `nodes without a name or in disorder are put right`() throws {
    var model = ONNXWriter(graph: smallGraph()).model()
    for index in model.graph.node.indices { model.graph.node[index].name = "" }
    model.graph.node.reverse()
    let graph = try read(model)
    #expect(graph.nodes.map(\.outputs) == smallGraph().nodes.map(\.outputs))
    #expect(Set(graph.nodes.map(\.name)).count == graph.nodes.count)
  }

  @Test func `what cannot be read is named`() {
    func message(_ change: (inout ONNXModelProto) -> Void) -> String {
      var model = ONNXWriter(graph: smallGraph()).model()
      change(&model)
      do {
        _ = try read(model)
        return ""
      } catch { return "\(error)" }
    }
    #expect(
      message {
        $0.graph.node[5].opType = "Loop"
        $0.graph.node[2].opType = "Einsum"
      }
        == "m.onnx: node 'pool': uses the operator 'Einsum', which is not supported (in all: "
        + "Einsum, Loop); the model can still be audited from its predictions: run it elsewhere and "
        + "give 'equant audit' the CSV")
    #expect(message { $0.graph.node[0].domain = "com.microsoft" }.contains("'com.microsoft.Dequ"))
    #expect(
      message { $0.graph.initializer[0].dims = [2, 3, 1, 2] }
        == "m.onnx: tensor 'w': holds 6 bytes, expected 12 for int8 of shape [2, 3, 1, 2]")
    #expect(
      message { $0.graph.initializer[0].dims = [1 << 40, 1 << 40] }
        == "m.onnx: tensor 'w': has the impossible shape [1099511627776, 1099511627776]")
    #expect(
      message { $0.graph.initializer[0].dims = [-2, -3] }
        == "m.onnx: tensor 'w': has the impossible shape [-2, -3]")
    #expect(
      message { $0.graph.initializer[0].dataType = 8 }
        == "m.onnx: tensor 'w': has ONNX's element type 8, which is not supported")
    #expect(
      message { $0.opsetImport[0].version = 9 }
        == "m.onnx: the model: uses opset 9, expected 11 to 25; convert it with "
        + "onnx.version_converter")
    #expect(
      message { $0.graph.output[0].name = "x" } == "m.onnx: output 'x': is not computed by any node"
    )
    #expect(
      message { $0.graph.initializer.append($0.graph.initializer[0]) }
        == "m.onnx: tensor 'w': is defined twice")
    #expect(message { $0.clearGraph() } == "m.onnx: the file: holds no ONNX graph")
  }

  /// A name may hold anything; what is said of it stays one line and no command to a terminal.
  @Test func `names cannot forge lines`() {
    let error = FileError("m.onnx", "node 'a\nError: b\u{1b}[31m': 'Odd\r\n\u{2028}ü'")
    #expect(error.problem == "node 'a Error: b [31m': 'Odd   ü'")
  }

  @Test func `a graph that does not hang together is not written`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var graph = smallGraph()
    graph.initializers["m"] = nil
    #expect(throws: FileError.self) { try ONNXFile.write(graph, to: "\(folder)/x.onnx") }
    #expect(!Files.exists("\(folder)/x.onnx"))
  }

  /// Property: a damaged file gives one line, or a graph that holds together; never a crash.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func `damaged files give one line`(seed: UInt64) throws {
    let files = ["tiny-int8.onnx", "tiny-typed.onnx", "tiny-half.onnx"]
    let originals =
      try files.map { try Files.read(goldenURL($0, in: .module).path) }
      + [try ONNXFile.bytes(of: smallGraph())]
    var random = SplitMix64(seed: seed)
    var refused = 0
    for round in 0..<500 {
      let bytes = damaged(originals[round % originals.count], using: &random)
      do {
        let graph = try ONNXFile.graph(bytes, path: "damaged.onnx")
        _ = try graph.inferValues()
        _ = try ONNXFile.bytes(of: graph)
      } catch {
        refused += 1
        #expect(!"\(error)".contains("\n"))
        #expect("\(error)".count < 1500)
      }
    }
    #expect(refused > 100)
  }

  private func read(_ model: ONNXModelProto) throws -> Graph {
    try ONNXFile.graph(ONNXFile.encode(model), path: "m.onnx")
  }
}

/// A copy with some bytes changed, removed, inserted or cut off.
func damaged(_ original: [UInt8], using random: inout SplitMix64) -> [UInt8] {
  var bytes = original
  for _ in 0...random.below(3) {
    guard !bytes.isEmpty else { break }
    let at = random.below(bytes.count)
    switch random.below(6) {
    case 0: bytes.removeSubrange(at...)
    case 1: bytes.remove(at: at)
    case 2: bytes.insert(UInt8(random.below(256)), at: at)
    case 3: bytes[at] = [0, 0x7f, 0x80, 0xff][random.below(4)]
    case 4:
      // A run of large bytes makes huge lengths and numbers.
      for index in at..<min(at + 9, bytes.count) { bytes[index] = 0xff }
    default: bytes[at] ^= 1 << UInt8(random.below(8))
    }
  }
  return bytes
}
