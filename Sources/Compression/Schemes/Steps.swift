import Graphs
import Tensors

/// `int8`: activations, and weights that nothing else stores, as 8-bit integers by calibration.
public struct Int8Step: CompressionStep {
  /// The word on the command line.
  public static let name = "int8"
  /// The word with its parameter.
  public static let usage = "int8"
  /// When it is done.
  public static let order = 3
  /// Whether the step looks at images.
  public var needsImages: Bool { true }
  /// The text on the command line.
  public var description: String { Self.name }

  /// The step.
  public init() {}

  /// Reads the parameter.
  public init(_ parameter: String?) throws(CompressionError) {
    guard parameter == nil else { throw CompressionError(Self.name, "int8 has no parameter") }
  }

  /// Does it.
  public func apply(to work: inout CompressionWork) { work.quantizesActivations = true }
}

/// `kmeans:K`: the weights of a tensor, or of a group of its channels, take K values.
public struct KMeansStep: CompressionStep {
  /// The word on the command line.
  public static let name = "kmeans"
  /// The word with its parameter.
  public static let usage = "kmeans:K (K from 2 to 256)"
  /// When it is done.
  public static let order = 2
  /// Whether the step looks at images.
  public var needsImages: Bool { false }
  /// The text on the command line.
  public var description: String { "\(Self.name):\(clusters)" }
  /// How many values.
  public var clusters: Int

  /// Reads the parameter.
  public init(_ parameter: String?) throws(CompressionError) {
    guard let parameter, let clusters = Int(parameter), 2...256 ~= clusters else {
      throw CompressionError(
        Self.name, "kmeans has '\(parameter ?? "")' clusters, expected a number from 2 to 256")
    }
    self.clusters = clusters
  }

  /// Does it.
  public func apply(to work: inout CompressionWork) throws {
    let clustering = Clustering(
      ClusteringSettings(
        clusters: clusters, groupSize: work.weights.groupSize,
        hasChannelScales: work.weights.hasChannelScales, codebook: work.weights.codebook))
    work.clustering = clustering
    let (graph, kept) = (work.graph, work.kept)
    let names = work.weightNames
    guard work.weights.sensitivity == .none else {
      let found = try work.clusteredBySensitivity(clustering)
      for name in names { if let weights = found[name] { work.store(weights, as: name) } }
      return
    }
    // Tensors side by side; a tensor with groups has work for all threads by itself.
    let sizes = names.map { graph.initializers[$0]?.count ?? 0 }
    let coded = Clustering.inParallel(sizes) { i in
      graph.initializers[names[i]].map { clustering.code($0, kept: kept[names[i]]) }
    }
    for (name, weights) in zip(names, coded) {
      if let weights { work.store(weights, as: name) }
    }
  }
}

/// `uniform:B`: weights on an even grid of B bits, one scale for each output channel.
public struct UniformStep: CompressionStep {
  /// The word on the command line.
  public static let name = "uniform"
  /// The word with its parameter.
  public static let usage = "uniform:B (B from 2 to 8)"
  /// When it is done.
  public static let order = 2
  /// Whether the step looks at images.
  public var needsImages: Bool { false }
  /// The text on the command line.
  public var description: String { "\(Self.name):\(bits)" }
  /// The width of a weight.
  public var bits: Int

  /// Reads the parameter.
  public init(_ parameter: String?) throws(CompressionError) {
    guard let parameter, let bits = Int(parameter), 2...8 ~= bits else {
      throw CompressionError(
        Self.name, "uniform has '\(parameter ?? "")' bits, expected a number from 2 to 8")
    }
    self.bits = bits
  }

  /// Does it.
  public func apply(to work: inout CompressionWork) throws {
    guard work.kept.isEmpty else {
      throw CompressionError("scheme", "prune goes with kmeans or stands alone, not with uniform")
    }
    let quantization = UniformQuantization(bits: bits, isAffine: work.weights.isAffine)
    for name in work.weightNames {
      guard let tensor = work.graph.initializers[name] else { continue }
      work.store(quantization.code(tensor), as: name)
    }
  }
}

/// `prune:S`: the share S of weights, the smallest, becomes zero and is not stored.
public struct PruneStep: CompressionStep {
  /// The word on the command line.
  public static let name = "prune"
  /// The word with its parameter.
  public static let usage = "prune:S (S from 0 to below 1, the share that is dropped)"
  /// When it is done.
  public static let order = 1
  /// Whether the step looks at images.
  public var needsImages: Bool { false }
  /// The text on the command line.
  public var description: String { "\(Self.name):\(sparsity)" }
  /// The share that is dropped.
  public var sparsity: Double

  /// Reads the parameter.
  public init(_ parameter: String?) throws(CompressionError) {
    guard let parameter, let sparsity = Double(parameter), sparsity >= 0, sparsity < 1 else {
      throw CompressionError(
        Self.name, "prune drops '\(parameter ?? "")', expected a share from 0 to below 1")
    }
    self.sparsity = sparsity
  }

  /// Does it.
  public func apply(to work: inout CompressionWork) throws {
    let pruning = MagnitudePruning(sparsity: sparsity, scope: work.weights.pruningScope)
    work.pruning = pruning
    let names = work.weightNames
    let tensors = names.compactMap { work.graph.initializers[$0] }
    for ((name, tensor), kept) in zip(zip(names, tensors), try work.kept(names, by: pruning)) {
      work.kept[name] = kept
      let values = tensor.floats
      let stored = values.indices.filter { kept[$0] }.map { values[$0] }
      work.store(
        CodedWeights(
          shape: tensor.shape, bits: 8, codes: [],
          meaning: .halves(Tensor(halves: stored, shape: [stored.count])), kept: kept),
        as: name)
    }
  }
}
