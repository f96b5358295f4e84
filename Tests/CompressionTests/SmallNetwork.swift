import GraphReference
import Graphs
import Tensors

@testable import Compression

/// A residual network small enough for the reference interpreter, with every operator of a ResNet.
enum SmallNetwork {
  static let imageShape = [3, 8, 8]

  static func graph(seed: UInt64, classes: Int = 2) -> Graph {
    var random = SplitMix64(seed: seed)
    var graph = Graph(name: "small", inputs: [Value("input", shape: [nil, 3, 8, 8])])

    func draw(_ shape: [Int], _ range: ClosedRange<Double>) -> Tensor {
      Tensor(
        shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.uniform(range)) })
    }
    func append(
      _ name: String, _ operation: Operation, _ inputs: [String],
      _ attributes: [String: Attribute] = [:]
    ) -> String {
      graph.nodes.append(
        Node(name, operation, inputs: inputs, outputs: ["\(name)_out"], attributes: attributes))
      return "\(name)_out"
    }
    func convolution(_ name: String, _ x: String, from: Int, to: Int, kernel: Int, stride: Int)
      -> String
    {
      graph.initializers["\(name).weight"] = draw([to, from, kernel, kernel], -0.4...0.4)
      return append(
        name, .convolution, [x, "\(name).weight"],
        [
          "kernel_shape": .ints([kernel, kernel]), "strides": .ints([stride, stride]),
          "pads": .ints(Array(repeating: kernel / 2, count: 4)),
        ])
    }
    func norm(_ name: String, _ x: String, _ channels: Int) -> String {
      graph.initializers["\(name).weight"] = draw([channels], 0.5...1.5)
      graph.initializers["\(name).bias"] = draw([channels], -0.5...0.5)
      graph.initializers["\(name).running_mean"] = draw([channels], -0.5...0.5)
      graph.initializers["\(name).running_var"] = draw([channels], 0.2...1.5)
      let parameters = ["weight", "bias", "running_mean", "running_var"].map { "\(name).\($0)" }
      return append(name, .batchNormalization, [x] + parameters, ["epsilon": .float(1e-5)])
    }

    var x = convolution("conv1", "input", from: 3, to: 4, kernel: 3, stride: 1)
    x = append("relu", .relu, [norm("bn1", x, 4)])
    x = append(
      "maxpool", .maxPool, [x],
      ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2]), "pads": .ints([0, 0, 0, 0])])
    let shortcut = norm(
      "downsample.1", convolution("downsample.0", x, from: 4, to: 6, kernel: 1, stride: 1), 6)
    var branch = convolution("a", x, from: 4, to: 6, kernel: 3, stride: 1)
    branch = append("a_relu", .relu, [norm("a_bn", branch, 6)])
    branch = norm("b_bn", convolution("b", branch, from: 6, to: 6, kernel: 3, stride: 1), 6)
    x = append("add_relu", .relu, [append("add", .add, [branch, shortcut])])
    x = append("flatten", .flatten, [append("gap", .globalAveragePool, [x])])
    graph.initializers["fc.weight"] = draw([classes, 6], -0.5...0.5)
    graph.initializers["fc.bias"] = draw([classes], -0.5...0.5)
    graph.nodes.append(
      Node(
        "fc", .gemm, inputs: [x, "fc.weight", "fc.bias"], outputs: ["logits"],
        attributes: ["transB": .int(1)]))
    graph.outputs = [Value("logits", shape: [nil, classes])]
    return graph
  }

  static func images(_ count: Int, seed: UInt64) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<count * imageShape.reduce(1, *)).map { _ in Float(random.normal()) }
  }

  static func run(_ graph: Graph, _ images: [Float]) throws -> [String: Tensor] {
    let shape = [images.count / imageShape.reduce(1, *)] + imageShape
    return try ReferenceInterpreter(graph).run(["input": Tensor(shape: shape, images)])
  }
}

/// Runs graphs in the reference interpreter, one batch after the other.
struct ReferenceProbe: TensorProbe {
  var batches: [[Float]]
  var imageShape: [Int] { SmallNetwork.imageShape }

  func run(
    _ graph: Graph, showing tensors: [String], _ body: (Int, [Float], Int) throws -> Void
  ) throws {
    for batch in batches {
      let values = try SmallNetwork.run(graph, batch)
      for (i, tensor) in tensors.enumerated() {
        guard let found = values[tensor] else { throw CompressionError(tensor, "is not there") }
        try body(i, found.floats, batch.count / SmallNetwork.imageShape.reduce(1, *))
      }
    }
  }
}
