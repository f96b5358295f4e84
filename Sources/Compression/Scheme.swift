/// A way to make a model smaller, as written on the command line: `int8`.
///
/// A scheme is a name, or a name and its parameters after colons, such as `kmeans:16`.
public enum Scheme: Hashable, Sendable {
  /// 8-bit weights and activations by calibration.
  case int8

  /// The scheme that `text` describes.
  ///
  /// - Throws: ``CompressionError`` that lists what there is.
  public init(_ text: String) throws(CompressionError) {
    switch text {
    case "int8": self = .int8
    default:
      throw CompressionError("scheme '\(text)'", "is not known; expected int8")
    }
  }
}

extension Scheme: CustomStringConvertible {
  /// The text that ``init(_:)`` reads.
  public var description: String {
    switch self {
    case .int8: "int8"
    }
  }
}
