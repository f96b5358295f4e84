public import Fairness
import Files
import Foundation
public import Graphs

/// What is claimed of a compressed model, with everything that is needed to check it.
///
/// A certificate speaks of the people it was measured on and others like them. It does not say that
/// the float model is fair, only how little compression changed.
public struct Certificate: Hashable, Codable, Sendable {
  /// The version of this format.
  public var format = 1
  /// The SHA-256 of the model file without this entry.
  public var model: String
  /// The float model's file.
  public var base: CompressionReport.ModelFile
  /// What had to be kept.
  public var limits: CompressionLimits
  /// How every tensor is stored, and the operating point.
  public var allocation: Allocation
  /// The rows that choices were made on.
  public var selection: Rows
  /// The rows that the claim was measured on, which no choice has seen.
  public var verification: Rows
  /// How far real margins were from those predicted by adding layers up, on the selection rows;
  /// `nil` where nothing was predicted.
  public var additivity: Additivity?
  /// Every limit on the verification rows.
  public var checks: [LimitCheck]
  /// Both models' decisions on the verification rows compared.
  public var comparison: Comparison
  /// The float model's decisions on the verification rows, a bit each, in base 64.
  public var decisionsBefore: String
  /// How claims of several limits are combined.
  public var multiplicity =
    "every limit is tested at the confidence given; all hold only if each does "
    + "(intersection-union test), so none is corrected"

  /// How every tensor is stored.
  public struct Allocation: Hashable, Codable, Sendable {
    /// The step for every tensor: `{"conv1.weight": "kmeans:8"}`.
    public var tensors: [String: String]
    /// What was added to the margin of class 1, for everybody.
    public var shift: Double
    /// The width of activations; `nil` where they are real numbers.
    public var activationBits: Int?
  }

  /// Some rows of the validation split.
  public struct Rows: Hashable, Codable, Sendable {
    /// How many.
    public var count: Int
    /// The seed of the division.
    public var seed: UInt64
    /// The largest number of selection rows asked for.
    public var limit: Int
    /// The SHA-256 of their names, classes and groups.
    public var fingerprint: String
  }

  /// How well adding up predicts.
  public struct Additivity: Hashable, Codable, Sendable {
    /// The root mean square of real less predicted margins.
    public var residual: Double
    /// The root mean square of the real change of margins, for comparison.
    public var change: Double
    /// The share of selection rows whose decision was predicted.
    public var decisionsPredicted: Double
  }

  /// The key of the metadata entry.
  public static let key = "equant.certificate"

  /// The certificate that a graph carries; `nil` where there is none.
  ///
  /// - Throws: ``CompressionError`` when it cannot be understood.
  public init?(of graph: Graph) throws {
    guard let text = graph.metadata[Self.key] else { return nil }
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    } catch {
      throw CompressionError("metadata '\(Self.key)'", "is not a certificate")
    }
  }

  /// A certificate of the given parts.
  init(
    model: String, base: CompressionReport.ModelFile, limits: CompressionLimits,
    allocation: Allocation, selection: Rows, verification: Rows, additivity: Additivity?,
    checks: [LimitCheck], comparison: Comparison, decisionsBefore: [Bool]
  ) {
    self.model = model
    self.base = base
    self.limits = limits
    self.allocation = allocation
    self.selection = selection
    self.verification = verification
    self.additivity = additivity
    self.checks = checks
    self.comparison = comparison
    self.decisionsBefore = Self.text(decisionsBefore)
  }

  /// The text of the metadata entry; equal certificates give equal text.
  func text() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  private static func text(_ decisions: [Bool]) -> String {
    var bytes = [UInt8](repeating: 0, count: (decisions.count + 7) / 8)
    for (i, decision) in decisions.enumerated() where decision {
      bytes[i / 8] |= 1 << UInt8(i % 8)
    }
    return Data(bytes).base64EncodedString()
  }

  /// The float model's decisions; `nil` where there are not as many as rows.
  func decisions() -> [Bool]? {
    guard let data = Data(base64Encoded: decisionsBefore), verification.count >= 0,
      data.count == verification.count / 8 + (verification.count % 8 == 0 ? 0 : 1)
    else { return nil }
    let bytes = [UInt8](data)
    return (0..<verification.count).map { bytes[$0 / 8] >> UInt8($0 % 8) & 1 == 1 }
  }
}
