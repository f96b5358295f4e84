import Foundation
import GraphReference
import Graphs
import Tensors
import TestSupport
import Testing

/// One entry of `Golden/resnet.json`, written by `Scripts/golden/resnet.py` with torchvision.
struct ResNetGolden: Decodable, Sendable, CustomTestStringConvertible {
  struct Stage: Decodable, Sendable {
    var shape: [Int]
    var mean: Double
    var meanSquare: Double
  }

  var network: String
  var input: [Int]
  var logits: [Double]
  var stages: [String: Stage]
  var parameters: [String: [Int]]

  var testDescription: String { network }

  func graph(seed: UInt64? = nil) -> Graph {
    switch network {
    case "resnet18": ResNet.resnet18(classes: 2, seed: seed)
    case "resnet34": ResNet.resnet34(classes: 2, seed: seed)
    default: ResNet.resnet50(classes: 2, seed: seed)
    }
  }
}

@Suite struct ResNetTests {
  @Test(arguments: try golden([ResNetGolden].self, "resnet", in: .module))
  func `has torchvision's parameters`(expected: ResNetGolden) throws {
    let graph = expected.graph()
    #expect(graph.initializers.mapValues(\.shape) == expected.parameters)
    #expect(graph.inputs == [Value("input", shape: [nil, 3, nil, nil])])
    #expect(graph.outputs == [Value("logits", shape: [nil, 2])])
  }

  @Test(arguments: try golden([ResNetGolden].self, "resnet", in: .module))
  func `shapes are those torchvision computes`(expected: ResNetGolden) throws {
    let graph = expected.graph()
    let types = try graph.inferShapes(inputs: ["input": expected.input])
    #expect(types["logits"] == TensorType(shape: [2, 2]))
    for (stage, value) in expected.stages {
      #expect(types[lastTensor(of: stage, in: graph)]?.shape == value.shape, "\(stage)")
    }
  }

  @Test(arguments: try golden([ResNetGolden].self, "resnet", in: .module))
  func `gives torchvision's logits for the same weights`(expected: ResNetGolden) throws {
    let graph = expected.graph().withFormulaWeights()
    let tensors = try ReferenceInterpreter(graph).run([
      "input": FormulaWeights.images(expected.input)
    ])
    for (stage, value) in expected.stages {
      let floats = try #require(tensors[lastTensor(of: stage, in: graph)]).floats.map(Double.init)
      let mean = floats.reduce(0, +) / Double(floats.count)
      let meanSquare = floats.reduce(0) { $0 + $1 * $1 } / Double(floats.count)
      #expect(abs(mean - value.mean) < 1e-5 * abs(value.mean), "\(stage)")
      #expect(abs(meanSquare - value.meanSquare) < 1e-5 * value.meanSquare, "\(stage)")
    }
    let logits = try #require(tensors["logits"]).floats
    for (found, logit) in zip(logits, expected.logits) {
      #expect(abs(Double(found) - logit) < 2e-5)
    }
    #expect(logits.count == expected.logits.count)
  }

  @Test func `is initialised as torchvision does`() throws {
    let graph = ResNet.resnet18(classes: 2, seed: 1)
    let convolution = try #require(graph.initializers["layer4.1.conv2.weight"]).floats
    let variance = convolution.reduce(0) { $0 + Double($1) * Double($1) }
    let expected = 2.0 / (512 * 9)
    // The variance of n squares of normal numbers is 2 / n of its square; five standard errors.
    let tolerance = 5 * (2 / Double(convolution.count)).squareRoot()
    #expect(abs(variance / Double(convolution.count) / expected - 1) < tolerance)
    let head = try #require(graph.initializers["fc.weight"]).floats
    let bound = Float(1 / 512.0.squareRoot())
    #expect(head.allSatisfy { abs($0) <= bound })
    #expect(try #require(head.max()) > 0.99 * bound && #require(head.min()) < -0.99 * bound)
    #expect(graph.initializers["bn1.weight"]?.floats == Array(repeating: 1, count: 64))
    #expect(graph.initializers["bn1.running_var"]?.floats == Array(repeating: 1, count: 64))
    #expect(graph.initializers["bn1.running_mean"]?.floats == Array(repeating: 0, count: 64))
  }

  @Test func `equal seeds give equal weights, whatever the head`() {
    let two = ResNet.resnet18(classes: 2, seed: 5)
    let ten = ResNet.resnet18(classes: 10, seed: 5)
    let other = ResNet.resnet18(classes: 2, seed: 6)
    #expect(two == ResNet.resnet18(classes: 2, seed: 5))
    #expect(two.initializers["conv1.weight"] == ten.initializers["conv1.weight"])
    #expect(two.initializers["conv1.weight"] != other.initializers["conv1.weight"])
  }

  /// The tensor that torchvision's module `stage` returns.
  private func lastTensor(of stage: String, in graph: Graph) -> String {
    graph.nodes.last { $0.name.hasPrefix("/\(stage)/") }!.outputs[0]
  }

  @Test func `what two nodes read is trained apart`() {
    var graph = ResNet.resnet18(classes: 3)
    graph.initializers["bn1.bias"] = nil
    for index in graph.nodes.indices where graph.nodes[index].inputs.contains("bn1.bias") {
      graph.nodes[index].inputs[2] = "layer1.0.bn1.bias"
    }
    let apart = graph.separatingParameters()
    #expect(apart.initializers["layer1.0.bn1.bias.2"] == graph.initializers["layer1.0.bn1.bias"])
    let read = apart.nodes.flatMap { $0.inputs }.filter { apart.initializers[$0] != nil }
    #expect(Set(read).count == read.count)
    #expect(apart.initializers.count == graph.initializers.count + 1)
    #expect(apart.separatingParameters() == apart)
  }

  @Test func `a new head has the classes asked for and nothing else changes`() throws {
    let graph = ResNet.resnet18(classes: 3)
    let other = try #require(graph.replacingHead(classes: 7, seed: 1))
    #expect(other.outputs[0].shape == [nil, 7])
    #expect(other.initializers["fc.weight"]?.shape == [7, 512])
    #expect(other.initializers["fc.weight"]?.floats.contains { $0 != 0 } == true)
    #expect(
      other.initializers.filter { $0.key != "fc.weight" && $0.key != "fc.bias" }
        == graph.initializers.filter { $0.key != "fc.weight" && $0.key != "fc.bias" })
    try other.validate()
    var softmax = graph
    softmax.nodes.append(Node("s", .softmax, inputs: [graph.outputs[0].name], outputs: ["p"]))
    softmax.outputs = [Value("p", shape: [nil, 3])]
    #expect(softmax.replacingHead(classes: 7, seed: 1) == nil)
  }
}
