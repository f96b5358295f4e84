/// A way to make a model smaller, as written on the command line: steps joined by `+`, such as
/// `kmeans:16+int8`, each a name and perhaps a parameter after a colon.
public struct Scheme: Sendable, CustomStringConvertible {
  /// Every step there is; to add one, add its type here.
  public static let known: [any CompressionStep.Type] = [
    Int8Step.self, KMeansStep.self, UniformStep.self, PruneStep.self, FilterStep.self,
    MixedStep.self,
  ]

  /// What is done, in this order.
  public var steps: [any CompressionStep]

  /// 8-bit weights and activations by calibration.
  public static var int8: Scheme { Scheme(steps: [Int8Step()]) }

  /// A scheme of the given steps.
  public init(steps: [any CompressionStep]) { self.steps = steps }

  /// The scheme that `text` describes.
  ///
  /// - Throws: ``CompressionError`` that says what is wrong, or lists what there is.
  public init(_ text: String) throws {
    var steps: [any CompressionStep] = []
    for part in text.split(separator: "+", omittingEmptySubsequences: false) {
      steps.append(try Self.step(String(part), of: text))
    }
    let names = steps.map { type(of: $0).name }
    guard Set(names).count == names.count else {
      throw CompressionError("scheme '\(text)'", "has the same step twice")
    }
    steps.sort { type(of: $0).order < type(of: $1).order }
    guard names.count(where: [KMeansStep.name, UniformStep.name, MixedStep.name].contains) < 2
    else {
      throw CompressionError("scheme '\(text)'", "stores weights in two ways; choose one")
    }
    self.steps = steps
  }

  /// The step that one part of the scheme `text` describes.
  private static func step(
    _ part: String, of text: String
  ) throws -> any CompressionStep {
    let pieces = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      .map(String.init)
    guard let type = known.first(where: { $0.name == pieces[0] }) else {
      let names = known.map { $0.usage }.joined(separator: ", ")
      throw CompressionError("scheme '\(text)'", "'\(part)' is not known; expected \(names)")
    }
    return try make(type, pieces.count > 1 ? pieces[1] : nil, text)
  }

  private static func make<Step: CompressionStep>(
    _ type: Step.Type, _ parameter: String?, _ text: String
  ) throws -> any CompressionStep {
    do {
      return try Step(parameter)
    } catch let error as CompressionError {
      throw CompressionError("scheme '\(text)'", error.problem)
    }
  }

  /// The text that ``init(_:)`` reads.
  public var description: String { steps.map(\.description).joined(separator: "+") }

  /// Whether images are needed.
  public var needsImages: Bool { steps.contains { $0.needsImages } }
}

/// One step of a ``Scheme``: a small piece with its own parameter that changes the work at hand.
public protocol CompressionStep: Sendable, CustomStringConvertible {
  /// The word on the command line.
  static var name: String { get }
  /// The word with its parameter, and what the parameter may be: `kmeans:K (K from 2 to 256)`.
  static var usage: String { get }
  /// Steps with a lower number are done first.
  static var order: Int { get }
  /// Whether the step looks at images.
  var needsImages: Bool { get }

  /// The step with the parameter behind the colon, if there was one.
  ///
  /// - Throws: ``CompressionError`` that says what was expected.
  init(_ parameter: String?) throws

  /// Does it.
  func apply(to work: inout CompressionWork) throws
}
