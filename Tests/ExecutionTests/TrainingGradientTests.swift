import Execution
import GraphReference
import Graphs
import Tensors
import Testing

/// A small network that ends in two logits, written layer by layer.
struct TinyNetwork {
  var graph: Graph
  let last: Int

  init(_ name: String, input: [Int]) {
    last = 0
    graph = Graph(
      name: name, inputs: [Value("input", shape: [nil] + input)], outputs: [], nodes: [])
  }

  mutating func parameter(_ name: String, _ shape: [Int]) -> String {
    graph.initializers[name] = FormulaWeights.parameter(name, shape: shape)
    return name
  }

  mutating func append(
    _ operation: Graphs.Operation, _ inputs: [String], _ attributes: [String: Attribute] = [:]
  ) -> String {
    let name = "\(operation.rawValue)\(graph.nodes.count)"
    graph.nodes.append(
      Node(name, operation, inputs: inputs, outputs: ["\(name).out"], attributes: attributes))
    return "\(name).out"
  }

  mutating func convolution(
    _ x: String, _ weights: [Int], strides: [Int] = [1, 1], pads: [Int] = [0, 0, 0, 0],
    dilations: [Int] = [1, 1], groups: Int = 1, bias: Bool = false
  ) -> String {
    let name = "c\(graph.nodes.count)"
    var inputs = [x, parameter("\(name).weight", weights)]
    if bias { inputs.append(parameter("\(name).bias", [weights[0]])) }
    return append(
      .convolution, inputs,
      [
        "strides": .ints(strides), "pads": .ints(pads), "dilations": .ints(dilations),
        "group": .int(groups),
      ])
  }

  mutating func normalization(_ x: String, _ channels: Int) -> String {
    let name = "b\(graph.nodes.count)"
    let inputs = ["weight", "bias", "running_mean", "running_var"].map {
      parameter("\(name).\($0)", [channels])
    }
    return append(.batchNormalization, [x] + inputs)
  }

