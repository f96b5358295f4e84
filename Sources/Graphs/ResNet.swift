import Tensors

/// Residual networks as torchvision builds them, with torchvision's parameter names.
///
/// Every network reads `input`, shape `[batch, 3, height, width]`, and gives `logits`, shape
/// `[batch, classes]`. Nodes carry the attributes that PyTorch's exporter writes. Batch
/// normalisations stand as nodes of their own, with epsilon 1e-5 and ONNX's `momentum` 0.9, the
/// share of the old statistic that is kept; PyTorch calls the same setting 0.1.
///
/// Source: K. He, X. Zhang, S. Ren, J. Sun, *Deep Residual Learning for Image Recognition*,
/// CVPR 2016. <https://arxiv.org/abs/1512.03385>. In ResNet-50 the stride sits on the 3 x 3
/// convolution of a block, as in torchvision, not on the first 1 x 1.
public enum ResNet {
  /// ResNet-18: basic blocks, two to a stage; 11.2 million parameters.
  ///
  /// - Parameters:
  ///   - classes: The number of logits, at least 1.
  ///   - imageSize: Height and width of the images; `nil` leaves them free.
  ///   - seed: Where ``Graph/initialize(seed:)`` starts; `nil` leaves weights zero, for
  ///     ``Graph/loading(_:headSeed:)``.
  /// - Returns: The network in opset 17.
  public static func resnet18(classes: Int, imageSize: Int? = nil, seed: UInt64? = 0) -> Graph {
    let builder = Builder(name: "resnet18", imageSize: imageSize)
    return builder.build(blocks: [2, 2, 2, 2], bottleneck: false, classes: classes, seed: seed)
  }

  /// ResNet-34: basic blocks, 3, 4, 6 and 3 to a stage; 21.3 million parameters.
  ///
  /// The parameters are those of ``resnet18(classes:imageSize:seed:)``.
  public static func resnet34(classes: Int, imageSize: Int? = nil, seed: UInt64? = 0) -> Graph {
    let builder = Builder(name: "resnet34", imageSize: imageSize)
    return builder.build(blocks: [3, 4, 6, 3], bottleneck: false, classes: classes, seed: seed)
  }

  /// ResNet-50: bottleneck blocks, 3, 4, 6 and 3 to a stage; 23.5 million parameters.
  ///
  /// The parameters are those of ``resnet18(classes:imageSize:seed:)``.
  public static func resnet50(classes: Int, imageSize: Int? = nil, seed: UInt64? = 0) -> Graph {
    let builder = Builder(name: "resnet50", imageSize: imageSize)
    return builder.build(blocks: [3, 4, 6, 3], bottleneck: true, classes: classes, seed: seed)
  }
}

/// Appends layers to a graph; `channels` follows the current tensor.
private struct Builder {
  var graph: Graph

  init(name: String, imageSize: Int?) {
    graph = Graph(
      name: name, inputs: [Value("input", shape: [nil, 3, imageSize, imageSize])])
  }

  consuming func build(
    blocks: [Int], bottleneck: Bool, classes: Int, seed: UInt64?
  ) -> Graph {
    precondition(classes >= 1, "a classifier needs at least one class")
    var (x, channels) = ("input", 64)
    x = convolution("conv1", x, from: 3, to: 64, kernel: 7, stride: 2)
    x = batchNormalization("bn1", x, channels: 64)
    x = relu("relu", x)
    x = append(
      "maxpool", .maxPool, [x],
      [
        "ceil_mode": .int(0), "dilations": .ints([1, 1]), "kernel_shape": .ints([3, 3]),
        "pads": .ints([1, 1, 1, 1]), "strides": .ints([2, 2]),
      ])
    for (stage, count) in blocks.enumerated() {
      let width = 64 << stage
      let outputs = bottleneck ? width * 4 : width
      for block in 0..<count {
        let stride = stage > 0 && block == 0 ? 2 : 1
        x = residualBlock(
          "layer\(stage + 1).\(block)", x, from: channels, width: width, to: outputs,
          stride: stride, bottleneck: bottleneck)
        channels = outputs
      }
    }
    x = append("avgpool", .globalAveragePool, [x])
    x = append("", .flatten, [x], ["axis": .int(1)])
    graph.initializers["fc.weight"] = zeros([classes, channels])
    graph.initializers["fc.bias"] = zeros([classes])
    graph.nodes.append(
      Node(
        "/fc/Gemm", .gemm, inputs: [x, "fc.weight", "fc.bias"], outputs: ["logits"],
        attributes: ["alpha": .float(1), "beta": .float(1), "transB": .int(1)]))
    graph.outputs = [Value("logits", shape: [nil, classes])]
    if let seed { graph.initialize(seed: seed) }
    return graph
  }

