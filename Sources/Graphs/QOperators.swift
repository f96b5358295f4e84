import Tensors

/// Rewrites operators on whole numbers, as ONNX Runtime's QOperator format has them, into the same
/// operators on real numbers between `DequantizeLinear` and `QuantizeLinear`.
///
/// That says the same, and is the form that Equant's int8 kernels are found in. Poolings and
/// functions that stand between whole numbers, as some quantizers leave them, are put between such
/// pairs too.
struct QOperators {
  /// The operators of ONNX's own set.
  static let standard: Set<String> = ["QLinearConv", "QLinearMatMul"]
  /// The operators of ONNX Runtime's set.
  static let microsoft: Set<String> = [
    "QLinearAdd", "QLinearMul", "QLinearGlobalAveragePool", "QLinearAveragePool",
    "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QLinearConcat", "QGemm",
  ]

  typealias RawNode = ONNXImporter.RawNode

  let constants: [String: Tensor]

  /// A tensor of whole numbers with the names of its scale and zero point.
  private struct Quantized {
    var name: String
    var scale: String
    var zeroPoint: String
  }

  /// The nodes with every such operator rewritten; new constants are added to `initializers`.
  func expanded(
    _ nodes: [RawNode], adding initializers: inout [String: Tensor]
  ) throws(GraphError) -> [RawNode] {
    guard nodes.contains(where: { $0.type.hasPrefix("Q") }) else { return nodes }
    var result: [RawNode] = []
    // What the whole numbers of each tensor stand for.
    var known: [String: Quantized] = [:]
    for node in nodes {
      switch node.type {
      case "QuantizeLinear":
        result.append(node)
        if node.inputs.count >= 2, let output = node.outputs.first {
          known[output] = quantized(output, node.inputs, 1)
        }
      case _
      where Self.standard.contains(node.type)
        || Self.microsoft.contains(node.type)
          && node.type != "DequantizeLinear":
        let made = try expand(node, &initializers)
        result += made
        if let last = made.last, last.type == "QuantizeLinear" {
          known[last.outputs[0]] = quantized(last.outputs[0], last.inputs, 1)
        }
      case "MaxPool", "AveragePool", "GlobalAveragePool", "Relu", "Clip", "Pad", "Resize":
        guard let input = node.inputs.first, let given = known[input],
          let output = node.outputs.first
        else {
          result.append(node)
          continue
        }
        let target = Quantized(name: output, scale: given.scale, zeroPoint: given.zeroPoint)
        result += around(node, node.type, [given], more: Array(node.inputs.dropFirst()), target)
        known[output] = target
      case "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Slice":
        result.append(node)
        if let input = node.inputs.first, let given = known[input], let output = node.outputs.first
        {
          known[output] = Quantized(name: output, scale: given.scale, zeroPoint: given.zeroPoint)
        }
      default: result.append(node)
      }
    }
    return result
  }

  private func quantized(_ name: String, _ inputs: [String], _ scale: Int) -> Quantized {
    Quantized(
      name: name, scale: inputs[scale],
      zeroPoint: inputs.indices.contains(scale + 1) ? inputs[scale + 1] : "")
  }

