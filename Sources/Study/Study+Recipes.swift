import Compression
import Fairness
import Training

extension Study {
  /// The lines of the tables that a study can make, each after the ones it is made from.
  var recipes: [Recipe] { settings.frontier.map(frontierRecipes) ?? posterRecipes }

  private var posterRecipes: [Recipe] {
    [
      first("fine-tuned", "Fine-tuned (normal)"),
      quantized("int8", "Quantized", of: "fine-tuned"),
      trained("fairalm", "FairALM, before quantization", from: "fine-tuned") {
        $0.fairALM = FairALMSettings()
      },
      quantized("fairalm-int8", "FairALM, quantized", of: "fairalm"),
      calibratedOdds("calibrated-eo", "Calibrated EO, before quantization", of: "fine-tuned"),
      calibratedOdds(
        "calibrated-eo-int8", "Calibrated EO, quantized", of: "int8", against: ["calibrated-eo"]),
      clustered("kmeans-16", "k-means, 16 clusters", of: "fine-tuned", clusters: 16),
      clustered("kmeans-8", "k-means, 8 clusters", of: "fine-tuned", clusters: 8),
      clustered("fairalm-kmeans-16", "FairALM, k-means, 16 clusters", of: "fairalm", clusters: 16),
      clustered("fairalm-kmeans-8", "FairALM, k-means, 8 clusters", of: "fairalm", clusters: 8),
      trained("balanced", "Balanced sampling", from: "fine-tuned") { $0.balance = .sampling },
      quantized("balanced-int8", "Balanced sampling, quantized", of: "balanced"),
      rethresholded("rethreshold-int8", "Quantized, re-thresholded", of: "int8"),
      rethresholded(
        "rethreshold-kmeans-16", "k-means, 16 clusters, re-thresholded", of: "kmeans-16"),
      rethresholded(
        "rethreshold-kmeans-8", "k-means, 8 clusters, re-thresholded", of: "kmeans-8"),
    ]
  }

  /// The int8 twin of a model, calibrated on training images.
  private func quantized(_ model: String, _ title: String, of base: String) -> Recipe {
    // Weights of layers whose batch norms stay apart are not those of the folded network.
    let stores = settings.quantization.keepsBatchNorms ? nil : Scheme.int8
    return compressed(
      model, title, of: base, stores: stores, settings: settings.quantization
    ) { graph, _ in
      try quantizeInt8(
        graph, on: dataset, preprocessing: settings.training.preprocessing,
        settings: settings.quantization
      ).graph
    }
  }

  /// A model whose weights share a few values, the best ones for each tensor; nothing is trained
  /// after it.
  private func clustered(
    _ model: String, _ title: String, of base: String, clusters: Int
  ) -> Recipe {
    guard let scheme = try? Scheme("kmeans:\(clusters)") else {
      preconditionFailure("\(clusters) clusters")
    }
    return compressed(model, title, of: base, stores: scheme, settings: "\(scheme)") { graph, _ in
      try compress(graph, scheme: scheme).graph
    }
  }

  /// Calibrated equalized odds on a model's predictions, as in the poster.
  private func calibratedOdds(
    _ model: String, _ title: String, of base: String, against: [String] = []
  ) -> Recipe {
    let options = CalibratedEqualizedOddsOptions()
    return repaired(model, title, of: base, against: against, settings: "\(options)") { own, _ in
      try .calibratedEqualizedOdds(own, options: options)
    }
  }

  /// The threshold moved until as many are called positive as by the first model: what is left of
  /// a compression's harm when its shift of all scores is taken back.
  func rethresholded(_ model: String, _ title: String, of base: String) -> Recipe {
    repaired(model, title, of: base, against: ["fine-tuned"], settings: "selection-rate") {
      own, first in
      let calledPositive = Tally(first).overall.rate(.selectionRate).value ?? 0
      return try .groupBlind(own, options: GroupBlindOptions(target: calledPositive))
    }
  }
}
