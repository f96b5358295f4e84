public import Tensors

/// An image classifier as plain data: ONNX operators in execution order, and their constants.
///
/// A graph holds no device memory and calls no kernels, so it is cheap to copy, compare and
/// rewrite. Everything Equant does to a model is a function from graph to graph.
public struct Graph: Hashable, Sendable {
  /// A name for people.
  public var name: String
  /// What must be given to run the graph; constants are not inputs.
  public var inputs: [Value]
  /// What running the graph gives; any tensor of the graph may be named here.
  public var outputs: [Value]
  /// The operations, each after everything it reads.
  public var nodes: [Node]
  /// The constants by tensor name: weights, biases, statistics, scales, zero points.
  public var initializers: [String: Tensor]
  /// Free text that travels with the file, such as provenance and pre-processing.
  public var metadata: [String: String]
  /// The version of ONNX's default operator set that the nodes are meant in.
  public var opset: Int

  /// A graph of the given parts.
  public init(
    name: String, inputs: [Value] = [], outputs: [Value] = [], nodes: [Node] = [],
    initializers: [String: Tensor] = [:], metadata: [String: String] = [:], opset: Int = 17
  ) {
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    self.nodes = nodes
    self.initializers = initializers
    self.metadata = metadata
    self.opset = opset
  }
}

/// A named tensor that flows through a ``Graph``, with what is known of it beforehand.
public struct Value: Hashable, Sendable {
  /// The tensor's name, unique in the graph.
  public var name: String
  /// What its elements are.
  public var elementType: ElementType
  /// The extents; `nil` where one is free, as the batch usually is.
  public var shape: [Int?]

  /// A value of the given name, type and shape.
  public init(_ name: String, _ elementType: ElementType = .float32, shape: [Int?]) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
  }
}

/// One operation of a ``Graph``.
public struct Node: Hashable, Sendable {
  /// A name for people and messages, unique in the graph.
  public var name: String
  /// Which of ONNX's operators it is.
  public var operation: Operation
  /// The tensors it reads, by name; empty where an optional input is left out.
  public var inputs: [String]
  /// The tensors it writes, by name.
  public var outputs: [String]
  /// The operator's attributes, with ONNX's names and meanings.
  public var attributes: [String: Attribute]

  /// A node of the given parts.
  public init(
    _ name: String, _ operation: Operation, inputs: [String], outputs: [String],
    attributes: [String: Attribute] = [:]
  ) {
    self.name = name
    self.operation = operation
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
  }
}

/// An operator's attribute.
public enum Attribute: Hashable, Sendable {
  case int(Int)
  case float(Float)
  case string(String)
  case tensor(Tensor)
  case ints([Int])
  case floats([Float])
  case strings([String])
}

extension Node {
  /// The integer attribute `key`, or `standard` where it is left out.
  public func int(_ key: String, default standard: Int) -> Int {
    if case .int(let value)? = attributes[key] { value } else { standard }
  }

  /// The floating-point attribute `key`, or `standard` where it is left out.
  public func float(_ key: String, default standard: Float) -> Float {
    if case .float(let value)? = attributes[key] { value } else { standard }
  }

  /// The list-of-integers attribute `key`, or `standard` where it is left out.
  public func ints(_ key: String, default standard: [Int]) -> [Int] {
    if case .ints(let value)? = attributes[key] { value } else { standard }
  }

  /// The text attribute `key`, or `standard` where it is left out.
  public func string(_ key: String, default standard: String) -> String {
    if case .string(let value)? = attributes[key] { value } else { standard }
  }
}
