import Files
import Foundation
import Graphs

/// What a compressed model was made from, how, and where its bytes go.
public struct CompressionReport: Hashable, Codable, Sendable {
  /// The scheme, as on the command line.
  public var scheme: String
  /// The file that was compressed.
  public var base: ModelFile
  /// The length of the compressed file in bytes.
  public var bytes: Int
  /// How often the compressed file fits into the one it was made from.
  public var ratio: Double { Double(base.bytes) / Double(max(1, bytes)) }
  /// How activations are quantized, where they are.
  public var settings: Int8Settings?
  /// How weights are stored, where that is not plain int8.
  public var weights: WeightSettings?
  /// How what is stored was fitted to the float model's answers, where it was.
  public var tuning: TuningRecord?
  /// The images that were looked at, where any were.
  public var calibration: CalibrationRecord?
  /// How every observed activation is quantized, in the order of the graph.
  public var activations: [Activation]
  /// How every tensor of weights is stored, in the order of the graph.
  public var tensors: [StoredTensor]
  /// Where the bytes of the compressed file go.
  public var accounting: SizeAccounting

  /// The same about `graph`, which differs from what was measured by small things.
  func measured(again graph: Graph) throws -> CompressionReport {
    var report = self
    report.bytes = try ONNXFile.bytes(of: graph).count
    report.accounting = SizeAccounting(of: graph, fileBytes: report.bytes)
    return report
  }

  /// The length and digest of a model file.
  public struct ModelFile: Hashable, Codable, Sendable {
    /// The length in bytes, with that of weights in files beside it.
    public var bytes: Int
    /// The SHA-256 of the file, in hexadecimal.
    public var sha256: String

    /// What the contents of a file say; `beside` counts the bytes of weights in other files.
    public init(contents: [UInt8], beside: Int = 0) {
      bytes = contents.count + beside
      sha256 = SHA256.hex(contents)
    }
  }

  /// Which images a calibration looked at.
  public struct CalibrationRecord: Hashable, Codable, Sendable {
    /// The number of images.
    public var images: Int
    /// The SHA-256 of their names, classes and groups, in the order in which they were seen.
    public var fingerprint: String
    /// How many there were of every group and class: `{"female": {"Attractive": 128}}`.
    public var cells: [String: [String: Int]]
  }

  /// How one tensor of weights is stored.
  public struct StoredTensor: Hashable, Codable, Sendable {
    /// The tensor.
    public var tensor: String
    /// The width of a code in bits.
    public var bits: Int
    /// The share of weights that are zero and not stored.
    public var sparsity: Double
    /// The squared error of the stored weights over the squares of the real ones.
    public var relativeError: Double
  }

  /// How one activation is quantized.
  public struct Activation: Hashable, Codable, Sendable {
    /// The tensor.
    public var tensor: String
    /// Its scale and zero point.
    public var parameters: QuantizationParameters
  }
}

/// What a compressed file's metadata say about how it was made.
struct CompressionProvenance: Codable {
  var scheme: String
  var base: CompressionReport.ModelFile
  var settings: Int8Settings?
  var weights: WeightSettings?
  var calibration: CompressionReport.CalibrationRecord?
  var tuning: TuningRecord?

  /// The key of the metadata entry.
  static let key = "equant.compression"

  /// Puts the record into a graph's metadata; equal records give equal text.
  func write(into graph: inout Graph) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    graph.metadata[Self.key] = String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
