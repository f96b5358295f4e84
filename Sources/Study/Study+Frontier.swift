import Compression
import Fairness
import Graphs
import Training

/// What a frontier of bytes against harm is drawn from.
public struct FrontierSettings: Hashable, Codable, Sendable {
  /// Files are as large as those of so many clusters in every tensor; powers of two.
  public var clusters = [16, 8, 4]
  /// How far gaps may move, for files under limits.
  public var maxDrift = 0.01
  /// How much accuracy may be lost, for files under limits.
  public var maxAccuracyDrop = 0.005
  /// How much accuracy any group may lose, for files under limits.
  public var maxGroupDrop = 0.01
  /// How large gaps may be, for files that are made fair while they are made small.
  public var maxGap = 0.05
  /// The epochs of tuning.
  public var tuningEpochs = 1
  /// The epochs of tuning where gaps are closed too.
  public var closingEpochs = 6
  /// Only so many training rows are tuned on; nil for all.
  public var tuningRows: Int?
  /// The largest number of validation rows that choices are made on.
  public var selectionCount = 5000

  /// The defaults.
  public init() {}

  /// Limits on drift and accuracy, in a file of any length.
  var limits: CompressionLimits {
    var limits = CompressionLimits(bytes: .max)
    limits.maxDrift = [.equalOpportunity: maxDrift, .fprDifference: maxDrift]
    limits.maxAccuracyDrop = maxAccuracyDrop
    limits.maxGroupDrop = maxGroupDrop
    return limits
  }

  /// How weights are tuned.
  var tuning: TuningSettings {
    var tuning = TuningSettings(epochs: tuningEpochs)
    tuning.limit = tuningRows
    return tuning
  }
}

extension Study {
  /// The lines of a frontier: for every size what one would do without limits, and under them.
  func frontierRecipes(_ frontier: FrontierSettings) -> [Recipe] {
    var all = [first("fine-tuned", "Fine-tuned (normal)")]
    for clusters in frontier.clusters {
      all += withoutLimits(clusters, frontier) + underLimits(clusters, frontier)
    }
    var fair = trained("fairalm", "FairALM", from: "fine-tuned") { $0.fairALM = FairALMSettings() }
    fair.series = "FairALM, not compressed"
    fair.closesGaps = true
    all.append(fair)
    for clusters in frontier.clusters {
      all += closed(clusters, frontier).map { recipe in
        var recipe = recipe
        recipe.closesGaps = true
        return recipe
      }
    }
    return all
  }

  private func withoutLimits(_ clusters: Int, _ frontier: FrontierSettings) -> [Recipe] {
    let bits = clusters.trailingZeroBitCount
    let kmeans = "kmeans:\(clusters)"
    var restoring = WeightSettings()
    restoring.restores = .variance
    return [
      scheme("plain-\(clusters)", "\(clusters) clusters", series: "clusters", kmeans),
      thresholded(
        "threshold-\(clusters)", "\(clusters) clusters, one threshold", of: "plain-\(clusters)"),
      scheme(
        "moments-\(clusters)", "\(clusters) clusters, moments restored", series: "moments restored",
        kmeans, weights: restoring),
      scheme(
        "tuned-\(clusters)", "\(clusters) clusters, tuned", series: "tuned", kmeans,
        tuning: frontier.tuning),
    ] + sparse(bits, clusters, frontier) + published(bits, clusters, frontier)
  }

  /// Weights dropped little by little, and 16 clusters for the others, in as many bits a weight: Deep
  /// Compression.
  private func sparse(_ bits: Int, _ clusters: Int, _ frontier: FrontierSettings) -> [Recipe] {
    guard bits >= 2 else { return [] }
    // A weight that stays takes 4 bits, and each a bit that says whether it does.
    let sparsity = 1 - Double(bits - 1) / 4
    var gradual = frontier.tuning
    gradual.isGradual = true
    return [
      scheme(
        "sparse-\(clusters)",
        "\(Int(100 * sparsity)) % dropped, 16 clusters, tuned, as \(bits) bits",
        series: "dropped, then clusters", "prune:\(sparsity)+kmeans:16", tuning: gradual)
    ]
  }

  /// Even grids, and what papers propose, in as many bits a weight.
  ///
  /// What is theirs is tuned as everything else is. None of them has fewer than two bits.
  private func published(_ bits: Int, _ clusters: Int, _ frontier: FrontierSettings) -> [Recipe] {
    guard bits >= 2 else { return [] }
    func weights(_ change: (inout WeightSettings) -> Void) -> WeightSettings {
      var settings = WeightSettings()
      change(&settings)
      return settings
    }
    // A weight that stays takes 16 bits, and each a bit that says whether it does.
    let sparsity = 1 - Double(bits - 1) / 16
    var equal = frontier.tuning
    equal.limits = [.init(.errorRate, tolerance: 0.01)]
    let grids = [
      scheme(
        "uniform-\(clusters)", "\(bits) bits, even grid", series: "even grid", "uniform:\(bits)"),
      scheme(
        "fairgrape-\(clusters)", "FairGRAPE's weights, as \(bits) bits, tuned as in CEAG",
        series: "FairGRAPE, CEAG",
        "prune:\(sparsity)", weights: weights { $0.pruningScore = .fairgrape }, tuning: equal),
    ]
    // Two bits on average leave no tensor another width.
    guard bits > 2 else { return grids }
    return grids + [
      scheme(
        "mixed-\(clusters)", "mixed widths by Fisher, \(bits) bits, tuned",
        series: "mixed, by Fisher",
        "mixed:\(bits)", weights: weights { $0.sensitivity = .fisher }, tuning: frontier.tuning),
      scheme(
        "hessian-\(clusters)", "mixed widths by the Hessian's trace, \(bits) bits, tuned",
        series: "mixed, by the Hessian",
        "mixed:\(bits)", weights: weights { $0.sensitivity = .hessian }, tuning: frontier.tuning),
      scheme(
        "fairquant-\(clusters)", "FairQuant's widths, \(bits) bits, tuned", series: "FairQuant",
        "mixed:\(bits)", weights: weights { $0.sensitivity = .fairquant }, tuning: frontier.tuning),
    ]
  }

