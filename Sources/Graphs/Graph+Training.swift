import Tensors

extension Graph {
  /// The graph with a copy of every float32 constant for each node that reads it.
  ///
  /// Exporters store equal constants once, such as the scales of new batch norms; training moves
  /// them apart.
  public func separatingParameters() -> Graph {
    var result = self
    var readers: Set<String> = []
    for (index, node) in nodes.enumerated() {
      let trained: Range<Int>
      switch node.operation {
      case .convolution, .gemm, .batchNormalization: trained = 1..<max(1, node.inputs.count)
      default: continue
      }
      for place in trained {
        let name = node.inputs[place]
        guard let tensor = initializers[name], tensor.elementType == .float32,
          !readers.insert(name).inserted
        else { continue }
        var count = 2
        while result.initializers["\(name).\(count)"] != nil { count += 1 }
        result.initializers["\(name).\(count)"] = tensor
        result.nodes[index].inputs[place] = "\(name).\(count)"
      }
    }
    return result
  }

  /// The graph with its last fully connected layer drawn anew, for `classes` classes.
  ///
  /// - Parameters:
  ///   - classes: How many numbers the new layer gives.
  ///   - seed: Where they are drawn from; see ``initialize(seed:)``.
  /// - Returns: The graph; `nil` where it does not end in such a layer.
  public func replacingHead(classes: Int, seed: UInt64) -> Graph? {
    guard outputs.count == 1,
      let head = nodes.first(where: { $0.outputs.contains(outputs[0].name) }),
      head.operation == .gemm, head.inputs.count == 3, head.int("transB", default: 0) == 1,
      let old = initializers[head.inputs[1]], old.shape.count == 2,
      initializers[head.inputs[2]] != nil
    else { return nil }
    var result = self
    func zeros(_ shape: [Int]) -> Tensor {
      Tensor(shape: shape, [Float](repeating: 0, count: shape.reduce(1, *)))
    }
    result.initializers[head.inputs[1]] = zeros([classes, old.shape[1]])
    result.initializers[head.inputs[2]] = zeros([classes])
    result.initialize(head, seed: seed)
    result.outputs[0].shape = [outputs[0].shape.first ?? nil, classes]
    return result
  }
}
