import Graphs
import Tensors
import Testing

@Suite struct ShapeInferenceTests {
  /// A graph of one node that reads `x` and then constants of the given shapes.
  private func graph(
    _ operation: Operation, x: [Int?], _ type: ElementType = .float32,
    constants: [Tensor] = [], with attributes: [String: Attribute] = [:]
  ) -> Graph {
    let names = constants.indices.map { "c\($0)" }
    return Graph(
      name: "one", inputs: [Value("x", type, shape: x)],
      outputs: [Value("y", shape: [])],
      nodes: [
        Node("n", operation, inputs: ["x"] + names, outputs: ["y"], attributes: attributes)
      ],
      initializers: Dictionary(uniqueKeysWithValues: zip(names, constants)))
  }

  private func shape(_ graph: Graph) throws -> [Int?]? {
    var graph = graph
    // The declared output is not what these tests ask about.
    graph.outputs = graph.inputs
    return try graph.inferValues()["y"]?.shape
  }

  private func zeros(_ shape: Int...) -> Tensor {
    Tensor(shape: shape, [Float](repeating: 0, count: shape.reduce(1, *)))
  }

  @Test func `windows step as ONNX says`() throws {
    let weights = zeros(8, 3, 3, 5)
    #expect(try shape(graph(.convolution, x: [2, 3, 9, 9], constants: [weights])) == [2, 8, 7, 5])
    let strided: [String: Attribute] = [
      "strides": .ints([2, 3]), "pads": .ints([1, 0, 0, 2]), "dilations": .ints([2, 1]),
    ]
    #expect(
      try shape(graph(.convolution, x: [nil, 3, 10, 9], constants: [weights], with: strided))
        == [nil, 8, 4, 3])
    let pool: [String: Attribute] = [
      "kernel_shape": .ints([3, 3]), "strides": .ints([2, 2]), "ceil_mode": .int(1),
    ]
    #expect(try shape(graph(.maxPool, x: [1, 4, 6, 7], with: pool)) == [1, 4, 3, 3])
  }

  @Test func `a group reads its share of the channels`() throws {
    let grouped = graph(
      .convolution, x: [1, 6, 4, 4], constants: [zeros(4, 3, 1, 1)], with: ["group": .int(2)])
    #expect(try shape(grouped) == [1, 4, 4, 4])
  }

  @Test(arguments: [
    ([2, 3], [3], [2, 3]), ([2, 1], [1, 5], [2, 5]), ([4, 2, 3], [2, 1], [4, 2, 3]),
  ])
  func `addition stretches extents of one`(x: [Int], y: [Int], sum: [Int]) throws {
    let constant = Tensor(shape: y, [Float](repeating: 0, count: y.reduce(1, *)))
    #expect(try shape(graph(.add, x: x, constants: [constant])) == sum)
  }

  @Test func `flattening multiplies what it joins`() throws {
    #expect(try shape(graph(.flatten, x: [2, 3, 4])) == [2, 12])
    #expect(try shape(graph(.flatten, x: [2, 3, 4], with: ["axis": .int(-1)])) == [6, 4])
    #expect(try shape(graph(.flatten, x: [nil, 3, 4])) == [nil, 12])
    #expect(try shape(graph(.flatten, x: [2, 3, 4], with: ["axis": .int(0)])) == [1, 24])
  }

  @Test func `quantized tensors take the type of their zero point`() throws {
    let scale = Tensor(scalar: 0.5 as Float)
    var quantized = graph(
      .quantizeLinear, x: [1, 3], constants: [scale, Tensor(scalar: 0 as Int8)])
    quantized.outputs = quantized.inputs
    #expect(try quantized.inferShapes()["y"] == TensorType(shape: [1, 3], elementType: .int8))
    let perChannel = graph(
      .dequantizeLinear, x: [4, 3], .int8, constants: [zeros(4)], with: ["axis": .int(0)])
    #expect(try shape(perChannel) == [4, 3])
  }

  @Test func `errors name the node, what was found and what was expected`() throws {
    func message(_ graph: Graph) -> String {
      do {
        return "\(try shape(graph) ?? [])"
      } catch { return "\(error)" }
    }
    #expect(
      message(graph(.convolution, x: [1, 4, 8, 8], constants: [zeros(2, 3, 3, 3)]))
        == "node 'n' (Conv): input 'x' has 4 channels, but the weights 'c0' expect 3 in each of "
        + "1 groups")
    #expect(
      message(graph(.convolution, x: [1, 3, 2, 8], constants: [zeros(2, 3, 3, 3)]))
        == "node 'n' (Conv): input 'x' of shape [1, 3, 2, 8] is smaller than the kernel [3, 3] "
        + "with pads [0, 0, 0, 0]")
    #expect(
      message(graph(.add, x: [2, 3], constants: [zeros(2)]))
        == "node 'n' (Add): the shapes [2, 3] and [2] do not stretch to each other")
    #expect(
      message(graph(.relu, x: [2], .int8))
        == "node 'n' (Relu): input 'x' is int8, expected float32")
    #expect(
      message(graph(.maxPool, x: [1, 1, 4, 4], with: ["kernel_shape": .ints([2])]))
        == "node 'n' (MaxPool): kernel_shape is [2], expected 2 numbers from 1 to 1048576")
    #expect(
      message(graph(.gemm, x: [2, 5], constants: [zeros(4, 3)]))
        == "node 'n' (Gemm): 'x' has rows of [5], but 'c0' takes rows of [4]")
    #expect(
      message(graph(.relu, x: [1], with: ["alpha": .float(1)]))
        == "node 'n' (Relu): has the attribute 'alpha', which is not supported")
    #expect(
      message(graph(.softmax, x: [1], with: ["axis": .float(1)]))
        == "node 'n' (Softmax): 'axis' is of kind float, expected int")
  }

  @Test func `huge extents are refused, not multiplied`() {
    let huge = 1 << 40
    #expect(throws: GraphError.self) { try shape(graph(.flatten, x: [huge, huge, huge, huge])) }
    #expect(throws: GraphError.self) { try shape(graph(.relu, x: [huge, huge])) }
    #expect(throws: GraphError.self) { try shape(graph(.relu, x: [.max])) }
    let wide: [String: Attribute] = [
      "kernel_shape": .ints([2, 2]), "pads": .ints([.max, 0, 0, 0]),
    ]
    #expect(throws: GraphError.self) { try shape(graph(.maxPool, x: [1, 1, 4, 4], with: wide)) }
  }
}

