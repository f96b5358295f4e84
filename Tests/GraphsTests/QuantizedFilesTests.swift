import Files
import Foundation
import GraphReference
import TestSupport
import Tensors
import Testing

@testable import Graphs

/// Int8 files of NNCF and PyTorch that `Scripts/golden/quantized_files.py` wrote with
/// `Golden/quantized-files.json`.
@Suite struct QuantizedFilesTests {
  @Test(arguments: ["depthwise-nncf", "depthwise-torch"])
  func `give the logits of ONNX Runtime`(file: String) throws {
    let expected = try golden(FilesGolden.self, "quantized-files", in: .module)
    let path = try goldenURL("\(file).onnx", in: .module).path
    let graph = try ONNXFile.read(path)
    let logits = try ReferenceInterpreter(graph).run(
      ["input": FormulaWeights.images(expected.input)], output: "logits")
    let golden = try #require(expected.logits[file])
    #expect(logits.count == golden.count)
    for (found, logit) in zip(logits.floats, golden) {
      #expect(abs(Double(found) - logit) < 5e-6 * max(1, abs(logit)))
    }
    #expect(try ONNXFile.graph(ONNXFile.bytes(of: graph), path: path) == graph)
  }

  @Test func `scales of channels go into the weights of depthwise convolutions`() throws {
    let graph = try ONNXFile.read(goldenURL("depthwise-nncf.onnx", in: .module).path)
    var makers: [String: Node] = [:]
    for node in graph.nodes { makers[node.outputs[0]] = node }
    for node in graph.nodes where node.operation == .quantizeLinear {
      #expect(graph.initializers[node.inputs[1]]?.count == 1, "\(node.name)")
    }
    let depthwise = graph.nodes.filter { $0.int("group", default: 1) == 8 }
    #expect(depthwise.count == 2)
    for node in depthwise {
      #expect(makers[node.inputs[0]]?.operation == .dequantizeLinear)
      #expect(makers[node.inputs[1]]?.operation == .dequantizeLinear)
    }
  }

  /// Activations with a scale for each channel before something else than a depthwise convolution,
  /// and with zero points that differ.
  @Test(arguments: [[3, 3] as [UInt8], [3, 4]])
  func `scales of channels are multiplied back for other readers`(points: [UInt8]) throws {
    var graph = Graph(name: "test", inputs: [Value("x", shape: [2, 2, 1, 2])])
    graph.initializers = [
      "s": Tensor(shape: [2], [0.5, 0.25] as [Float]), "z": Tensor(shape: [2], points),
    ]
    graph.nodes = [
      Node("q", .quantizeLinear, inputs: ["x", "s", "z"], outputs: ["w"]),
      Node("d", .dequantizeLinear, inputs: ["w", "s", "z"], outputs: ["r"]),
      Node("pool", .globalAveragePool, inputs: ["r"], outputs: ["y"]),
    ]
    graph.outputs = [Value("y", shape: [2, 2, 1, 1])]
    let gathered = try ChannelScales(graph, values: graph.propagate()).gathered
    guard points[0] == points[1] else {
      #expect(gathered == graph)
      return
    }
    #expect(
      gathered.nodes.map(\.operation) == [
        .multiply, .quantizeLinear, .dequantizeLinear, .multiply, .globalAveragePool,
      ])
    let x = Tensor(shape: [2, 2, 1, 2], [0.6, 200, -9, 0.3, 0.1, -1.4, 62, 1.3] as [Float])
    let before = try ReferenceInterpreter(graph).run(["x": x], output: "y")
    let after = try ReferenceInterpreter(gathered).run(["x": x], output: "y")
    #expect(after == before)
  }

  @Test func `comparisons of constant shapes are worked out`() throws {
    var graph = Graph(name: "test", inputs: [Value("x", shape: [2, 3, 4])])
    graph.initializers = [
      "token": Tensor(shape: [1, 1, 4], [1, 2, 3, 4] as [Float]),
      "wanted": Tensor(shape: [3], [2, -1, -1] as [Int64]),
      "ones": Tensor(shape: [3], [1, 1, 1] as [Int64]), "minus": Tensor(scalar: Int64(-1)),
    ]
    var importer = ONNXImporter(graph, opset: 17, outputs: ["y"])
    for (type, inputs, output) in [
      ("Mul", ["ones", "minus"], "negative"), ("Equal", ["wanted", "negative"], "same"),
      ("Where", ["same", "ones", "wanted"], "shape"), ("Expand", ["token", "shape"], "tokens"),
      ("Concat", ["tokens", "x"], "y"),
    ] {
      try importer.append(
        .init(
          name: output, type: type, inputs: inputs, outputs: [output],
          attributes: type == "Concat" ? ["axis": .int(1)] : [:]))
    }
    #expect(importer.graph.nodes.map(\.operation) == [.pad, .add])
    #expect(importer.values["y"]?.shape == [2, 4, 4])
  }
}