  /// Files whose storage is searched for; two clusters everywhere are the least there is to choose.
  private func underLimits(_ clusters: Int, _ frontier: FrontierSettings) -> [Recipe] {
    guard clusters > 2 else { return [] }
    let size = "as small as \(clusters) clusters"
    return [
      constrained(
        "accuracy-\(clusters)", "for accuracy alone, \(size)", series: "mixed, for accuracy",
        clusters
      ) {
        $0.limits.maxDrift = [:]
        $0.limits.maxGroupDrop = nil
      },
      constrained("limits-\(clusters)", "under limits, \(size)", series: "under limits", clusters),
      constrained(
        "limits-tuned-\(clusters)", "under limits, tuned, \(size)", series: "under limits, tuned",
        clusters
      ) { $0.tuning = frontier.tuning },
    ]
  }

  /// The ways to a file that is small and has no gaps: fair first, fair last, and both at once.
  private func closed(_ clusters: Int, _ frontier: FrontierSettings) -> [Recipe] {
    let (kmeans, size) = ("kmeans:\(clusters)", "as small as \(clusters) clusters")
    var repaired = repaired(
      "repaired-\(clusters)", "\(clusters) clusters, tuned, then thresholds of groups",
      of: "tuned-\(clusters)", against: ["fine-tuned"], settings: "equalized odds by thresholds"
    ) { own, _ in try .groupThresholds(own) }
    repaired.series = "tuned, then thresholds of groups"
    var all = [
      scheme(
        "fair-plain-\(clusters)", "FairALM, then \(clusters) clusters",
        series: "fair, then clusters", kmeans, of: "fairalm"),
      scheme(
        "fair-tuned-\(clusters)", "FairALM, then \(clusters) clusters, tuned",
        series: "fair, then clusters, tuned", kmeans, of: "fairalm", tuning: frontier.tuning),
      repaired,
    ]
    guard clusters > 2 else { return all }
    all += [
      constrained(
        "fair-limits-\(clusters)", "FairALM, then under limits, \(size)",
        series: "fair, then under limits",
        clusters, of: "fairalm"),
      constrained(
        "both-\(clusters)", "gaps closed while tuning, \(size)", series: "both at once", clusters
      ) { compression in
        compression.tuning = frontier.tuning
        compression.tuning?.epochs = frontier.closingEpochs
        compression.limits.maxDrift = [:]
        compression.limits.maxAccuracyDrop = nil
        compression.limits.maxGroupDrop = nil
        compression.limits.maxGap = [
          .equalOpportunity: frontier.maxGap, .fprDifference: frontier.maxGap,
        ]
      },
    ]
    return all
  }

  /// A model stored by one scheme.
  private func scheme(
    _ model: String, _ title: String, series: String, _ text: String,
    of base: String = "fine-tuned",
    weights: WeightSettings = WeightSettings(), tuning: TuningSettings? = nil
  ) -> Recipe {
    guard let scheme = try? Scheme(text) else { preconditionFailure("scheme \(text)") }
    struct Settings: Encodable {
      var scheme: String
      var weights: WeightSettings
      var tuning: TuningSettings?
    }
    var recipe = compressed(
      model, title, of: base,
      settings: Settings(scheme: text, weights: weights, tuning: tuning)
    ) { graph, _ in
      try compress(graph, scheme: scheme, images: images, weights: weights, tuning: tuning).graph
    }
    recipe.series = series
    if base != "fine-tuned" { recipe.against = ["fine-tuned"] }
    return recipe
  }

  /// One threshold for everybody, which restores the share of positive decisions.
  private func thresholded(_ model: String, _ title: String, of base: String) -> Recipe {
    var recipe = rethresholded(model, title, of: base)
    recipe.series = "clusters, one threshold"
    return recipe
  }

  /// A model under limits, in no more bytes than so many clusters in every tensor take; the closest
  /// point found where the limits cannot be kept.
  private func constrained(
    _ model: String, _ title: String, series: String, _ clusters: Int,
    of base: String = "fine-tuned",
    change: @escaping (inout ConstrainedCompression) -> Void = { _ in }
  ) -> Recipe {
    let frontier = settings.frontier ?? FrontierSettings()
    guard var compression = try? ConstrainedCompression(limits: frontier.limits) else {
      preconditionFailure("the standard choices")
    }
    compression.selectionCount = frontier.selectionCount
    change(&compression)
    struct Settings: Encodable {
      var clusters: Int
      var limits: CompressionLimits
      var selectionCount: Int
      var tuning: TuningSettings?
    }
    var recipe = compressed(
      model, title, of: base,
      settings: Settings(
        clusters: clusters, limits: compression.limits,
        selectionCount: compression.selectionCount, tuning: compression.tuning)
    ) { [compression] graph, seed in
      let plain = try compress(graph, scheme: Scheme("kmeans:\(clusters)"))
      var compression = compression
      compression.limits.bytes = plain.report.bytes
      compression.cache = book.path("seed-\(seed)/\(base).deltas")
      return try compression.run(graph, base: plain.report.base, on: images).closest
    }
    recipe.series = series
    recipe.isUnderLimits = true
    if base != "fine-tuned" { recipe.against = ["fine-tuned"] }
    return recipe
  }

  private var images: CompressionImages {
    CompressionImages(dataset, preprocessing: settings.training.preprocessing)
  }
}
