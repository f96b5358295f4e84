public import Graphs
import Tensors

/// A rewrite of a ``Graph``: folding batch norms, inserting quantizers, clustering weights.
///
/// Passes are pure. Whatever a pass learned from data is a stored property, set before
/// ``rewrite(_:)`` runs, so that applying it twice to equal graphs gives equal graphs.
public protocol GraphPass: Sendable {
  /// Returns the rewritten graph, leaving `graph` as it was.
  ///
  /// - Throws: ``CompressionError`` when the graph cannot be rewritten as asked.
  func rewrite(_ graph: Graph) throws(CompressionError) -> Graph
}

/// Who writes and who reads every tensor of a graph.
struct GraphIndex {
  /// The position of the node that writes a tensor.
  private(set) var writer: [String: Int] = [:]
  /// The positions of the nodes that read a tensor, each once for every time it does.
  private(set) var readers: [String: [Int]] = [:]
  /// The tensors that the graph gives to its caller.
  let outputs: Set<String>

  init(_ graph: Graph) {
    for (position, node) in graph.nodes.enumerated() {
      for output in node.outputs { writer[output] = position }
      for input in node.inputs where !input.isEmpty { readers[input, default: []].append(position) }
    }
    outputs = Set(graph.outputs.map(\.name))
  }

  /// The position of the one node that reads `tensor`, if nobody else sees it.
  func onlyReader(of tensor: String) -> Int? {
    guard let found = readers[tensor], found.count == 1, !outputs.contains(tensor) else {
      return nil
    }
    return found[0]
  }
}

extension Graph {
  /// `wanted`, or `wanted` with a number behind it where a tensor of that name exists.
  func freeName(_ wanted: String) -> String {
    var taken = Set(initializers.keys)
    taken.formUnion(inputs.map(\.name))
    for node in nodes { taken.formUnion(node.outputs) }
    if !taken.contains(wanted) { return wanted }
    for number in 2... where !taken.contains("\(wanted)_\(number)") { return "\(wanted)_\(number)" }
    preconditionFailure("numbers do not end")
  }

  /// Drops the constants that no node reads and the caller is not given.
  mutating func removeUnreadInitializers() {
    var read = Set(outputs.map(\.name))
    for node in nodes { read.formUnion(node.inputs) }
    initializers = initializers.filter { read.contains($0.key) }
  }

  /// The part of the graph that `tensors` depend on, giving `tensors` as its outputs.
  ///
  /// Shapes of the new outputs are left to whoever infers them.
  func ending(at tensors: [Value]) -> Graph {
    let index = GraphIndex(self)
    var needed: Set<Int> = []
    var pending = tensors.compactMap { index.writer[$0.name] }
    while let position = pending.popLast() {
      guard needed.insert(position).inserted else { continue }
      pending += nodes[position].inputs.compactMap { index.writer[$0] }
    }
    var result = self
    result.nodes = nodes.indices.filter(needed.contains).map { nodes[$0] }
    result.outputs = tensors
    result.removeUnreadInitializers()
    return result
  }
}
