public import Faces
public import Graphs

/// Quantizes a float classifier to int8 after training.
///
/// Batch norms are folded, the ranges of activations are estimated on images of the train split,
/// and every convolution, product, addition and pooling is put between quantizers. The logits stay
/// real: they are sums of integers scaled once, not rounded again to a few hundred values.
///
/// - Parameters:
///   - graph: The float model, one input of shape `[batch, 3, height, width]`.
///   - base: The file it came from; by default the one that `graph` would be written as.
///   - dataset: Where calibration images are taken from, of the train split only.
///   - preprocessing: How images are prepared, as in training.
///   - settings: How to quantize.
/// - Returns: The quantized graph, ready to be written, and a report whose accounting adds up to
///   the bytes of that file.
/// - Throws: ``CompressionError`` when the graph or data do not allow it, `FileError` for images
///   that cannot be read, and the engine's errors.
public func quantizeInt8(
  _ graph: Graph, base: CompressionReport.ModelFile? = nil, on dataset: FaceDataset,
  preprocessing: Preprocessing, settings: Int8Settings = Int8Settings()
) throws -> (graph: Graph, report: CompressionReport) {
  try graph.validate()
  if let problem = preprocessing.problem { throw CompressionError("preprocessing", problem) }
  if let node = graph.nodes.first(where: { $0.operation == .quantizeLinear }) {
    throw CompressionError("node '\(node.name)'", "the model is quantized already")
  }
  let base = try base ?? .init(contents: ONNXFile.bytes(of: graph))
  let rows = try settings.calibration.rows(of: dataset)
  let probe = CalibrationProbe(dataset, rows: rows, preprocessing: preprocessing)

  guard !(settings.equalizes && settings.keepsBatchNorms) else {
    throw CompressionError("equalization", "is for folded batch norms, not for those kept apart")
  }
  var float = settings.keepsBatchNorms ? graph : try BatchNormFolding().rewrite(graph)
  if settings.equalizes { float = CrossLayerEqualization().rewrite(float) }
  let sites = ActivationSites(of: float, keepsBatchNorms: settings.keepsBatchNorms)
  let parameters = try Calibration(observer: settings.observer, grid: settings.activationGrid)
    .parameters(of: float, at: sites, with: probe)
  let quantization = Int8Quantization(
    sites: sites, activations: parameters, weightGrid: settings.weightGrid)
  if settings.correctsBias {
    float = try BiasCorrection().correct(float, for: quantization, with: probe)
  }
  var result = try quantization.rewrite(float)

  let provenance = CompressionProvenance(
    scheme: "int8", base: base, settings: settings,
    calibration: CompressionReport.CalibrationRecord(rows, in: dataset))
  try provenance.write(into: &result)
  let bytes = try ONNXFile.bytes(of: result).count
  let report = CompressionReport(
    scheme: provenance.scheme, base: base, bytes: bytes, settings: settings,
    calibration: provenance.calibration,
    activations: sites.observed.compactMap { tensor in
      parameters[tensor].map { .init(tensor: tensor, parameters: $0) }
    },
    tensors: [],
    accounting: SizeAccounting(of: result, fileBytes: bytes))
  return (result, report)
}

extension CompressionReport.CalibrationRecord {
  /// What there is to say about `rows` of `dataset`.
  init(_ rows: [Int], in dataset: FaceDataset) {
    images = rows.count
    fingerprint = CalibrationSettings.fingerprint(of: rows, in: dataset)
    cells = [:]
    for (group, counts) in zip(dataset.groupNames, dataset.counts(of: rows)) {
      cells[group] = Dictionary(
        zip(dataset.classNames, counts), uniquingKeysWith: { first, _ in first })
    }
  }
}