  mutating func pool(_ operation: Graphs.Operation, _ x: String, _ extra: [String: Attribute] = [:])
    -> String
  {
    append(
      operation, [x],
      ["kernel_shape": .ints([3, 3]), "strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])]
        .merging(extra) { $1 })
  }

  /// Averages, flattens and connects to two logits.
  mutating func head(_ x: String, _ channels: Int) {
    let rows = append(.flatten, [append(.globalAveragePool, [x])])
    connect(rows, channels, 2)
    graph.outputs = [Value(graph.nodes[graph.nodes.count - 1].outputs[0], shape: [nil, 2])]
  }

  @discardableResult
  mutating func connect(_ x: String, _ inputs: Int, _ outputs: Int, transposed: Bool = true)
    -> String
  {
    let name = "g\(graph.nodes.count)"
    let shape = transposed ? [outputs, inputs] : [inputs, outputs]
    let weights = parameter("\(name).weight", shape)
    let bias = parameter("\(name).bias", [outputs])
    return append(.gemm, [x, weights, bias], ["transB": .int(transposed ? 1 : 0)])
  }

  static func named(_ name: String) -> (graph: Graph, input: [Int]) {
    let input = [3, 9, 7]
    var net = TinyNetwork(name, input: input)
    switch name {
    case "odd convolution with a bias":
      let x = net.convolution(
        "input", [5, 3, 3, 2], strides: [2, 1], pads: [1, 0, 2, 1], bias: true)
      net.head(net.convolution(x, [18, 5, 3, 3], strides: [2, 3], pads: [1, 1, 1, 1]), 18)
    case "dilated and grouped convolutions":
      let x = net.convolution("input", [8, 3, 3, 3], pads: [2, 2, 2, 2], dilations: [2, 2])
      let y = net.convolution(x, [6, 4, 3, 3], pads: [1, 1, 1, 1], groups: 2, bias: true)
      net.head(net.convolution(y, [16, 6, 1, 1]), 16)
    case "normalization, ReLU and maximum":
      let x = net.convolution("input", [16, 3, 3, 3], pads: [1, 1, 1, 1])
      let y = net.pool(.maxPool, net.append(.relu, [net.normalization(x, 16)]))
      let z = net.convolution(y, [20, 16, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1])
      net.head(net.append(.relu, [net.normalization(z, 20)]), 20)
    case "normalization read twice":
      let x = net.convolution("input", [16, 3, 3, 3], pads: [1, 1, 1, 1])
      let y = net.normalization(x, 16)
      net.head(net.append(.add, [net.append(.relu, [y]), net.convolution(y, [16, 16, 1, 1])]), 16)
    case "a tensor with several readers":
      let x = net.append(.relu, [net.convolution("input", [16, 3, 3, 3], pads: [1, 1, 1, 1])])
      let y = net.convolution(x, [16, 16, 3, 3], pads: [1, 1, 1, 1])
      let z = net.append(.relu, [net.append(.add, [y, x])])
      let v = net.append(.add, [net.append(.add, [x, z]), net.append(.identity, [x])])
      net.head(net.append(.add, [v, v]), 16)
    case "small images, tap by tap", "small images with biases, tap by tap":
      func convolution(
        _ source: String, _ weights: [Int], strides: [Int] = [1, 1], pads: [Int],
        dilations: [Int] = [1, 1]
      ) -> String {
        net.convolution(
          source, weights, strides: strides, pads: pads, dilations: dilations,
          bias: name.contains("biases"))
      }
      let x = convolution("input", [16, 3, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1])
      let y = convolution(x, [32, 16, 3, 3], pads: [1, 1, 1, 1])
      let z = convolution(y, [16, 32, 3, 2], strides: [2, 1], pads: [1, 0, 2, 1])
      let w = convolution(z, [32, 16, 3, 3], pads: [2, 2, 2, 2], dilations: [2, 2])
      net.head(convolution(w, [16, 32, 5, 5], strides: [2, 3], pads: [2, 2, 2, 2]), 16)
    case "averages, rounding up":
      let x = net.convolution("input", [16, 3, 1, 1])
      let y = net.pool(.averagePool, x, ["ceil_mode": .int(1)])
      let z = net.pool(.averagePool, y, ["count_include_pad": .int(1)])
      net.head(net.pool(.maxPool, z, ["ceil_mode": .int(1), "pads": .ints([0, 0, 1, 1])]), 16)
    case "functions and gates":
      let x = net.convolution("input", [16, 3, 3, 3], pads: [1, 1, 1, 1], bias: true)
      let y = net.append(.multiply, [x, net.append(.sigmoid, [x])])
      let pooled = net.append(.globalAveragePool, [y])
      let inner = net.append(.hardSwish, [net.convolution(pooled, [6, 16, 1, 1], bias: true)])
      let gate = net.append(.hardSigmoid, [net.convolution(inner, [16, 6, 1, 1], bias: true)])
      let z = net.append(.leakyRelu, [net.append(.multiply, [gate, y])], ["alpha": .float(0.2)])
      net.graph.initializers["half"] = Tensor(scalar: Float(0.5))
      net.graph.initializers["low"] = Tensor(scalar: Float(-0.3))
      net.graph.initializers["high"] = Tensor(scalar: Float(0.4))
      let v = net.append(.add, ["half", net.append(.multiply, [z, "half"])])
      let w = net.convolution(v, [16, 1, 3, 3], pads: [1, 1, 1, 1], groups: 16)
      net.head(net.append(.clip, [w, "low", "high"]), 16)
    default:
      let x = net.append(.flatten, ["input"])
      let y = net.append(.relu, [net.connect(x, 189, 12, transposed: false)])
      let last = net.connect(y, 12, 2)
      net.graph.outputs = [Value(last, shape: [nil, 2])]
    }
    return (net.graph, input)
  }

  static let names = [
    "odd convolution with a bias", "dilated and grouped convolutions",
    "normalization, ReLU and maximum", "normalization read twice",
    "a tensor with several readers", "small images, tap by tap",
    "small images with biases, tap by tap", "averages, rounding up",
    "connected layers", "functions and gates",
  ]
}

@Suite struct TrainingGradientTests {
  static let batch = 5

  /// Weights of the logits in the sum that stands for a loss.
  let direction = FormulaWeights.uniform("direction", count: batch * 2).map { Float($0) }

