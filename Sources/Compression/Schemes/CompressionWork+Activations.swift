import Graphs
import Tensors

/// How the activations of a model are quantized, and what was looked at to find out.
struct QuantizedActivations: Sendable {
  /// Which activations are quantized.
  var sites: ActivationSites
  /// The integers of every observed one.
  var parameters: [String: QuantizationParameters]
  /// The images that ranges were found on; `nil` where none were looked at.
  var calibration: CompressionReport.CalibrationRecord?

  /// What a report says of them.
  var report: [CompressionReport.Activation] {
    sites.observed.compactMap { tensor in
      parameters[tensor].map { .init(tensor: tensor, parameters: $0) }
    }
  }
}

extension CompressionWork {
  /// Finds the ranges of activations, with the weights as they are stored by now.
  mutating func calibrateActivations(
    with probe: CalibrationProbe, _ record: CompressionReport.CalibrationRecord?
  ) throws {
    let sites = ActivationSites(of: graph, keepsBatchNorms: false)
    let parameters = try Calibration(observer: int8.observer, grid: int8.activationGrid)
      .parameters(of: graph, at: sites, with: probe)
    activations = .init(sites: sites, parameters: parameters, calibration: record)
  }

  /// The graph to run: with activations rounded where the file's will be.
  func runnable() throws -> Graph { quantizesActivations ? try finished() : graph }

  /// The bytes that quantizing activations adds to a file, whatever their ranges.
  func bytesOfQuantizedActivations() throws -> Int {
    var trial = self
    for name in trial.weightNames {
      guard let tensor = trial.graph.initializers[name] else { continue }
      trial.store(UniformQuantization(bits: 2, isAffine: false).code(tensor), as: name)
    }
    let plain = try ONNXFile.bytes(of: trial.finished()).count
    let sites = ActivationSites(of: trial.graph, keepsBatchNorms: false)
    let parameters = sites.observed.map { ($0, QuantizationParameters(scale: 1, zeroPoint: 0)) }
    trial.activations = .init(
      sites: sites, parameters: Dictionary(uniqueKeysWithValues: parameters))
    return try ONNXFile.bytes(of: trial.finished()).count - plain
  }
}
