public import Graphs

/// Why a graph cannot be run: one line that names the node or tensor, what was found and expected.
public struct ExecutionError: Error, Hashable, CustomStringConvertible {
  /// The node or tensor concerned: `node '/conv1/Conv' (Conv)`.
  public var place: String

  /// What was found, and what was expected.
  public var problem: String

  /// A problem at `place`.
  public init(_ place: String, _ problem: String) {
    self.place = place
    self.problem = problem
  }

  /// A problem of one node.
  public init(_ node: Node, _ problem: String) {
    self.init("node '\(node.name)' (\(node.operation.rawValue))", problem)
  }

  /// `place: problem`.
  public var description: String { "\(place): \(problem)" }
}
