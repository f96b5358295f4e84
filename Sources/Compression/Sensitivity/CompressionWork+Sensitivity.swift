import Graphs
import Tensors

extension CompressionWork {
  /// The weights that steps are to store, clustered as the settings' sensitivity says.
  ///
  /// Gradients are of the float model on the images that calibration would look at.
  ///
  /// - Throws: ``CompressionError`` without images, or without rows of some group where groups count
  ///   each by themselves, and what reading images and running graphs throws.
  func clusteredBySensitivity(_ clustering: Clustering) throws -> [String: CodedWeights] {
    let names = weightNames
    let fisher = try fisherInformation(
      of: names, for: "sensitivity", everyGroup: weights.sensitivity != .fisher)
    let tensors = names.compactMap { name in graph.initializers[name].map { (name, $0) } }
    let sensitive = SensitiveClustering(
      clustering: clustering, fisher: fisher, tensors: Dictionary(uniqueKeysWithValues: tensors),
      kept: kept)
    switch weights.sensitivity {
    case .minimax: return sensitive.minimax().coded
    case .balanced: return sensitive.code(fisher.equalShares).coded
    case .none, .fisher, .fairquant, .hessian: return sensitive.code(fisher.pooledShares).coded
    }
  }

  /// The squared gradients of the float model's loss on the images that calibration would look at.
  ///
  /// - Throws: ``CompressionError`` that names `purpose` without images, or where `everyGroup` needs
  ///   rows and one has none, and what reading images and running graphs throws.
  func fisherInformation(
    of names: [String], for purpose: String, everyGroup: Bool
  ) throws -> FisherInformation {
    let (images, rows) = try sensitivityRows(for: purpose)
    let fisher = try FisherInformation.measure(float, weights: names, on: images, rows: rows)
    if everyGroup {
      for (group, count) in zip(fisher.groups, fisher.counts) where count == 0 {
        throw CompressionError(
          purpose,
          "none of \(rows.count) images is of group '\(group)'; give --balanced or a larger "
            + "--calibration-count")
      }
    }
    return fisher
  }

  /// How curved the float model's loss is in each tensor, on the images that calibration would look at.
  ///
  /// - Throws: ``CompressionError`` without images, and what reading images and running graphs throws.
  func hessianTraces(of names: [String]) throws -> HessianTraces {
    let (images, rows) = try sensitivityRows(for: "sensitivity")
    return try HessianTraces.measure(float, weights: names, on: images, rows: rows)
  }

  private func sensitivityRows(for purpose: String) throws -> (CompressionImages, [Int]) {
    guard let images else { throw CompressionError(purpose, "needs images: give --data") }
    return (images, try int8.calibration.rows(of: images.dataset))
  }
}
