public import Graphs
public import Tensors

/// Where the bytes of a model file go; the parts add up to the length of the file.
public struct SizeAccounting: Hashable, Codable, Sendable {
  /// What a constant is for.
  public enum Role: String, CaseIterable, Hashable, Codable, Sendable {
    case weights, codebooks, biases, scales, zeroPoints, batchNorms, unpacking, other
  }

  /// The bytes of one constant.
  public struct Entry: Hashable, Codable, Sendable {
    /// The constant's name.
    public var tensor: String
    /// What it is for.
    public var role: Role
    /// What its elements are.
    public var elementType: ElementType
    /// The number of its elements.
    public var count: Int
    /// The bytes of its elements.
    public var bytes: Int
  }

  /// The constants, the largest first and then by name.
  public var entries: [Entry]
  /// Everything that is not an element of a constant: operators, names, shapes, metadata.
  public var overhead: Int
  /// The length of the file.
  public var total: Int

  /// Accounts for the constants of `graph` in a file of `total` bytes.
  public init(of graph: Graph, fileBytes total: Int) {
    let roles = Self.roles(in: graph)
    entries = graph.initializers.map { name, tensor in
      Entry(
        tensor: name, role: roles[name] ?? .other, elementType: tensor.elementType,
        count: tensor.count, bytes: tensor.bytes.count)
    }
    entries.sort { ($1.bytes, $0.tensor) < ($0.bytes, $1.tensor) }
    overhead = total - entries.reduce(0) { $0 + $1.bytes }
    self.total = total
  }

  /// The bytes of all constants of one role.
  public func bytes(of role: Role) -> Int {
    entries.reduce(0) { $0 + ($1.role == role ? $1.bytes : 0) }
  }

  private static func roles(in graph: Graph) -> [String: Role] {
    var roles: [String: Role] = [:]
    // Integers are what the tensor made of them is: found first, as readers come later.
    var sources: [String: String] = [:]
    func assign(_ role: Role, _ node: Node, _ input: Int) {
      guard node.inputs.count > input else { return }
      let name = node.inputs[input]
      roles[sources[name] ?? name] = role
    }
    for node in graph.nodes {
      switch node.operation {
      case .dequantizeLinear, .quantizeLinear:
        assign(.scales, node, 1)
        assign(.zeroPoints, node, 2)
        if let integers = node.inputs.first, let real = node.outputs.first {
          sources[real] = integers
          // Codes of whole bytes are read directly.
          if integers.hasSuffix(".codes") { roles[integers] = .weights }
        }
      case .convolution, .gemm:
        assign(.weights, node, 1)
        assign(.biases, node, 2)
      case .batchNormalization:
        for input in 1..<max(1, node.inputs.count) { assign(.batchNorms, node, input) }
      case .multiply, .reshape, .slice, .bitwiseAnd, .cumulativeSum, .gather, .gatherElements,
        .bitShift, .add, .cast:
        for name in node.inputs where roles[name] == nil { roles[name] = packedRole(of: name) }
      default: break
      }
    }
    return roles
  }

  /// What a constant that weights are unpacked from is for, by the names that packing gives.
  private static func packedRole(of name: String) -> Role? {
    if name.hasPrefix("unpack.") { return .unpacking }
    switch name.split(separator: ".").last {
    case "codebook": return .codebooks
    case "codes", "codes1", "codes2", "codes4", "kept1", "values": return .weights
    case "scale": return .scales
    default: return nil
    }
  }
}
