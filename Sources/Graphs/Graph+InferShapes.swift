public import Tensors

/// The shape and element type of a tensor that is fully known.
public struct TensorType: Hashable, Sendable {
  /// The extents, outermost first.
  public var shape: [Int]
  /// What the elements are.
  public var elementType: ElementType

  /// The type of tensors of `shape`.
  public init(shape: [Int], elementType: ElementType = .float32) {
    self.shape = shape
    self.elementType = elementType
  }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }
}

extension Graph {
  /// The shape and element type of every tensor, once the inputs' shapes are given.
  ///
  /// - Parameter inputs: The extents of inputs that have free ones: `["input": [64, 3, 64, 64]]`.
  /// - Returns: One entry for every input, constant and result, by tensor name.
  /// - Throws: ``GraphError`` naming the node, what was found and what was expected.
  public func inferShapes(inputs: [String: [Int]] = [:]) throws(GraphError) -> [String: TensorType]
  {
    let values = try inferValues(inputs: inputs)
    var types: [String: TensorType] = [:]
    types.reserveCapacity(values.count)
    for (name, value) in values {
      let shape = value.shape.compactMap(\.self)
      guard shape.count == value.shape.count else {
        let free = self.inputs.first { $0.shape.contains(nil) && inputs[$0.name] == nil }
        throw GraphError(
          "tensor '\(name)'",
          "its shape \(describe(value.shape)) is not fully known"
            + (free.map { "; give the shape of input '\($0.name)'" } ?? ""))
      }
      types[name] = TensorType(shape: shape, elementType: value.elementType)
    }
    return types
  }

  /// What is known of every tensor; extents that depend on free extents of inputs are `nil`.
  ///
  /// - Parameter inputs: Extents of inputs, where they are known by now.
  /// - Returns: One entry for every input, constant and result, by tensor name.
  /// - Throws: ``GraphError`` naming the node, what was found and what was expected.
  public func inferValues(inputs: [String: [Int]] = [:]) throws(GraphError) -> [String: Value] {
    let values = try propagate(inputs: inputs)
    for output in outputs {
      guard let value = values[output.name] else { continue }
      guard value.elementType == output.elementType, agree(value.shape, output.shape) else {
        throw GraphError(
          "output '\(output.name)'",
          "is \(value.elementType) \(describe(value.shape)), but declared as "
            + "\(output.elementType) \(describe(output.shape))")
      }
    }
    return values
  }

  /// ``inferValues(inputs:)`` without a look at what the outputs are declared as.
  func propagate(inputs: [String: [Int]] = [:]) throws(GraphError) -> [String: Value] {
    try validate()
    var values: [String: Value] = [:]
    for (name, tensor) in initializers {
      values[name] = Value(name, tensor.elementType, shape: tensor.shape)
    }
    for name in inputs.keys where !self.inputs.contains(where: { $0.name == name }) {
      throw GraphError("input '\(name)'", "is not an input of graph '\(self.name)'")
    }
    for input in self.inputs { values[input.name] = try input.narrowed(to: inputs[input.name]) }
    for node in nodes {
      let result = try ShapeInference(node: node, values: values, constants: initializers).result()
      values[node.outputs[0]] = Value(node.outputs[0], result.type, shape: result.shape)
    }
    return values
  }
}

extension Value {
  /// The value with its free extents set.
  fileprivate func narrowed(to given: [Int]?) throws(GraphError) -> Value {
    let largest = ShapeInference.largestExtent
    guard shape.allSatisfy({ $0.map { 1...largest ~= $0 } ?? true }) else {
      throw GraphError("input '\(name)'", "has the shape \(describe(shape)), which cannot be")
    }
    guard let given else { return self }
    guard agree(given, shape), given.allSatisfy({ 1...largest ~= $0 }) else {
      throw GraphError("input '\(name)'", "is given as \(given), expected \(describe(shape))")
    }
    return Value(name, elementType, shape: given)
  }
}

/// Whether two shapes can be the same; free extents agree with anything.
func agree(_ a: [Int?], _ b: [Int?]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0 == nil || $1 == nil || $0 == $1 }
}

/// A shape for messages: `[?, 3, 64, 64]`.
func describe(_ shape: [Int?]) -> String {
  "[" + shape.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") + "]"
}
