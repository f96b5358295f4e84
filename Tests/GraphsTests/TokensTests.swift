import Files
import Foundation
import GraphReference
import TestSupport
import Tensors
import Testing

@testable import Graphs

/// Files with attention, padding and resizing, and in the QOperator format, that
/// `Scripts/golden/onnx_tokens.py` wrote with `Golden/onnx-tokens.json`.
@Suite struct TokensTests {
  @Test(arguments: ["tokens-script", "tokens-dynamo", "tiny-qoperator"])
  func `give the logits of PyTorch and ONNX Runtime`(file: String) throws {
    let expected = try golden(FilesGolden.self, "onnx-tokens", in: .module)
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

  @Test func `both exporters are read into the operators that Equant knows`() throws {
    for file in ["tokens-script", "tokens-dynamo"] {
      let graph = try ONNXFile.read(goldenURL("\(file).onnx", in: .module).path)
      func count(_ operation: Graphs.Operation) -> Int {
        graph.nodes.count { $0.operation == operation }
      }
      // The image's padding goes into the convolution; the token's place is made by padding.
      #expect(count(.pad) == 1 && count(.convolution) == 2 && count(.gelu) == 1, "\(file)")
      #expect(count(.matMul) == 2 && count(.layerNormalization) == 3, "\(file)")
      #expect(count(.gemm) == 5 && count(.resize) == 1 && count(.pRelu) == 1, "\(file)")
      // Products take their biases along.
      #expect(graph.nodes.allSatisfy { $0.operation != .gemm || $0.inputs.count == 3 })
      #expect(graph.opset >= 20)
    }
  }

  @Test func `a free batch stays free through attention`() throws {
    let graph = try ONNXFile.read(goldenURL("tokens-script.onnx", in: .module).path)
    let types = try graph.inferShapes(inputs: ["input": [5, 3, 16, 16]])
    #expect(types["logits"]?.shape == [5, 3])
  }

  @Test func `operators on whole numbers become pairs of quantizers`() throws {
    let graph = try ONNXFile.read(goldenURL("tiny-qoperator.onnx", in: .module).path)
    var makers: [String: Node] = [:]
    for node in graph.nodes { makers[node.outputs[0]] = node }
    for node in graph.nodes where node.operation == .convolution || node.operation == .gemm {
      #expect(makers[node.inputs[0]]?.operation == .dequantizeLinear, "\(node.name)")
      #expect(makers[node.inputs[1]]?.operation == .dequantizeLinear, "\(node.name)")
    }
    #expect(graph.nodes.count { $0.operation == .convolution } == 2)
  }

  @Test func `what cannot be rewritten is refused by name`() throws {
    func refuses(_ nodes: [ONNXImporter.RawNode]) -> String {
      var constants = ["s": Tensor(scalar: Float(1)), "z": Tensor(scalar: UInt8(0))]
      let error = #expect(throws: GraphError.self) {
        try QOperators(constants: constants).expanded(nodes, adding: &constants)
      }
      return error?.description ?? ""
    }
    func node(_ type: String, _ inputs: [String], _ attributes: [String: Attribute] = [:])
      -> ONNXImporter.RawNode
    {
      .init(name: "n", type: type, inputs: inputs, outputs: ["y"], attributes: attributes)
    }
    #expect(refuses([node("QLinearConv", ["x", "s"])]).contains("has 2 inputs"))
    #expect(refuses([node("QLinearConcat", ["s", "z", "x", "s", "z", "x"])]).contains("6 inputs"))
    #expect(
      refuses([node("QLinearAveragePool", ["x", "s", "z", "s", "z"], ["channels_last": .int(1)])])
        .contains("channels last"))
    #expect(
      refuses([node("QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z", "b"])])
        .contains("its bias 'b'"))
  }

  @Test func `a Gelu is found in all the ways it is written`() throws {
    func node(_ type: String, _ inputs: [String], _ output: String) -> ONNXImporter.RawNode {
      .init(name: output, type: type, inputs: inputs, outputs: [output], attributes: [:])
    }
    let constants = [
      "root": Tensor(scalar: Float(2).squareRoot()), "one": Tensor(scalar: Float(1)),
      "half": Tensor(scalar: Float(0.5)),
    ]
    let start = [
      node("Div", ["x", "root"], "a"), node("Erf", ["a"], "b"), node("Add", ["b", "one"], "c"),
    ]
    let ends = [
      [node("Mul", ["x", "c"], "d"), node("Mul", ["d", "half"], "y")],
      [node("Mul", ["half", "c"], "d"), node("Mul", ["x", "d"], "y")],
      [node("Mul", ["x", "half"], "d"), node("Mul", ["d", "c"], "y")],
    ]
    for end in ends {
      let joined = GeluPattern(start + end, constants: constants, outputs: ["y"]).joined
      #expect(joined.map(\.type) == ["Gelu"])
      #expect(joined[0].inputs == ["x"] && joined[0].outputs == ["y"])
      // What the caller wants to see stays, and so does what is not the same function.
      let seen = GeluPattern(start + end, constants: constants, outputs: ["y", "c"]).joined
      #expect(seen.count == 5)
    }
    #expect(GeluPattern(start, constants: constants, outputs: ["c"]).joined.count == 3)
  }
}
