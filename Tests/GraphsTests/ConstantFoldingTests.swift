import GraphReference
import Graphs
import Tensors
import Testing

@Suite struct ConstantFoldingTests {
  /// Weights of `shape` as 3-bit codes: a field of 2 bits and one of 1, as packing writes them.
  private func packed(_ codes: [UInt8], table: Tensor, shape: [Int]) -> Graph {
    func bytes(_ low: Int, _ width: Int) -> Tensor {
      let perByte = 8 / width
      var bytes = [UInt8](repeating: 0, count: (codes.count + perByte - 1) / perByte)
      for (i, code) in codes.enumerated() {
        bytes[i / perByte] |=
          (code >> UInt8(low) & UInt8(1 << width - 1)) << UInt8(i % perByte * width)
      }
      return Tensor(shape: [bytes.count, 1], bytes)
    }
    var graph = Graph(
      name: "packed", inputs: [Value("x", shape: [nil, shape[1], 4, 4])],
      outputs: [Value("y", shape: [nil, shape[0], 4, 4])], opset: 18)
    graph.initializers = [
      "low": bytes(0, 2), "high": bytes(2, 1), "table": table,
      "shifts2": Tensor(shape: [4], [0, 2, 4, 6] as [UInt8]),
      "shifts1": Tensor(shape: [8], (0..<8).map { UInt8($0) }),
      "mask2": Tensor(scalar: UInt8(3)), "mask1": Tensor(scalar: UInt8(1)),
      "up": Tensor(scalar: UInt8(2)), "flat": Tensor(shape: [1], [Int64(-1)]),
      "shape": Tensor(shape: [4], shape.map { Int64($0) }),
      "from": Tensor(shape: [1], [Int64(0)]), "to": Tensor(shape: [1], [Int64(codes.count)]),
    ]
    func node(
      _ operation: Operation, _ inputs: [String], _ output: String,
      _ attributes: [String: Attribute] = [:]
    ) {
      graph.nodes.append(
        Node(output, operation, inputs: inputs, outputs: [output], attributes: attributes))
    }
    for (name, width) in [("low", 2), ("high", 1)] {
      node(.bitShift, [name, "shifts\(width)"], "\(name)1", ["direction": .string("RIGHT")])
      node(.bitwiseAnd, ["\(name)1", "mask\(width)"], "\(name)2")
      node(.reshape, ["\(name)2", "flat"], "\(name)3")
      node(.slice, ["\(name)3", "from", "to"], "\(name)4")
    }
    node(.bitShift, ["high4", "up"], "high5", ["direction": .string("LEFT")])
    node(.bitwiseOr, ["low4", "high5"], "codes")
    node(.cast, ["codes"], "indices", ["to": .int(6)])
    node(.gather, ["table", "indices"], "values")
    node(.reshape, ["values", "shape"], "weights")
    node(.convolution, ["x", "weights"], "y", ["kernel_shape": .ints([1, 1])])
    return graph
  }

  private let codes: [UInt8] = [7, 0, 3, 5, 1, 6, 2, 4, 4, 7, 0, 1, 2, 5, 3]

  @Test func `packed codes become the entries they stand for`() throws {
    let table = Tensor(shape: [8], (0..<8).map { Float($0) - 3.5 })
    let graph = packed(codes, table: table, shape: [5, 3, 1, 1])
    let folded = try graph.foldingConstants()
    #expect(folded.nodes.map(\.operation) == [.convolution])
    #expect(folded.initializers.count == 1)
    let weights = try #require(folded.initializers["weights"])
    #expect(weights == Tensor(shape: [5, 3, 1, 1], codes.map { Float($0) - 3.5 }))
    // The plain loops agree, node by node.
    let x = Tensor(shape: [1, 3, 4, 4], (0..<48).map { Float($0 % 7) })
    let plain = try ReferenceInterpreter(graph).run(["x": x], output: "weights")
    #expect(plain == weights)
  }

  @Test func `whole numbers keep the scales behind them`() throws {
    let table = Tensor(shape: [8], (0..<8).map { Int8($0 * 9 - 30) })
    var graph = packed(codes, table: table, shape: [5, 3, 1, 1])
    let last = graph.nodes.count - 2
    graph.nodes[last].outputs = ["wholes"]
    graph.initializers["scale"] = Tensor(shape: [5], [0.5, 1, 2, 0.25, 4] as [Float])
    graph.nodes.insert(
      Node(
        "dq", .dequantizeLinear, inputs: ["wholes", "scale"], outputs: ["weights"],
        attributes: ["axis": .int(0)]), at: last + 1)
    let folded = try graph.foldingConstants()
    #expect(folded.nodes.map(\.operation) == [.dequantizeLinear, .convolution])
    #expect(
      folded.initializers["wholes"]
        == Tensor(shape: [5, 3, 1, 1], codes.map { Int8(Int($0) * 9 - 30) }))
  }

  @Test func `an index beyond the table is an error, not a crash`() throws {
    let table = Tensor(shape: [4], [1, 2, 3, 4] as [Float])
    let graph = packed(codes, table: table, shape: [5, 3, 1, 1])
    let error = #expect(throws: GraphError.self) { try graph.foldingConstants() }
    #expect(error?.problem == "has an index outside its table of 4 entries")
  }

  @Test func `a small file does not fill the memory`() throws {
    var graph = packed(
      codes, table: Tensor(shape: [8], [Float](repeating: 0, count: 8)), shape: [5, 3, 1, 1])
    graph.initializers["a"] = Tensor(shape: [1 << 15, 1], [UInt8](repeating: 1, count: 1 << 15))
    graph.initializers["b"] = Tensor(shape: [1 << 15], [UInt8](repeating: 1, count: 1 << 15))
    graph.nodes.append(Node("big", .bitwiseAnd, inputs: ["a", "b"], outputs: ["big"]))
    let error = #expect(throws: GraphError.self) { try graph.foldingConstants() }
    #expect(error?.problem.contains("too large to fold") == true)
  }
}
