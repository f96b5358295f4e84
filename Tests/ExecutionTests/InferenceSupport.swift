import GraphReference
import Graphs
import OneDNN
import Tensors
import Testing

@testable import Execution

/// Everything the graph's outputs should be, by the plain interpreter.
func reference(_ graph: Graph, _ input: Tensor) throws -> [String: [Float]] {
  let tensors = try ReferenceInterpreter(graph).run([graph.inputs[0].name: input])
  var result: [String: [Float]] = [:]
  for output in graph.outputs {
    guard let tensor = tensors[output.name] else { continue }
    result[output.name] = tensor.reals
  }
  return result
}

/// What a session makes of the graph's outputs.
func compiled(
  _ graph: Graph, _ input: Tensor, precision: Precision = .float32,
  pairsSaturate: Bool = !Processor.current.hasNativeInt8
) throws -> [String: [Float]] {
  let session = try InferenceSession(
    graph, batch: input.shape[0], inputShape: Array(input.shape[1...]), precision: precision,
    pairsSaturate: pairsSaturate)
  try session.run(input.floats)
  var result: [String: [Float]] = [:]
  for (i, output) in session.outputs.enumerated() { result[output.name] = try session.output(i) }
  return result
}

/// The largest difference of two arrays, relative to the largest number of the second.
func difference(_ found: [Float]?, _ expected: [Float]?) -> Float {
  guard let found, let expected, found.count == expected.count else { return .infinity }
  let scale = expected.reduce(1e-6) { max($0, abs($1)) }
  return zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) } / scale
}

extension Tensor {
  /// The elements as reals, whatever they are.
  var reals: [Float] {
    switch elementType {
    case .float32: floats
    case .int8: values(as: Int8.self).map { Float($0) }
    case .uint8: bytes.map { Float($0) }
    default: []
    }
  }

  /// Normal numbers times `scale`.
  static func random(
    _ shape: [Int], scale: Double = 1, using random: inout SplitMix64
  ) -> Tensor {
    Tensor(
      shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(scale * random.normal()) })
  }
}

extension Graph {
  /// The same graph with the tensors `names` as its outputs.
  func giving(_ names: [String], inputs: [String: [Int]] = [:]) throws -> Graph {
    var graph = self
    graph.outputs = graph.inputs
    let types = try graph.inferShapes(inputs: inputs)
    graph.outputs = try names.map { name in
      let type = try #require(types[name])
      return Value(name, type.elementType, shape: type.shape.map { $0 })
    }
    return graph
  }
}

/// A graph under construction, for tests.
struct GraphBuilder {
  var graph: Graph
  private var count = 0

  init(input shape: [Int]) {
    graph = Graph(name: "test", inputs: [Value("input", shape: shape.map { $0 })])
  }

  /// Appends a node and gives its result's name.
  mutating func add(
    _ operation: Operation, _ inputs: [String], _ attributes: [String: Attribute] = [:]
  ) -> String {
    count += 1
    let name = "\(operation.rawValue)\(count)"
    graph.nodes.append(
      Node(name, operation, inputs: inputs, outputs: ["\(name).out"], attributes: attributes))
    return "\(name).out"
  }

  /// Adds a constant and gives its name.
  mutating func constant(_ tensor: Tensor) -> String {
    count += 1
    graph.initializers["constant\(count)"] = tensor
    return "constant\(count)"
  }

  /// A convolution with random weights and, often, a bias.
  mutating func convolution(
    _ input: String, from inputs: Int, to outputs: Int, kernel: [Int], groups: Int = 1,
    _ attributes: [String: Attribute] = [:], using random: inout SplitMix64
  ) -> String {
    let fan = Double(inputs / groups * kernel.reduce(1, *))
    let weights = Tensor.random(
      [outputs, inputs / groups] + kernel, scale: (1 / fan).squareRoot(), using: &random)
    var names = [input, constant(weights)]
    if random.below(3) > 0 {
      names.append(constant(.random([outputs], scale: 0.3, using: &random)))
    }
    return add(.convolution, names, attributes.merging(["group": .int(groups)]) { $1 })
  }

  /// A batch normalization with random parameters; scales may be negative.
  mutating func normalization(_ input: String, _ channels: Int, using random: inout SplitMix64)
    -> String
  {
    var names = [input]
    for _ in 0..<3 { names.append(constant(.random([channels], using: &random))) }
    let variance = (0..<channels).map { _ in Float(random.uniform(0.3...2)) }
    names.append(constant(Tensor(shape: [channels], variance)))
    return add(.batchNormalization, names)
  }

  /// The graph, giving `outputs`.
  func finished(_ outputs: [String]) throws -> Graph {
    try graph.giving(outputs)
  }
}
