public import Tensors

extension Graph {
  /// The graph with its constants taken from `weights` by name, as torchvision and timm name them.
  ///
  /// Half-precision and double-precision weights become `float32`. PyTorch's counters
  /// `num_batches_tracked` are passed over. When only the number of classes differs, the last fully
  /// connected layer is not loaded but drawn anew, so that a network can be tuned to other classes.
  ///
  /// - Parameters:
  ///   - weights: Tensors by name, usually from ``Safetensors/read(_:)``.
  ///   - headSeed: Where a replaced head is drawn from; see ``initialize(seed:)``.
  /// - Returns: The graph with new constants.
  /// - Throws: ``GraphError`` that names all missing, unknown and ill-shaped tensors in one line.
  public func loading(
    _ weights: [String: Tensor], headSeed: UInt64 = 0
  ) throws(GraphError) -> Graph {
    var result = self
    var weights = weights.filter { !$0.key.hasSuffix("num_batches_tracked") }
    if let head = replaceableHead(in: weights) {
      result.initialize(head, seed: headSeed)
      for name in head.inputs.dropFirst() { weights[name] = result.initializers[name] }
    }
    var problems: [String] = []
    let missing = initializers.keys.filter { weights[$0] == nil }.sorted()
    let unknown = weights.keys.filter { initializers[$0] == nil }.sorted()
    if !missing.isEmpty { problems.append("missing \(listed(missing))") }
    if !unknown.isEmpty { problems.append("unknown \(listed(unknown))") }
    for (name, tensor) in weights.sorted(by: { $0.key < $1.key }) {
      guard let old = initializers[name] else { continue }
      let fitting = old.elementType == .float32 ? tensor.widened : tensor
      if let fitting, fitting.shape == old.shape, fitting.elementType == old.elementType {
        result.initializers[name] = fitting
      } else {
        problems.append(
          "'\(name)' is \(tensor.elementType) \(tensor.shape), expected \(old.elementType) "
            + "\(old.shape)")
      }
    }
    guard problems.isEmpty else {
      let more = problems.count > 6 ? "; and \(problems.count - 6) more" : ""
      throw GraphError(
        "weights for '\(name)'", problems.prefix(6).joined(separator: "; ") + more)
    }
    return result
  }

  /// The last fully connected layer, when `weights` have it for another number of classes.
  private func replaceableHead(in weights: [String: Tensor]) -> Node? {
    guard let head = nodes.last, head.operation == .gemm, head.inputs.count == 3,
      head.int("transB", default: 0) == 1,
      let old = initializers[head.inputs[1]], let new = weights[head.inputs[1]],
      let bias = weights[head.inputs[2]], initializers[head.inputs[2]] != nil,
      old.shape.count == 2, new.shape.count == 2, old.shape[1] == new.shape[1],
      old.shape[0] != new.shape[0], bias.shape == [new.shape[0]]
    else { return nil }
    return head
  }
}

/// A few names, and how many more there are.
private func listed(_ names: [String]) -> String {
  let shown = names.prefix(4).map { "'\($0)'" }.joined(separator: ", ")
  return names.count > 4 ? "\(shown) and \(names.count - 4) more" : shown
}