@Suite struct ValidationTests {
  private var chain: Graph {
    Graph(
      name: "chain", inputs: [Value("x", shape: [1])], outputs: [Value("d", shape: [1])],
      nodes: [
        Node("1", .relu, inputs: ["x"], outputs: ["a"]),
        Node("2", .identity, inputs: ["a"], outputs: ["b"]),
        Node("3", .add, inputs: ["a", "b"], outputs: ["c"]),
        Node("4", .add, inputs: ["c", "x"], outputs: ["d"]),
      ])
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `any order of the nodes can be put right`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var graph = chain
    random.shuffle(&graph.nodes)
    let sorted = try graph.sorted()
    try sorted.validate()
    #expect(sorted.nodes == chain.nodes)
    #expect(try sorted.sorted() == sorted)
  }

  @Test func `a circle is refused`() {
    var graph = chain
    graph.nodes[0].inputs = ["d"]
    #expect(
      throws: GraphError(graph.nodes[0], "waits for its own result: the graph has a circle")
    ) { try graph.sorted() }
  }

  @Test func `names must be defined once, before they are read`() {
    func problem(_ change: (inout Graph) -> Void) -> String {
      var graph = chain
      change(&graph)
      do {
        try graph.validate()
        return ""
      } catch { return error.description }
    }
    #expect(problem { _ in } == "")
    #expect(
      problem { $0.nodes.swapAt(0, 1) }
        == "node '2' (Identity): reads 'a', which nothing before it defines")
    #expect(
      problem { $0.nodes[1].outputs = ["a"] }
        == "node '2' (Identity): writes 'a', which is already defined")
    #expect(
      problem { $0.nodes[1].name = "1" } == "node '1' (Identity): is not the only node of this name"
    )
    #expect(
      problem { $0.outputs[0].name = "z" } == "output 'z': is not computed by any node")
    #expect(problem { $0.nodes[0].inputs = [] } == "node '1' (Relu): has 0 inputs, expected 1")
    #expect(
      problem { $0.nodes[2].inputs = ["", "a"] }
        == "node '3' (Add): input 0 is left out, but it is needed")
  }
}