  func loss(_ session: TrainingSession, _ images: [Float]) throws -> Double {
    let logits = try images.withUnsafeBufferPointer { Array(try session.forward($0)) }
    return zip(logits, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  @Test(arguments: TinyNetwork.names)
  func `gradients equal finite differences`(name: String) throws {
    let (graph, input) = TinyNetwork.named(name)
    let session = try TrainingSession(graph, batch: Self.batch, inputShape: input)
    let images = FormulaWeights.images([Self.batch] + input).floats
    _ = try loss(session, images)
    try direction.withUnsafeBufferPointer { try session.backward($0) }
    let gradients = try session.tensors(of: .gradients)
    let norm = session.gradientNorm()
    #expect(norm > 1e-3)
    for (parameter, gradient) in gradients {
      let values = try #require(graph.initializers[parameter])
      let step = FormulaWeights.uniform("\(parameter).step", count: values.count)
      let length = step.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let size = 2e-3 / length
      func moved(_ sign: Double) throws -> Double {
        let floats = zip(values.floats, step).map { $0 + Float(sign * size * $1) }
        try session.load(parameters: [parameter: Tensor(shape: values.shape, floats)])
        return try loss(session, images)
      }
      let difference = (try moved(1) - moved(-1)) / (2 * size)
      try session.load(parameters: [parameter: values])
      let slope = zip(gradient.floats, step).reduce(0) { $0 + Double($1.0) * $1.1 }
      let own = gradient.floats.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      // A float32 loss near 1 over a step of 2e-3 leaves noise of about 1e-4 a unit of step.
      #expect(
        abs(difference - slope) <= (2e-3 * own + 3e-4) * length, "\(parameter): \(own)")
    }
  }

  /// Row by row, as Fisher information is measured: the smallest images there are.
  @Test(arguments: TinyNetwork.names.filter { !$0.contains("normalization") })
  func `gradients of rows add up to those of their batch`(name: String) throws {
    let (graph, input) = TinyNetwork.named(name)
    let images = FormulaWeights.images([Self.batch] + input).floats
    func gradients(_ rows: Range<Int>, _ session: TrainingSession) throws -> [String: [Float]] {
      let perRow = input.reduce(1, *)
      _ = try images[rows.lowerBound * perRow..<rows.upperBound * perRow].withUnsafeBufferPointer {
        Array(try session.forward($0))
      }
      try direction[rows.lowerBound * 2..<rows.upperBound * 2].withUnsafeBufferPointer {
        try session.backward($0)
      }
      return try session.tensors(of: .gradients).mapValues(\.floats)
    }
    let all = try gradients(
      0..<Self.batch, TrainingSession(graph, batch: Self.batch, inputShape: input))
    let single = try TrainingSession(graph, batch: 1, inputShape: input)
    let rows = try (0..<Self.batch).map { try gradients($0..<$0 + 1, single) }
    for (parameter, whole) in all {
      let size = whole.reduce(0) { max($0, abs($1)) }
      for i in whole.indices {
        let sum = rows.reduce(0) { $0 + ($1[parameter]?[i] ?? .nan) }
        #expect(abs(sum - whole[i]) <= 1e-4 * size + 1e-6, "\(parameter) \(i)")
      }
    }
  }

  @Test(arguments: TinyNetwork.names.filter { !$0.contains("normalization") })
  func `logits equal the definition's`(name: String) throws {
    let (graph, input) = TinyNetwork.named(name)
    let session = try TrainingSession(graph, batch: Self.batch, inputShape: input)
    let images = FormulaWeights.images([Self.batch] + input)
    let logits = try images.floats.withUnsafeBufferPointer { Array(try session.forward($0)) }
    let expected = try ReferenceInterpreter(graph).run(["input": images], output: nil)
    for (got, wanted) in zip(logits, expected.floats) { #expect(abs(got - wanted) < 1e-5) }
  }

  /// Not for networks that take maxima: rounding moves a maximum to another element, and with it
  /// all of its gradient.
  @Test(
    .enabled(if: Precision.bfloat16.runs(), "bfloat16 needs AVX-512"),
    arguments: TinyNetwork.names.filter { !$0.contains("maximum") && !$0.contains("averages") })
  func `bfloat16 gradients resemble float32 ones`(name: String) throws {
    let (graph, input) = TinyNetwork.named(name)
    let images = FormulaWeights.images([Self.batch] + input).floats
    let gradients = try Precision.allCases.map { precision in
      let session = try TrainingSession(
        graph, batch: Self.batch, inputShape: input, precision: precision)
      _ = try loss(session, images)
      try direction.withUnsafeBufferPointer { try session.backward($0) }
      return try session.tensors(of: .gradients)
    }
    for (parameter, exact) in gradients[0] {
      let rounded = try #require(gradients[1][parameter]).floats
      let error = zip(exact.floats, rounded).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let norm = exact.floats.reduce(0) { $0 + $1 * $1 }
      // bfloat16 keeps 8 bits: 0.4 % an operation.
      #expect(error.squareRoot() <= 0.05 * norm.squareRoot() + 1e-3, "\(parameter) \(norm)")
    }
  }

  @Test(arguments: Precision.allCases.filter { $0.runs() })
  func `results repeat bit for bit and do not depend on earlier calls`(precision: Precision) throws
  {
    let (graph, input) = TinyNetwork.named("normalization, ReLU and maximum")
    let images = FormulaWeights.images([Self.batch] + input).floats
    func run(_ session: TrainingSession) throws -> [String: Tensor] {
      try session.load(parameters: graph.initializers)
      let zeros = try session.tensors(of: .momenta).mapValues {
        Tensor(shape: $0.shape, [Float](repeating: 0, count: $0.count))
      }
      try session.load(momenta: zeros)
      for _ in 0..<3 {
        _ = try loss(session, images)
        try direction.withUnsafeBufferPointer { try session.backward($0) }
        session.descend(Descent(rate: 0.1, decay: 1e-3))
      }
      return try session.trainedGraph().initializers
    }
    let session = try TrainingSession(
      graph, batch: Self.batch, inputShape: input, precision: precision)
    let first = try run(session)
    _ = try loss(session, images.map { -3 * $0 })
    let second = try run(session)
    let other = try run(
      TrainingSession(graph, batch: Self.batch, inputShape: input, precision: precision))
    #expect(first == second)
    #expect(first == other)
    #expect(first != graph.initializers)
  }

  @Test(arguments: [false, true], [false, true])
  func `a descent follows its definition`(isNesterov: Bool, decaysAll: Bool) throws {
    let (graph, input) = TinyNetwork.named("normalization, ReLU and maximum")
    let session = try TrainingSession(graph, batch: Self.batch, inputShape: input)
    let step = Descent(
      rate: 0.1, momentum: 0.8, isNesterov: isNesterov, decay: 0.01, decaysAll: decaysAll,
      gradientScale: 0.5)
    let images = FormulaWeights.images([Self.batch] + input).floats
    var velocities = try session.tensors(of: .momenta).mapValues(\.floats)
    for _ in 0..<2 {
      _ = try loss(session, images)
      try direction.withUnsafeBufferPointer { try session.backward($0) }
      let before = try session.tensors(of: .values)
      let gradients = try session.tensors(of: .gradients)
      session.descend(step)
      let after = try session.tensors(of: .values)
      for slot in session.slots {
        #expect(slot.decays == (slot.shape.count > 1))
        let decay: Float = slot.decays || decaysAll ? 0.01 : 0
        for i in 0..<slot.shape.reduce(1, *) {
          let value = try #require(before[slot.name]).floats[i]
          let gradient = try #require(gradients[slot.name]).floats[i] * 0.5 + decay * value
          velocities[slot.name]?[i] *= 0.8
          velocities[slot.name]?[i] += gradient
          let velocity = try #require(velocities[slot.name])[i]
          let moved = value - 0.1 * (isNesterov ? gradient + 0.8 * velocity : velocity)
          #expect(abs(try #require(after[slot.name]).floats[i] - moved) < 1e-6)
        }
      }
    }
  }

  @Test func `a session goes on where a saved one stopped`() throws {
    let (graph, input) = TinyNetwork.named("normalization, ReLU and maximum")
    let images = FormulaWeights.images([Self.batch] + input).floats
    func step(_ session: TrainingSession) throws {
      _ = try loss(session, images)
      try direction.withUnsafeBufferPointer { try session.backward($0) }
      session.descend(Descent(rate: 0.1, isNesterov: true, decay: 1e-3))
    }
    let first = try TrainingSession(graph, batch: Self.batch, inputShape: input)
    try step(first)
    let saved = try (first.trainedGraph(), first.tensors(of: .momenta))
    let second = try TrainingSession(saved.0, batch: Self.batch, inputShape: input)
    try second.load(momenta: saved.1)
    try step(first)
    try step(second)
    #expect(try first.trainedGraph() == second.trainedGraph())
    #expect(try first.tensors(of: .momenta) == second.tensors(of: .momenta))
  }

  /// PyTorch's exporter writes 1 where a module's momentum is `None`: the statistics must move.
  @Test func `a momentum of one stands for the usual one`() throws {
    let (graph, input) = TinyNetwork.named("normalization, ReLU and maximum")
    let images = FormulaWeights.images([Self.batch] + input).floats
    let statistics = try [nil, Float(1)].map { momentum in
      var graph = graph
      for i in graph.nodes.indices where graph.nodes[i].operation == .batchNormalization {
        graph.nodes[i].attributes["momentum"] = momentum.map { .float($0) }
      }
      let session = try TrainingSession(graph, batch: Self.batch, inputShape: input)
      let before = session.runningStatistics
      _ = try loss(session, images)
      #expect(session.runningStatistics != before)
      return session.runningStatistics
    }
    #expect(statistics[0] == statistics[1])
  }

  @Test func `what cannot be trained is named`() throws {
    var (graph, input) = TinyNetwork.named("connected layers")
    graph.nodes.append(
      Node("last", .softmax, inputs: [graph.outputs[0].name], outputs: ["p"]))
    graph.outputs = [Value("p", shape: [nil, 2])]
    let error = #expect(throws: ExecutionError.self) {
      try TrainingSession(graph, batch: 2, inputShape: input)
    }
    #expect(error?.place == "node 'last' (Softmax)")
  }
}
