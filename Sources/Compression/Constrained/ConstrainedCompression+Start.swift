import Faces
import Graphs
import Tensors
import Training

extension ConstrainedCompression {
  /// What is known before anything is chosen.
  struct Start {
    let work: CompressionWork
    let parts: ValidationParts
    let passes: RealPasses
    let stored: Stored
    let tableWasCached: Bool
    /// The bytes of the file besides the choices: biases, structure, metadata.
    let overhead: Int
    /// How many times as many rows decide as choose.
    let more: Double
  }

  /// Checks that model and data go together, and measures the choices or reads their table.
  func prepare(
    _ graph: Graph, base: CompressionReport.ModelFile, on images: CompressionImages,
    _ report: (Event) -> Void
  ) throws -> Start {
    let dataset = images.dataset
    try Self.check(graph, dataset)
    guard (limits.maxGap ?? [:]).isEmpty || tuning != nil else {
      throw CompressionError(
        "limits", "on the size of a gap need tuning, which is what closes it: give --tune")
    }
    let areWhole = choices.allSatisfy { choice in
      choice is UniformStep || choice is KMeansStep && weights.codebook == .int8
    }
    guard int8 == nil || areWhole else {
      throw CompressionError(
        "int8 activations",
        "need weights that are whole numbers: clusters with --codebook int8, or uniform weights")
    }
    var work = try CompressionWork(graph, weights: weights, int8: int8 ?? Int8Settings())
    work.quantizesActivations = int8 != nil
    work.int8.calibration = calibration
    let parts = try ValidationParts(of: dataset, limit: selectionCount, seed: seed)
    let units = DeltaMeasurement.units(of: work)
    let passes = RealPasses(images: images, limits: limits)
    let (stored, wasCached) = try withoutActuallyEscaping(report) { report in
      let measurement = DeltaMeasurement(
        work: work, images: images, steps: choices, units: units,
        progress: { report(.passes(done: $0, of: $1)) })
      return try self.table(measurement, base: base, parts: parts, report)
    }
    return Start(
      work: work, parts: parts, passes: passes, stored: stored, tableWasCached: wasCached,
      overhead: try fixedBytes(work, decisions: parts.verification.count),
      more: Double(parts.verification.count) / Double(parts.selection.count))
  }

  /// Checks that model and data are about two classes, and the model's outputs logits of them.
  static func check(_ graph: Graph, _ dataset: FaceDataset) throws {
    guard dataset.classNames.count == 2 else {
      throw CompressionError(dataset.folder, "has \(dataset.classNames.count) classes, expected 2")
    }
    if ModelDescription.isCarried(by: graph) {
      let description = try ModelDescription(of: graph)
      guard description.outputs ?? .logits == .logits, description.positiveClass ?? 1 == 1 else {
        throw CompressionError(
          "the model",
          "does not give logits of two classes with the positive one second, whose "
            + "margin limits are about")
      }
    }
  }

  /// The bytes of the file that do not depend on the choices, the certificate included about.
  private func fixedBytes(_ work: CompressionWork, decisions: Int) throws -> Int {
    let weights = work.weightNames.reduce(0) {
      $0 + (work.graph.initializers[$1]?.bytes.count ?? 0)
    }
    // Shapes and masks, the record of how the file was made, and a certificate.
    return try ONNXFile.bytes(of: work.graph).count - weights + 13_500 + decisions / 6
      + (work.quantizesActivations ? work.bytesOfQuantizedActivations() : 0)
  }

  /// Says that even the smallest choices are too large.
  func tooSmall(_ table: DeltaTable, overhead: Int) -> CompressionError {
    let least = table.units.reduce(0) { $0 + ($1.choices.map(\.bytes).min() ?? 0) }
    return CompressionError(
      "budget", "is \(limits.bytes) bytes, but the smallest choices need \(least + overhead)")
  }
}

extension DeltaTable {
  /// What is chosen, by tensor.
  func allocation(
    _ choices: [Int], shift: Float, activationBits: Int? = nil
  ) -> Certificate.Allocation {
    let tensors = zip(units, choices).flatMap { unit, choice in
      unit.tensors.map { ($0, unit.choices[choice].step) }
    }
    return .init(
      tensors: Dictionary(uniqueKeysWithValues: tensors), shift: Double(shift),
      activationBits: activationBits)
  }
}
