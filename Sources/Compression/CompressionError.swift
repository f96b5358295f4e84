/// Why a model cannot be compressed as asked: one line that names the node, tensor or setting.
public struct CompressionError: Error, Hashable, CustomStringConvertible {
  /// What is concerned: `node '/fc/Gemm'`, `scheme 'int9'`.
  public var place: String

  /// What was found, and what was expected.
  public var problem: String

  /// A problem at `place`.
  public init(_ place: String, _ problem: String) {
    self.place = place
    self.problem = problem
  }

  /// `place: problem`.
  public var description: String { "\(place): \(problem)" }
}
