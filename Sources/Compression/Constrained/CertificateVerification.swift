public import Faces
import Fairness
import Files
import Graphs
import Training

/// What checking a certificate found.
public struct CertificateVerification: Codable, Sendable {
  /// Whether the file is the one that was certified.
  public var isSameModel: Bool
  /// Whether the verification rows are the same images with the same classes and groups.
  public var isSameRows: Bool
  /// How many decisions of the float model the certificate carries.
  public var rows: Int
  /// Every limit, computed anew.
  public var checks: [LimitCheck]
  /// Whether flips and limits are those of the certificate.
  public var isSameResult: Bool

  /// Whether the float model given is the one that was compressed, and decides as the certificate
  /// says; `nil` where none was given, and the certificate's word is taken for its decisions.
  public var isSameBase: Bool?

  /// Whether everything holds.
  public var holds: Bool {
    isSameModel && isSameRows && isSameResult && isSameBase != false
      && checks.allSatisfy(\.isKept)
  }

  /// Recomputes the certificate that the model in `contents` carries.
  ///
  /// - Parameters:
  ///   - contents: The model file.
  ///   - path: Its name, for messages.
  ///   - dataset: The data that it was certified on.
  ///   - base: The float model's file, to be run again; `nil` takes its decisions from the
  ///     certificate.
  /// - Throws: `FileError` when there is no certificate or images cannot be read.
  public init(
    contents: [UInt8], path: String, on dataset: FaceDataset, base: [UInt8]? = nil
  ) throws {
    let graph = try ONNXFile.graph(contents, path: path)
    let found: Certificate?
    do { found = try Certificate(of: graph) } catch { throw FileError(path, "\(error)") }
    guard let certificate = found else {
      throw FileError(path, "carries no certificate; equant compress --budget writes one")
    }
    guard let before = certificate.decisions() else {
      throw FileError(path, "its certificate is damaged: decisions and rows differ in number")
    }
    guard 0.5..<1 ~= certificate.limits.confidence else {
      throw FileError(path, "its certificate is damaged: the confidence is not a share")
    }
    isSameModel =
      SHA256.hex(try ONNXFile.contents(contents, path: path, without: Certificate.key))
      == certificate.model
    let parts = try ValidationParts(
      of: dataset, limit: certificate.verification.limit, seed: certificate.verification.seed)
    let record = parts.record(parts.verification, in: dataset)
    isSameRows = record == certificate.verification
    rows = before.count
    guard isSameRows else {
      checks = []
      isSameResult = false
      return
    }
    let description = try ModelDescription(of: graph)
    let passes = RealPasses(
      images: CompressionImages(dataset, preprocessing: description.preprocessing),
      limits: certificate.limits)
    if let base {
      let float = try passes.outcomes(
        ONNXFile.graph(base, path: "the float model"), rows: parts.verification)
      let different = zip(float.scores, before).count { ($0 >= 0.5) != $1 }
      isSameBase =
        SHA256.hex(base) == certificate.base.sha256 && different <= max(2, before.count / 500)
    }
    let after = try passes.outcomes(graph, rows: parts.verification)
    let earlier = Outcomes(
      decisions: before, labels: after.labels, groups: after.groups, clusters: after.clusters)
    let (checks, comparison) = try passes.checks(earlier, outcomes: after)
    self.checks = checks
    // Another processor may decide a handful of ties the other way.
    isSameResult =
      comparison.flips == certificate.comparison.flips
      || zip(comparison.flips, certificate.comparison.flips).allSatisfy {
        abs(Double($0.gained) - Double($1.gained)) + abs(Double($0.lost) - Double($1.lost))
          <= max(2, Double($0.count) / 500)
      }
  }
}
