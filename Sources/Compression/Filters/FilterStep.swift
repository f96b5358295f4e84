import Graphs
import Tensors

/// `filters:S`: the share S of the channels, those that matter least, is removed with its filters.
public struct FilterStep: CompressionStep {
  /// The word on the command line.
  public static let name = "filters"
  /// The word with its parameter.
  public static let usage = "filters:S (S from 0 to below 1, the share of channels that is removed)"
  /// When it is done.
  public static let order = 0
  /// Whether the step looks at images; with Taylor scores it does all the same.
  public var needsImages: Bool { false }
  /// The text on the command line.
  public var description: String { "\(Self.name):\(share)" }
  /// The share that is removed.
  public var share: Double

  /// Reads the parameter.
  public init(_ parameter: String?) throws(CompressionError) {
    guard let parameter, let share = Double(parameter), share >= 0, share < 1 else {
      throw CompressionError(
        Self.name, "filters removes '\(parameter ?? "")', expected a share from 0 to below 1")
    }
    self.share = share
  }

  /// Does it.
  public func apply(to work: inout CompressionWork) throws {
    guard work.weights.pruningScope != .twoOfFour else {
      throw CompressionError("scheme", "filters are compared globally or by layer, not two of four")
    }
    let sets = try ChannelSet.sets(of: work.graph)
    guard !sets.isEmpty else {
      throw CompressionError("the model", "has no channels that could be removed")
    }
    let scores: [[Double]]
    switch work.weights.filterScore {
    case .norm: scores = FilterPruning.norms(of: sets, in: work.graph)
    case .taylor:
      guard let images = work.images else {
        throw CompressionError("filters", "Taylor scores need images: give --data")
      }
      scores = try FilterPruning.taylor(
        of: sets, in: work.graph, on: images,
        rows: work.int8.calibration.rows(of: images.dataset))
    }
    let kept = FilterPruning(share: share, isGlobal: work.weights.pruningScope != .layer)
      .kept(scores)
    work.removeChannels(ChannelRemoval(kept: Array(zip(sets, kept))))
  }
}

extension CompressionWork {
  /// Removes channels from the model and from what it is compared with, weight by weight.
  mutating func removeChannels(_ removal: ChannelRemoval) {
    for (set, channels) in removal.kept {
      for position in set.producers { keptOutputs[graph.nodes[position].outputs[0]] = channels }
    }
    graph = removal.rewrite(graph)
    float = removal.rewrite(float)
  }
}
