/// What a node of an operator must look like before its shapes are asked about.
struct Signature {
  /// How many inputs it may have; those after the first `required` may be left out by an empty name.
  var inputs: ClosedRange<Int>
  /// The attributes it may have, and which kind each is.
  var attributes: [String: Attribute.Kind]

  /// What ONNX's operator sets 11 to 25 say of `operation`; every known operator has one output.
  init(_ operation: Operation) {
    let window: [String: Attribute.Kind] = [
      "auto_pad": .string, "dilations": .ints, "kernel_shape": .ints, "pads": .ints,
      "strides": .ints,
    ]
    switch operation {
    case .convolution: self.init(2...3, window.merging(["group": .int]) { $1 })
    case .batchNormalization:
      self.init(5...5, ["epsilon": .float, "momentum": .float, "training_mode": .int])
    case .relu, .globalAveragePool, .identity: self.init(1...1)
    case .add: self.init(2...2)
    case .maxPool:
      self.init(1...1, window.merging(["ceil_mode": .int, "storage_order": .int]) { $1 })
    case .averagePool:
      self.init(1...1, window.merging(["ceil_mode": .int, "count_include_pad": .int]) { $1 })
    case .flatten, .softmax: self.init(1...1, ["axis": .int])
    case .gemm:
      self.init(2...3, ["alpha": .float, "beta": .float, "transA": .int, "transB": .int])
    case .quantizeLinear:
      self.init(
        2...3,
        [
          "axis": .int, "block_size": .int, "output_dtype": .int, "precision": .int,
          "saturate": .int,
        ])
    case .dequantizeLinear:
      self.init(2...3, ["axis": .int, "block_size": .int, "output_dtype": .int])
    case .multiply, .bitwiseAnd, .bitwiseOr: self.init(2...2)
    case .cast: self.init(1...1, ["round_mode": .string, "saturate": .int, "to": .int])
    case .reshape: self.init(2...2, ["allowzero": .int])
    case .slice: self.init(3...5)
    case .gather, .gatherElements: self.init(2...2, ["axis": .int])
    case .bitShift: self.init(2...2, ["direction": .string])
    case .clip: self.init(1...3)
    case .leakyRelu: self.init(1...1, ["alpha": .float])
    case .sigmoid, .hardSwish: self.init(1...1)
    case .hardSigmoid: self.init(1...1, ["alpha": .float, "beta": .float])
    case .logSoftmax: self.init(1...1, ["axis": .int])
    case .concatenate: self.init(1...4096, ["axis": .int])
    case .transpose: self.init(1...1, ["perm": .ints])
    case .pad: self.init(2...4, ["mode": .string])
    case .pRelu, .matMul: self.init(2...2)
    case .resize:
      self.init(
        3...3,
        [
          "antialias": .int, "coordinate_transformation_mode": .string, "cubic_coeff_a": .float,
          "exclude_outside": .int, "extrapolation_value": .float, "mode": .string,
          "nearest_mode": .string, "keep_aspect_ratio_policy": .string,
        ])
    case .layerNormalization:
      self.init(2...3, ["axis": .int, "epsilon": .float, "stash_type": .int])
    case .gelu: self.init(1...1, ["approximate": .string])
    case .cumulativeSum: self.init(2...2, ["exclusive": .int, "reverse": .int])
    }
  }

  private init(_ inputs: ClosedRange<Int>, _ attributes: [String: Attribute.Kind] = [:]) {
    self.inputs = inputs
    self.attributes = attributes
  }

  /// Checks the number of inputs and outputs, and the kinds of the attributes.
  func check(_ node: Node) throws(GraphError) {
    guard inputs.contains(node.inputs.count) else {
      let expected = inputs.count == 1 ? "\(inputs.lowerBound)" : "\(inputs)"
      throw GraphError(node, "has \(node.inputs.count) inputs, expected \(expected)")
    }
    let optional = node.operation == .resize ? 1 : nil
    if let missing = node.inputs.prefix(inputs.lowerBound).indices.first(where: {
      node.inputs[$0] == "" && $0 != optional
    }) {
      throw GraphError(node, "input \(missing) is left out, but it is needed")
    }
    guard node.outputs.count == 1, node.outputs[0] != "" else {
      throw GraphError(node, "has \(node.outputs.count) outputs, expected 1")
    }
    for (key, attribute) in node.attributes.sorted(by: { $0.key < $1.key }) {
      guard let kind = attributes[key] else {
        throw GraphError(node, "has the attribute '\(key)', which is not supported")
      }
      guard attribute.kind == kind else {
        throw GraphError(node, "'\(key)' is of kind \(attribute.kind), expected \(kind)")
      }
    }
  }
}

extension Attribute {
  /// Which case an attribute is.
  enum Kind { case int, float, string, tensor, ints, floats, strings }

  /// Which case this is.
  var kind: Kind {
    switch self {
    case .int: .int
    case .float: .float
    case .string: .string
    case .tensor: .tensor
    case .ints: .ints
    case .floats: .floats
    case .strings: .strings
    }
  }
}
