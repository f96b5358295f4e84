import Faces
public import Graphs
import Tensors

/// Makes a float classifier smaller by any scheme.
///
/// - Parameters:
///   - graph: The float model.
///   - scheme: What is done.
///   - base: The file it came from; by default the one that `graph` would be written as.
///   - images: Where images are taken from, of the train split only; `nil` where none are needed.
///   - weights: How weights are stored.
///   - int8: How activations are quantized, and which images are looked at.
///   - tuning: How what is stored is fitted to the float model's answers; `nil` leaves it as it is.
///   - progress: Told the epoch of tuning, counted from 1, the steps done in it and their number.
/// - Returns: The graph, ready to be written, and a report whose accounting adds up to the bytes of
///   that file.
/// - Throws: ``CompressionError`` when the graph, scheme or images do not go together, and what
///   reading images and running graphs throws.
public func compress(
  _ graph: Graph, scheme: Scheme, base: CompressionReport.ModelFile? = nil,
  images: CompressionImages? = nil, weights: WeightSettings = WeightSettings(),
  int8: Int8Settings = Int8Settings(), tuning: TuningSettings? = nil,
  progress: (_ epoch: Int, _ step: Int, _ of: Int) -> Void = { _, _, _ in }
) throws -> (graph: Graph, report: CompressionReport) {
  func needed(_ purpose: String) throws -> CompressionImages {
    guard let images else {
      throw CompressionError("scheme '\(scheme)'", "\(purpose) needs images: give --data")
    }
    return images
  }
  let isMixed = scheme.steps.contains { $0 is MixedStep }
  guard
    weights.sensitivity == .none || isMixed || scheme.steps.contains(where: { $0 is KMeansStep })
  else {
    throw CompressionError(
      "scheme '\(scheme)'", "has no clusters or widths that a sensitivity would choose")
  }
  guard !weights.sensitivity.isOfTensors || isMixed else {
    throw CompressionError(
      "scheme '\(scheme)'", "has no widths that \(weights.sensitivity.rawValue) would choose")
  }
  guard weights.filterScore == .norm || scheme.steps.contains(where: { $0 is FilterStep }) else {
    throw CompressionError("scheme '\(scheme)'", "removes no filters that could be scored")
  }
  guard weights.pruningScore == .magnitude || scheme.steps.contains(where: { $0 is PruneStep })
  else {
    throw CompressionError("scheme '\(scheme)'", "drops no weights that could be scored")
  }
  let isPlainInt8 = scheme.steps.count == 1 && scheme.steps[0] is Int8Step
  guard
    tuning?.movesScales != true || isPlainInt8 || isMixed
      || scheme.steps.contains(where: { $0 is UniformStep })
  else {
    throw CompressionError("scheme '\(scheme)'", "has no even grids whose scales could be learned")
  }
  var weights = weights
  if isPlainInt8 {
    guard weights.rounding == .nearest else {
      throw CompressionError(
        "scheme '\(scheme)'",
        "rounds to the nearest; uniform:8+int8 can be rounded by \(weights.rounding.rawValue)")
    }
    guard tuning != nil else {
      let images = try needed("calibration")
      return try quantizeInt8(
        graph, base: base, on: images.dataset, preprocessing: images.preprocessing, settings: int8)
    }
    weights.equalizes = weights.equalizes || int8.equalizes
    if int8.correctsBias && weights.restores == .none { weights.restores = .mean }
  }
  guard !int8.keepsBatchNorms else {
    throw CompressionError(
      "scheme '\(scheme)'", "batch norms are kept apart with int8 alone that is not tuned")
  }
  let base = try base ?? .init(contents: ONNXFile.bytes(of: graph))
  var work = try CompressionWork(graph, weights: weights, int8: int8)
  work.images = images
  for step in scheme.steps { try step.apply(to: &work) }
  work.tuning = tuning
  try work.checkRounding(of: "scheme '\(scheme)'")
  try work.checkWeightsAreWhole()
  let looks = work.quantizesActivations || weights.looksAtImages
  return try work.result(
    scheme: "\(scheme)", base: base,
    images: looks ? needed("calibration") : tuning != nil ? needed("tuning") : nil,
    progress: progress)
}

extension CompressionWork {
  /// Restores moments, calibrates activations and tunes as asked, packs the weights and reports.
  mutating func result(
    scheme: String, base: CompressionReport.ModelFile, images: CompressionImages?,
    metadata: [String: String] = [:],
    progress: (_ epoch: Int, _ step: Int, _ of: Int) -> Void = { _, _, _ in }
  ) throws -> (graph: Graph, report: CompressionReport) {
    var calibration = activations?.calibration
    if let images {
      let rows = try int8.calibration.rows(of: images.dataset)
      let probe = CalibrationProbe(
        images.dataset, rows: rows, preprocessing: images.preprocessing)
      if quantizesActivations || weights.looksAtImages {
        calibration = .init(rows, in: images.dataset)
      }
      if quantizesActivations, tuning != nil { storeIntegers() }
      switch weights.rounding {
      case .nearest: break
      case .gptq, .adaround: try round(with: probe)
      case .brecq, .fairbrecq:
        try reconstruct(on: images, rows: rows, countsGaps: weights.rounding == .fairbrecq)
      }
      if weights.restores != .none { try restoreMoments(with: probe) }
      if quantizesActivations { try calibrateActivations(with: probe, calibration) }
      if let tuning { tuned = try tune(tuning, on: images, probe: probe, progress: progress) }
    }
    var result = try finished()
    let provenance = CompressionProvenance(
      scheme: scheme, base: base, settings: quantizesActivations ? int8 : nil, weights: weights,
      calibration: calibration, tuning: tuned)
    try provenance.write(into: &result)
    result.metadata.merge(metadata) { $1 }
    let bytes = try ONNXFile.bytes(of: result).count
    let report = CompressionReport(
      scheme: scheme, base: base, bytes: bytes, settings: provenance.settings, weights: weights,
      tuning: tuned, calibration: calibration,
      activations: activations?.report ?? [],
      tensors: storedTensors, accounting: SizeAccounting(of: result, fileBytes: bytes))
    return (result, report)
  }

  private var storedTensors: [CompressionReport.StoredTensor] {
    weightNames.compactMap { name in
      guard let weights = coded[name], let real = float.initializers[name]?.floats else {
        return nil
      }
      let stored = weights.decoded.floats
      var (error, square) = (0.0, 0.0)
      for (x, y) in zip(real, stored) {
        error += Double(x - y) * Double(x - y)
        square += Double(x) * Double(x)
      }
      let zeros = weights.kept.map { Double($0.count { !$0 }) / Double(max(1, $0.count)) }
      var bits = weights.bits
      if case .halves = weights.meaning { bits = 16 }
      return .init(
        tensor: name, bits: bits, sparsity: zeros ?? 0,
        relativeError: square > 0 ? error / square : 0)
    }
  }
}