  /// Two or three convolutions beside a shortcut.
  private mutating func residualBlock(
    _ path: String, _ input: String, from channels: Int, width: Int, to outputs: Int,
    stride: Int, bottleneck: Bool
  ) -> String {
    var x = input
    func at(_ layer: String) -> String { "\(path).\(layer)" }
    if bottleneck {
      x = convolution(at("conv1"), x, from: channels, to: width, kernel: 1, stride: 1)
      x = relu(at("relu"), batchNormalization(at("bn1"), x, channels: width))
      x = convolution(at("conv2"), x, from: width, to: width, kernel: 3, stride: stride)
      x = relu(at("relu_1"), batchNormalization(at("bn2"), x, channels: width))
      x = convolution(at("conv3"), x, from: width, to: outputs, kernel: 1, stride: 1)
      x = batchNormalization(at("bn3"), x, channels: outputs)
    } else {
      x = convolution(at("conv1"), x, from: channels, to: width, kernel: 3, stride: stride)
      x = relu(at("relu"), batchNormalization(at("bn1"), x, channels: width))
      x = convolution(at("conv2"), x, from: width, to: outputs, kernel: 3, stride: 1)
      x = batchNormalization(at("bn2"), x, channels: outputs)
    }
    var shortcut = input
    if stride != 1 || channels != outputs {
      shortcut = convolution(
        at("downsample.0"), input, from: channels, to: outputs, kernel: 1, stride: stride)
      shortcut = batchNormalization(at("downsample.1"), shortcut, channels: outputs)
    }
    x = append(path, .add, [x, shortcut])
    return relu(at(bottleneck ? "relu_2" : "relu_1"), x)
  }

  private mutating func convolution(
    _ path: String, _ input: String, from channels: Int, to outputs: Int, kernel: Int, stride: Int
  ) -> String {
    graph.initializers["\(path).weight"] = zeros([outputs, channels, kernel, kernel])
    return append(
      path, .convolution, [input, "\(path).weight"],
      [
        "dilations": .ints([1, 1]), "group": .int(1), "kernel_shape": .ints([kernel, kernel]),
        "pads": .ints(Array(repeating: kernel / 2, count: 4)), "strides": .ints([stride, stride]),
      ])
  }

  private mutating func batchNormalization(
    _ path: String, _ input: String, channels: Int
  ) -> String {
    let parameters = ["weight", "bias", "running_mean", "running_var"].map { "\(path).\($0)" }
    for (index, parameter) in parameters.enumerated() {
      let standard: Float = index == 0 || index == 3 ? 1 : 0
      graph.initializers[parameter] = Tensor(
        shape: [channels], [Float](repeating: standard, count: channels))
    }
    return append(
      path, .batchNormalization, [input] + parameters,
      ["epsilon": .float(1e-5), "momentum": .float(0.9), "training_mode": .int(0)])
  }

  private mutating func relu(_ path: String, _ input: String) -> String {
    append(path, .relu, [input])
  }

  /// Appends a node named as PyTorch's exporter does, `/layer1/layer1.0/conv1/Conv`.
  private mutating func append(
    _ path: String, _ operation: Operation, _ inputs: [String],
    _ attributes: [String: Attribute] = [:]
  ) -> String {
    var parts = path.split(separator: ".").map(String.init)
    if parts.count >= 2 && parts[0].hasPrefix("layer") {
      parts.replaceSubrange(0..<2, with: [parts[0], "\(parts[0]).\(parts[1])"])
      // `downsample` is a list of layers, and its own name is in theirs.
      if parts.count == 4 {
        parts[3] = "\(parts[2]).\(parts[3])"
      }
    }
    let name = (parts + [operation.rawValue]).map { "/\($0)" }.joined()
    graph.nodes.append(
      Node(name, operation, inputs: inputs, outputs: ["\(name)_output_0"], attributes: attributes))
    return "\(name)_output_0"
  }

  private func zeros(_ shape: [Int]) -> Tensor {
    Tensor(shape: shape, [Float](repeating: 0, count: shape.reduce(1, *)))
  }
}
