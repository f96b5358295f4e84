public import Faces
public import Graphs
import Tensors

/// How weights are stored.
public struct WeightSettings: Hashable, Codable, Sendable {
  /// How many output channels share a codebook; `nil` gives a tensor one.
  public var groupSize: Int?
  /// Whether every output channel of clustered weights has a scale.
  public var hasChannelScales = false
  /// What the values of codebooks are stored as.
  public var codebook = ClusteringSettings.Codebook.float16
  /// Whether even grids have zero points.
  public var isAffine = false
  /// How weights, or filters, are compared when the smallest are dropped.
  public var pruningScope = MagnitudePruning.Scope.adaptive
  /// How much a weight matters when some are dropped.
  public var pruningScore = PruningScore.magnitude
  /// How much a filter matters.
  public var filterScore = FilterScore.norm
  /// Which of the values that are stored a weight takes.
  public var rounding = Rounding.nearest
  /// How much the error of each weight counts when clusters are chosen.
  public var sensitivity = Sensitivity.none
  /// Whether neighbouring layers are made to use their ranges alike beforehand; see
  /// ``CrossLayerEqualization``.
  public var equalizes = false
  /// What is put back to where it was, on training images, once weights have changed.
  public var restores = Moments.none

  /// How weights are rounded to what can be stored.
  public enum Rounding: String, Hashable, Codable, Sendable, CaseIterable {
    /// Each to the nearest.
    case nearest
    /// One after the other, each making up for those before it on training images; see
    /// `ErrorFeedback`.
    case gptq
    /// Up or down on an even grid, as is learned from training images; see `AdaRound`.
    case adaround
    /// Up or down, all weights of a block together; see `BlockReconstruction`.
    case brecq
    /// The same, where what it does to the groups' rates counts too.
    case fairbrecq

    /// Whether weights go up or down on an even grid.
    var isUpOrDown: Bool { self != .nearest && self != .gptq }
  }

  /// How much a weight matters.
  public enum PruningScore: String, Hashable, Codable, Sendable, CaseIterable {
    /// By how large it is.
    case magnitude
    /// By what the loss on training images would change without it, to second order: half its
    /// square times the mean square of its gradient.
    case fisher
    /// By the same for every group, so that in each layer every group keeps its share; see
    /// `GroupShares`.
    case fairgrape
  }

  /// How much a filter matters.
  public enum FilterScore: String, Hashable, Codable, Sendable, CaseIterable {
    /// By how large its weights are.
    case norm
    /// By what the loss on training images would change without it, to first order.
    case taylor
  }

  /// How much the error of each weight counts.
  public enum Sensitivity: String, Hashable, Codable, Sendable, CaseIterable {
    /// All alike.
    case none
    /// By the square of its gradient over training images.
    case fisher
    /// The same of every group by itself, and all groups alike.
    case balanced
    /// The same, with groups counting so that the largest error of a group is smallest.
    case minimax
    /// Tensors ranked by the group that depends on them most; see `GroupImportance`.
    case fairquant
    /// All weights of a tensor alike, by how curved the loss is in it; see `HessianTraces`.
    case hessian

    /// Whether it says something of whole tensors only, for widths to be chosen by.
    var isOfTensors: Bool { self == .fairquant || self == .hessian }
  }

  /// Whether training images are looked at to store weights.
  public var looksAtImages: Bool {
    restores != .none || rounding != .nearest || sensitivity != .none || filterScore != .norm
      || pruningScore != .magnitude
  }

  /// What is restored of every layer's output.
  public enum Moments: String, Hashable, Codable, Sendable, CaseIterable {
    /// Nothing.
    case none
    /// The mean of every channel, by its bias.
    case mean
    /// Mean and variance, by bias and scale: what batch norms do when their statistics are
    /// estimated anew.
    case variance
  }

  /// The defaults.
  public init() {}
}

/// The images that a compression may look at.
public struct CompressionImages: Sendable {
  /// Where they are.
  public var dataset: FaceDataset
  /// How they are prepared, as in training.
  public var preprocessing: Preprocessing
  /// Rows on which tuning measures gaps that have limits, and nothing is fitted to; `nil` keeps a share
  /// of the training rows for it.
  public var watched: [Int]?

  /// Images of `dataset`.
  public init(_ dataset: FaceDataset, preprocessing: Preprocessing) {
    self.dataset = dataset
    self.preprocessing = preprocessing
  }
}

