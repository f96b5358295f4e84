import Graphs
import Tensors

/// The places where a network can be cut in two: one tensor carries everything across.
///
/// What lies behind a cut can be run again and again from the tensor there, without what lies
/// before it.
struct NetworkCuts {
  /// A cut behind node `after` (-1 before the first), crossed by `tensor` alone.
  struct Cut {
    var after: Int
    var tensor: String
  }

  let graph: Graph
  /// The cuts in order; the first is at the input.
  let cuts: [Cut]

  init(_ graph: Graph) {
    self.graph = graph
    var lastRead: [String: Int] = [:]
    for (position, node) in graph.nodes.enumerated() {
      for input in node.inputs { lastRead[input] = position }
    }
    for output in graph.outputs { lastRead[output.name] = graph.nodes.count }
    var live: Set<String> = Set(graph.inputs.map(\.name))
    var cuts = graph.inputs.count == 1 ? [Cut(after: -1, tensor: graph.inputs[0].name)] : []
    for (position, node) in graph.nodes.enumerated() {
      for output in node.outputs where (lastRead[output] ?? -1) > position { live.insert(output) }
      live = live.filter { (lastRead[$0] ?? -1) > position }
      if live.count == 1, position < graph.nodes.count - 1, let tensor = live.first {
        cuts.append(Cut(after: position, tensor: tensor))
      }
    }
    self.cuts = cuts
  }

  /// The last cut before the node at `position`.
  func cut(before position: Int) -> Int {
    cuts.lastIndex { $0.after < position } ?? 0
  }

  /// The part from one cut to another, or to the graph's own outputs.
  func part(
    from start: Int, to end: Int?, shapes: [String: TensorType]
  ) -> Graph {
    func value(_ name: String) -> Value {
      let type = shapes[name] ?? TensorType(shape: [])
      return Value(name, type.elementType, shape: [nil] + type.shape.dropFirst().map(Optional.some))
    }
    var result = graph
    let last = end.map { cuts[$0].after } ?? graph.nodes.count - 1
    result.nodes = Array(graph.nodes[(cuts[start].after + 1)...last])
    result.inputs = [value(cuts[start].tensor)]
    if let end { result.outputs = [value(cuts[end].tensor)] }
    result.removeUnreadInitializers()
    return result
  }
}
