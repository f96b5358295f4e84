import Execution
import GraphReference
import Graphs
import Tensors
import Testing

/// Networks whose activations are rounded to 8 bits and back while they are trained.
@Suite struct TrainingQuantizationTests {
  static let input = [3, 9, 7]
  static let batch = 5

  /// A residual network with a pair of quantizers behind all that is computed.
  ///
  /// `isSigned` gives them signed integers. Ranges are so narrow that some of every tensor is cut off.
  static func network(isSigned: Bool) -> Graph {
    var net = TinyNetwork("rounded", input: input)
    var count = 0
    func rounded(_ x: String, _ scale: Float, zero: Int) -> String {
      count += 1
      let names = ["s\(count)", "z\(count)"]
      net.graph.initializers[names[0]] = Tensor(scalar: scale)
      net.graph.initializers[names[1]] =
        isSigned ? Tensor(scalar: Int8(zero - 128)) : Tensor(scalar: UInt8(zero))
      return net.append(
        .dequantizeLinear, [net.append(.quantizeLinear, [x] + names)] + names)
    }
    let x = rounded("input", 0.01, zero: 120)
    let y = net.append(
      .relu, [net.convolution(x, [16, 3, 3, 3], pads: [1, 1, 1, 1], bias: true)])
    let z = rounded(y, 0.003, zero: 0)
    let branch = net.convolution(z, [16, 16, 3, 3], pads: [1, 1, 1, 1], bias: true)
    let sum = net.append(.add, [rounded(branch, 0.004, zero: 100), z])
    let w = rounded(net.append(.relu, [sum]), 0.004, zero: 0)
    let pooled = rounded(net.append(.globalAveragePool, [w]), 0.003, zero: 0)
    net.connect(net.append(.flatten, [pooled]), 16, 2)
    net.graph.outputs = [
      Value(net.graph.nodes[net.graph.nodes.count - 1].outputs[0], shape: [nil, 2])
    ]
    return net.graph
  }

  /// What stands for the network near one point: every pair of quantizers passes on what it was given
  /// plus what it added there, and where it cut off, what it gave.
  static func surrogate(of graph: Graph, at images: Tensor) throws -> (Graph, cutOff: Int) {
    let values = try ReferenceInterpreter(graph).run(["input": images])
    var result = graph
    result.nodes = []
    var cutOff = 0
    for node in graph.nodes where node.operation != .dequantizeLinear {
      guard node.operation == .quantizeLinear else {
        result.nodes.append(node)
        continue
      }
      let back = try #require(graph.nodes.first { $0.inputs[0] == node.outputs[0] })
      let given = try #require(values[node.inputs[0]])
      let made = try #require(values[back.outputs[0]]).floats
      let scale = try #require(graph.initializers[node.inputs[1]]).floats[0]
      let zero = try #require(graph.initializers[node.inputs[2]])
      let isSigned = zero.elementType == .int8
      let offset =
        isSigned ? Float(zero.values(as: Int8.self)[0]) : Float(zero.values(as: UInt8.self)[0])
      let range: ClosedRange<Float> = isSigned ? -128...127 : 0...255
      let passes = given.floats.map {
        range.contains(($0 / scale).rounded(.toNearestOrEven) + offset)
      }
      cutOff += passes.count { !$0 }
      let added = passes.indices.map { passes[$0] ? made[$0] - given.floats[$0] : made[$0] }
      let names = ["\(node.name).passes", "\(node.name).added"]
      result.initializers[names[0]] = Tensor(shape: given.shape, passes.map { $0 ? 1 : 0 as Float })
      result.initializers[names[1]] = Tensor(shape: given.shape, added)
      result.nodes += [
        Node(
          "\(node.name).pass", .multiply, inputs: [node.inputs[0], names[0]],
          outputs: node.outputs),
        Node(back.name, .add, inputs: [node.outputs[0], names[1]], outputs: back.outputs),
      ]
    }
    return (result, cutOff)
  }

  @Test(arguments: [false, true])
  func `logits equal the definition's`(isSigned: Bool) throws {
    let graph = Self.network(isSigned: isSigned)
    let session = try TrainingSession(graph, batch: Self.batch, inputShape: Self.input)
    let images = FormulaWeights.images([Self.batch] + Self.input)
    let logits = try images.floats.withUnsafeBufferPointer { Array(try session.forward($0)) }
    let expected = try ReferenceInterpreter(graph).run(["input": images], output: nil)
    for (got, wanted) in zip(logits, expected.floats) { #expect(abs(got - wanted) < 1e-4) }
  }

  /// The gradients are the surrogate's, which finite differences find.
  @Test(arguments: [false, true])
  func `gradients pass straight through inside the grid only`(isSigned: Bool) throws {
    let graph = Self.network(isSigned: isSigned)
    let images = FormulaWeights.images([Self.batch] + Self.input)
    let direction = FormulaWeights.uniform("direction", count: Self.batch * 2)
    let session = try TrainingSession(graph, batch: Self.batch, inputShape: Self.input)
    _ = try images.floats.withUnsafeBufferPointer { try session.forward($0) }
    try direction.map { Float($0) }.withUnsafeBufferPointer { try session.backward($0) }
    let gradients = try session.tensors(of: .gradients)
    #expect(gradients.count == 6)
    var (surrogate, cutOff) = try Self.surrogate(of: graph, at: images)
    #expect(cutOff > 50)
    for (parameter, gradient) in gradients {
      let values = try #require(graph.initializers[parameter])
      let step = FormulaWeights.uniform("\(parameter).step", count: values.count)
      let length = step.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let size = 2e-3 / length
      func moved(_ sign: Double) throws -> Double {
        surrogate.initializers[parameter] = Tensor(
          shape: values.shape, zip(values.floats, step).map { $0 + Float(sign * size * $1) })
        let logits = try ReferenceInterpreter(surrogate).run(["input": images], output: nil).floats
        return zip(logits, direction).reduce(0) { $0 + Double($1.0) * $1.1 }
      }
      let difference = (try moved(1) - moved(-1)) / (2 * size)
      surrogate.initializers[parameter] = values
      let slope = zip(gradient.floats, step).reduce(0) { $0 + Double($1.0) * $1.1 }
      let own = gradient.floats.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(own > 1e-3)
      #expect(
        abs(difference - slope) <= (2e-3 * own + 3e-4) * length, "\(parameter): \(own)")
    }
  }

  @Test func `quantizers that cannot be trained are named`() throws {
    func place(_ change: (inout Graph) -> Void) -> String? {
      var graph = Self.network(isSigned: false)
      change(&graph)
      return #expect(throws: ExecutionError.self) {
        try TrainingSession(graph, batch: 2, inputShape: Self.input)
      }?.place
    }
    let name = Self.network(isSigned: false).nodes[0].name
    #expect(place { $0.initializers["s1"] = Tensor(scalar: Float(-1)) }?.contains(name) == true)
    #expect(place { $0.nodes[1].inputs[1] = "s2" }?.contains(name) == true)
  }
}