  private func expand(
    _ node: RawNode, _ initializers: inout [String: Tensor]
  ) throws(GraphError) -> [RawNode] {
    let inputs = node.inputs
    func need(_ count: ClosedRange<Int>) throws(GraphError) {
      guard count.contains(inputs.count), node.outputs.count == 1, node.outputs[0] != "" else {
        throw fail(node, "has \(inputs.count) inputs and \(node.outputs.count) outputs")
      }
    }
    func input(_ index: Int) -> Quantized { quantized(inputs[index], inputs, index + 1) }
    func output(_ scale: Int) -> Quantized {
      quantized(node.outputs.first ?? "", inputs, scale)
    }
    switch node.type {
    case "QLinearConv":
      try need(8...9)
      var made = around(node, "Conv", [input(0), input(3)], axes: [nil, 0], output(6))
      if inputs.count == 9 {
        let bias = try bias(node, 8, scales: (1, 4), factor: 1, &initializers)
        if let conv = made.firstIndex(where: { $0.type == "Conv" }) {
          made[conv].inputs.append(bias)
        }
      }
      return made
    case "QLinearMatMul":
      try need(8...8)
      return around(node, "MatMul", [input(0), input(3)], axes: [nil, 1], output(6))
    case "QGemm":
      try need(6...9)
      let isTurned = node.attributes["transB"] == .int(1)
      let isReal = inputs.count < 8
      var made = around(
        node, "Gemm", [input(0), input(3)], axes: [nil, isTurned ? 0 : 1], isReal ? nil : output(7))
      if inputs.count > 6, inputs[6] != "" {
        var factor: Float = 1
        if case .float(let alpha)? = node.attributes["alpha"] { factor = alpha }
        let bias = try bias(node, 6, scales: (1, 4), factor: factor, &initializers)
        if let gemm = made.firstIndex(where: { $0.type == "Gemm" }) {
          made[gemm].inputs.append(bias)
        }
      }
      return made
    case "QLinearAdd", "QLinearMul":
      try need(7...8)
      return around(node, String(node.type.dropFirst(7)), [input(0), input(3)], output(6))
    case "QLinearConcat":
      try need(5...4096)
      guard inputs.count % 3 == 2 else { throw fail(node, "has \(inputs.count) inputs") }
      let parts = stride(from: 2, to: inputs.count, by: 3).map(input)
      return around(node, "Concat", parts, output(0))
    default:
      // One input: x, its scale and zero point, the result's scale and zero point.
      try need(4...5)
      guard (node.attributes["channels_last"] ?? .int(0)) == .int(0) else {
        throw fail(node, "has its channels last, which is not supported")
      }
      return around(node, String(node.type.dropFirst(7)), [input(0)], output(3))
    }
  }

  /// `operation` of the reals that `inputs` stand for, quantized again as `output` says.
  private func around(
    _ node: RawNode, _ operation: String, _ inputs: [Quantized], axes: [Int?] = [],
    more: [String] = [], _ output: Quantized?
  ) -> [RawNode] {
    var made: [RawNode] = []
    var real = RawNode(
      name: node.name, type: operation, inputs: [], outputs: node.outputs,
      attributes: node.attributes)
    for key in ["channels_last", "opset"] { real.attributes[key] = nil }
    for (index, input) in inputs.enumerated() {
      let name = "\(node.outputs.first ?? node.name).operand\(index)"
      var attributes: [String: Attribute] = [:]
      if axes.indices.contains(index), let axis = axes[index] { attributes["axis"] = .int(axis) }
      made.append(
        RawNode(
          name: "\(node.name)_DequantizeLinear\(index)", type: "DequantizeLinear",
          inputs: [input.name, input.scale] + (input.zeroPoint == "" ? [] : [input.zeroPoint]),
          outputs: [name], attributes: attributes))
      real.inputs.append(name)
    }
    real.inputs += more
    guard let output else { return made + [real] }
    real.outputs = ["\(output.name).real"]
    let last = RawNode(
      name: "\(node.name)_QuantizeLinear", type: "QuantizeLinear",
      inputs: [real.outputs[0], output.scale]
        + (output.zeroPoint == "" ? [] : [output.zeroPoint]),
      outputs: [output.name], attributes: [:])
    return made + [real, last]
  }

  /// The real numbers of an int32 bias, whose step is the product of two scales.
  private func bias(
    _ node: RawNode, _ index: Int, scales: (Int, Int), factor: Float,
    _ initializers: inout [String: Tensor]
  ) throws(GraphError) -> String {
    guard let whole = constants[node.inputs[index]], whole.elementType == .int32,
      let left = constants[node.inputs[scales.0]], left.elementType == .float32, left.count == 1,
      let right = constants[node.inputs[scales.1]], right.elementType == .float32,
      right.count == 1 || right.count == whole.count
    else {
      throw fail(node, "its bias '\(node.inputs[index])' and scales are not constants that fit")
    }
    let (step, steps) = (left.floats[0] * factor, right.floats)
    let name = "\(node.outputs[0]).bias"
    guard initializers[name] == nil else { throw fail(node, "'\(name)' is defined already") }
    initializers[name] = Tensor(
      shape: whole.shape,
      whole.values(as: Int32.self).enumerated().map { i, value in
        Float(value) * (step * steps[steps.count == 1 ? 0 : i])
      })
    return name
  }

  private func fail(_ node: RawNode, _ problem: String) -> GraphError {
    GraphError("node '\(node.name)' (\(node.type))", problem)
  }
}
