public import Faces
public import Graphs
import Foundation

/// What a model file says about itself in its metadata, so that it can be used with nothing else.
public struct ModelDescription: Hashable, Codable, Sendable {
  /// What was done to the images before the network saw them.
  public var preprocessing: Preprocessing
  /// What class 1 means, as in `Attractive`.
  public var target: String
  /// What the groups were made of, as in `Male`; empty if there were none.
  public var protected: [String]
  /// The names of the classes in the order of the logits.
  public var classes: [String]
  /// What the numbers of the output are; nil when they are logits of ``classes``.
  public var outputs: OutputMeaning?
  /// Which output is the positive class; nil for the second of two, or the only one.
  public var positiveClass: Int?
  /// How the weights came about; nil for a model that was trained elsewhere.
  public var provenance: Provenance?

  /// What a model was trained from and how; never a time or a path, so that bytes repeat.
  public struct Provenance: Hashable, Codable, Sendable {
    /// The run's settings, objective, data and starting weights.
    public var run: RunIdentity
    /// The epoch whose weights these are, counted from 1.
    public var epoch: Int
    /// How many epochs were run.
    public var epochsRun: Int
    /// The number of threads, as sums depend on how they are split.
    public var threads: Int
  }

  /// A description of the given parts.
  public init(
    preprocessing: Preprocessing, target: String = "", protected: [String] = [],
    classes: [String] = [], outputs: OutputMeaning? = nil, positiveClass: Int? = nil,
    provenance: Provenance? = nil
  ) {
    self.preprocessing = preprocessing
    self.target = target
    self.protected = protected
    self.classes = classes
    self.outputs = outputs
    self.positiveClass = positiveClass
    self.provenance = provenance
  }

  private static let key = "equant.model"

  /// Whether a graph carries a description.
  public static func isCarried(by graph: Graph) -> Bool { graph.metadata[key] != nil }

  /// Reads the description that a graph carries.
  ///
  /// - Throws: ``TrainingError/wrongModel(_:)`` when there is none or it cannot be understood.
  public init(of graph: Graph) throws {
    guard let text = graph.metadata[Self.key] else {
      throw TrainingError.wrongModel(
        "the model does not say how its images are prepared; give --preprocess torchvision, timm, "
          + "openvino or a JSON file")
    }
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    } catch {
      throw TrainingError.wrongModel(
        "the model's metadata entry '\(Self.key)' cannot be understood")
    }
  }

  /// Puts the description into a graph's metadata.
  public func write(into graph: inout Graph) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    graph.metadata[Self.key] = String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
