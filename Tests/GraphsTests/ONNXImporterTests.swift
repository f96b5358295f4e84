import GraphReference
import Tensors
import Testing

@testable import Graphs

@Suite struct ONNXImporterTests {
  private func imported(
    _ nodes: [ONNXImporter.RawNode], constants: [String: Tensor] = [:], batch: Int? = nil
  ) throws -> Graph {
    var graph = Graph(name: "test", inputs: [Value("x", shape: [batch, 8, 4, 4])])
    graph.initializers = constants
    var importer = ONNXImporter(graph, opset: 17, outputs: ["y"])
    for node in nodes { try importer.append(node) }
    graph = importer.graph
    graph.outputs = [Value("y", shape: [])]
    let values = try graph.propagate()
    graph.outputs = [try #require(values["y"])]
    try graph.validate()
    return graph
  }

  private func node(
    _ type: String, _ inputs: [String], _ outputs: [String], _ attributes: [String: Attribute] = [:]
  ) -> ONNXImporter.RawNode {
    .init(
      name: outputs[0], type: type, inputs: inputs, outputs: outputs, attributes: attributes)
  }

  /// `x.view(x.size(0), -1)` as the TorchScript exporter writes it for a free batch.
  @Test func `shapes are worked out for a free batch`() throws {
    let graph = try imported(
      [
        node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "zero"], ["n"]),
        node("Unsqueeze", ["n", "axis"], ["row"]),
        node("Concat", ["row", "rest"], ["target"], ["axis": .int(0)]),
        node("Dropout", ["x"], ["kept"]), node("Reshape", ["kept", "target"], ["y"]),
      ],
      constants: [
        "zero": Tensor(scalar: Int64(0)), "axis": Tensor(shape: [1], [Int64(0)]),
        "rest": Tensor(shape: [1], [Int64(-1)]),
      ])
    #expect(graph.nodes.map(\.operation) == [.flatten])
    #expect(graph.nodes[0].inputs == ["x"])
    #expect(graph.outputs[0].shape == [nil, 128])
  }

  /// Attributes in older operator sets, inputs in newer ones.
  @Test(arguments: [true, false], [0, 1])
  func `means of images are poolings`(isAttribute: Bool, keeps: Int) throws {
    var attributes: [String: Attribute] = ["keepdims": .int(keeps)]
    if isAttribute { attributes["axes"] = .ints([-2, -1]) }
    let graph = try imported(
      [node("ReduceMean", isAttribute ? ["x"] : ["x", "axes"], ["y"], attributes)],
      constants: ["axes": Tensor(shape: [2], [2, 3] as [Int64])])
    #expect(
      graph.nodes.map(\.operation)
        == (keeps == 1 ? [.globalAveragePool] : [.globalAveragePool, .flatten]))
  }

  /// As TensorFlow has it, channels last: `[batch, 8, 4, 4]` has 4 channels then.
  @Test(arguments: [0, 1])
  func `means over the middle axes are those of channels that come last`(keeps: Int) throws {
    let graph = try imported(
      [node("ReduceMean", ["x", "axes"], ["y"], ["keepdims": .int(keeps)])],
      constants: ["axes": Tensor(shape: [2], [1, 2] as [Int64])])
    #expect(
      graph.nodes.map(\.operation)
        == [.transpose, .globalAveragePool, keeps == 1 ? .transpose : .flatten])
    #expect(graph.outputs[0].shape == (keeps == 1 ? [nil, 1, 1, 4] : [nil, 4]))
    let values = (0..<128).map { Float($0) }
    let given = Tensor(shape: [1, 8, 4, 4], values)
    let found = try ReferenceInterpreter(graph).run(["x": given], output: "y")
    let expected = (0..<4).map { channel in
      stride(from: channel, to: 128, by: 4).reduce(0) { $0 + values[$1] } / 32
    }
    #expect(found.floats == expected)
  }

  @Test func `a split is slices`() throws {
    let graph = try imported(
      [
        node("Split", ["x"], ["a", "b"], ["axis": .int(1), "split": .ints([3, 5])]),
        node("Concat", ["b", "a"], ["y"], ["axis": .int(1)]),
      ])
    #expect(graph.nodes.map(\.operation) == [.slice, .slice, .concatenate])
    #expect(graph.outputs[0].shape == [nil, 8, 4, 4])
    let part = try slicedPart(graph.nodes[1], of: [2, 8, 4, 4], graph.initializers)
    #expect(part.axis == 1 && part.range == 3..<8)
  }

  /// Found by fuzzing: a sum that adds a bias to a product, and writes nothing.
  @Test(arguments: ["Add", "Relu", "ReduceMean", "Split", "Dropout", "Reshape"])
  func `a node that writes nothing is refused`(type: String) throws {
    let product = node("MatMul", ["flat", "w"], ["p"])
    var bad = node(type, type == "Add" ? ["p", "b"] : ["p"], ["y"], ["axes": .ints([2, 3])])
    bad.outputs = []
    let error = #expect(throws: GraphError.self) {
      try imported(
        [node("Flatten", ["x"], ["flat"]), product, bad],
        constants: [
          "w": Tensor(shape: [128, 2], [Float](repeating: 1, count: 256)),
          "b": Tensor(shape: [2], [1, 2] as [Float]),
        ])
    }
    #expect(error?.description.contains("has no outputs") == true)
  }

  @Test func `what cannot be said in another way is refused by name`() {
    for (bad, word) in [
      (node("ReduceMean", ["x"], ["y"], ["axes": .ints([1])]), "averages axes"),
      (node("Split", ["x"], ["y"], ["axis": .int(9)]), "splits axis 9"),
      (node("Split", ["x"], ["y", "z"], ["axis": .int(1), "split": .ints([9, -1])]), "splits 8"),
      (node("Reshape", ["x", "x"], ["y"]), "not known before the model runs"),
      (node("Squeeze", ["x"], ["y"], ["axes": .ints([1])]), "not 1 long"),
      (node("Squeeze", ["x"], ["y"], ["axes": .ints([Int.min])]), "has axis"),
      (node("Div", ["x", "x"], ["y"]), "not a float32 constant"),
    ] {
      let error = #expect(throws: GraphError.self) { try imported([bad]) }
      #expect(error?.description.contains("node 'y' (\(bad.type))") == true)
      #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }
  }
}
