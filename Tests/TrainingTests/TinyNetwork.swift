import Graphs
import Tensors

/// Two convolutions with batch normalization and a linear head: every kind of layer that a ResNet's
/// training has, in milliseconds.
enum TinyNetwork {
  /// The network for `classes` classes, with weights drawn from `seed`.
  static func graph(classes: Int = 2, seed: UInt64 = 0) -> Graph {
    var graph = Graph(
      name: "tiny", inputs: [Value("input", shape: [nil, 3, nil, nil])],
      outputs: [Value("logits", shape: [nil, classes])])
    var (x, channels) = ("input", 3)
    for (index, width) in [16, 32].enumerated() {
      let name = "layer\(index)"
      graph.initializers["\(name).weight"] = zeros([width, channels, 3, 3])
      graph.nodes.append(
        Node(
          "\(name)/conv", .convolution, inputs: [x, "\(name).weight"], outputs: ["\(name)_a"],
          attributes: [
            "kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1]), "strides": .ints([2, 2]),
          ]))
      let norm = ["scale", "shift", "mean", "variance"].map { "\(name).\($0)" }
      for parameter in norm { graph.initializers[parameter] = zeros([width]) }
      graph.nodes.append(
        Node(
          "\(name)/norm", .batchNormalization, inputs: ["\(name)_a"] + norm,
          outputs: ["\(name)_b"], attributes: ["epsilon": .float(1e-5), "momentum": .float(0.9)]))
      graph.nodes.append(
        Node("\(name)/relu", .relu, inputs: ["\(name)_b"], outputs: ["\(name)_c"]))
      (x, channels) = ("\(name)_c", width)
    }
    graph.nodes.append(Node("pool", .globalAveragePool, inputs: [x], outputs: ["pooled"]))
    graph.nodes.append(
      Node(
        "flatten", .flatten, inputs: ["pooled"], outputs: ["flat"], attributes: ["axis": .int(1)])
    )
    graph.initializers["head.weight"] = zeros([classes, channels])
    graph.initializers["head.bias"] = zeros([classes])
    graph.nodes.append(
      Node(
        "head", .gemm, inputs: ["flat", "head.weight", "head.bias"], outputs: ["logits"],
        attributes: ["alpha": .float(1), "beta": .float(1), "transB": .int(1)]))
    graph.initialize(seed: seed)
    return graph
  }

  private static func zeros(_ shape: [Int]) -> Tensor {
    Tensor(shape: shape, [Float](repeating: 0, count: shape.reduce(1, *)))
  }
}