/// A model on its way to being smaller.
public struct CompressionWork {
  /// The float model with folded batch norms, its weights as the file will give them.
  public var graph: Graph
  /// The same before weights were changed; without the channels that were removed.
  public internal(set) var float: Graph
  /// The same before anything was changed: what the compressed model should answer like.
  let teacher: Graph
  /// The output channels that stayed of layers that lost some, by the tensor that they write.
  var keptOutputs: [String: [Int]] = [:]
  /// Weights that are stored as codes, by name.
  public var coded: [String: CodedWeights] = [:]
  /// Which of them are written as int8 with scales, and not as packed codes.
  var integers: Set<String> = []
  /// Which weights stay, where some are dropped.
  public var kept: [String: [Bool]] = [:]
  /// How they were chosen.
  var pruning: MagnitudePruning?
  /// How those that stay take few values, where they do.
  var clustering: Clustering?
  /// Whether activations become int8 in the end.
  public var quantizesActivations = false
  /// How, once that is known.
  var activations: QuantizedActivations?
  /// How weights are stored.
  public var weights: WeightSettings
  /// How activations are quantized, and which images are looked at.
  public var int8: Int8Settings
  /// How what is stored is fitted to the float model's answers; `nil` leaves it as it is.
  public var tuning: TuningSettings?
  /// The images that steps may look at.
  var images: CompressionImages?
  /// What fitting did.
  var tuned: TuningRecord?
  /// The weights that steps are to store; `nil` for all.
  var selected: Set<String>?

  /// The names of the weights of convolutions and products, in the order of the graph, each once.
  public var weightNames: [String] {
    var seen: Set<String> = []
    return BiasCorrection.layers(of: graph).map { graph.nodes[$0].inputs[1] }
      .filter { seen.insert($0).inserted && selected?.contains($0) ?? true }
  }

  /// Starts on `graph`.
  ///
  /// - Throws: ``CompressionError`` when its weights are not what can be stored as codes.
  public init(
    _ graph: Graph, weights: WeightSettings = WeightSettings(), int8: Int8Settings = Int8Settings()
  ) throws {
    try graph.validate()
    let known = graph.nodes.allSatisfy {
      $0.operation != .quantizeLinear && $0.operation != .dequantizeLinear
        && $0.operation != .bitShift && $0.operation != .gather
    }
    guard known else { throw CompressionError("the model", "is compressed already") }
    let folded = try BatchNormFolding().rewrite(graph)
    float = weights.equalizes ? CrossLayerEqualization().rewrite(folded) : folded
    self.graph = float
    teacher = float
    self.weights = weights
    self.int8 = int8
    for layer in BiasCorrection.layers(of: float) {
      let node = float.nodes[layer]
      let tensor = float.initializers[node.inputs[1]]
      guard tensor?.elementType == .float32, (tensor?.shape.count ?? 0) >= 2 else {
        throw CompressionError(
          "node '\(node.name)'", "its weights are not float32 of two or more axes")
      }
      guard tensor.map({ allFinite($0.floats) }) ?? true else {
        throw CompressionError("tensor '\(node.inputs[1])'", "holds numbers that are not finite")
      }
      if node.operation == .gemm && node.int("transB", default: 0) == 0 {
        throw CompressionError(
          "node '\(node.name)'", "its weights are stored inputs first; expected transB = 1")
      }
    }
  }

  /// Stores weights as codes from now on.
  public mutating func store(_ weights: CodedWeights, as name: String) {
    coded[name] = weights
    graph.initializers[name] = weights.decoded
  }

  /// The graph as it is written: codes packed, and activations quantized where their ranges are known.
  ///
  /// - Throws: ``CompressionError`` when weights and activations do not go together.
  func finished() throws -> Graph {
    var result = graph
    if let activations {
      var quantization = Int8Quantization(
        sites: activations.sites, activations: activations.parameters, weightGrid: int8.weightGrid)
      quantization.codedWeights = Set(coded.keys).subtracting(integers)
      quantization.codedScales = coded.compactMapValues(\.wholeScales)
      for name in integers {
        if let weights = coded[name] { quantization.knownWeights[name] = .init(weights) }
      }
      result = try quantization.rewrite(result)
    }
    return try WeightPacking(coded: coded.filter { !integers.contains($0.key) }).rewrite(result)
  }

  /// Makes sure that all weights go with int8 activations.
  ///
  /// - Throws: ``CompressionError`` where one does not.
  func checkWeightsAreWhole() throws(CompressionError) {
    guard quantizesActivations else { return }
    for (name, weights) in coded where !weights.isWhole {
      throw CompressionError(
        "tensor '\(name)'",
        "int8 activations need weights that are whole numbers: clusters with --codebook int8, or "
          + "uniform weights, and none dropped")
    }
  }

  /// Takes the weights that nothing else stores as int8 from now on.
  mutating func storeIntegers() {
    for name in weightNames where coded[name] == nil {
      guard let tensor = graph.initializers[name] else { continue }
      store(ChannelQuantization.symmetric(tensor, grid: int8.weightGrid).coded, as: name)
      integers.insert(name)
    }
  }
}
