/// Where one parameter lies in the flat storage of a ``TrainingSession``.
public struct Slot: Hashable, Sendable {
  /// The initializer's name in the graph.
  public let name: String
  /// The parameter's shape in the graph.
  public let shape: [Int]
  /// Its elements in the flat storage, in the order its kernels prefer, with padding that is zero.
  public let range: Range<Int>
  /// Whether it is a matrix or a kernel, as opposed to a bias or a norm's scale or shift.
  public let decays: Bool
}

/// One of the arrays that a ``TrainingSession`` keeps for each parameter.
public enum ParameterArray: Hashable, Sendable, CaseIterable {
  /// What is trained.
  case values
  /// The gradients of the last backward pass.
  case gradients
  /// The momenta of the descent.
  case momenta
}
