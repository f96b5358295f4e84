public import Compression
import Fairness
import Files
import Graphs

/// A model file in a study's folder that carries a certificate: what is claimed of it.
///
/// The file is held against its certificate; the numbers are those that it carries.
/// `equant verify-certificate` computes them anew.
public struct CertifiedFile: Hashable, Codable, Sendable {
  /// The file, relative to the study's folder.
  public var file: String
  /// The length of the file.
  public var bytes: Int
  /// Whether the file is the one that was certified.
  public var isIntact: Bool
  /// The float model's file.
  public var base: CompressionReport.ModelFile
  /// What had to be kept.
  public var limits: CompressionLimits
  /// Every limit on the rows that no choice has seen.
  public var checks: [LimitCheck]
  /// The number of these rows.
  public var rows: Int
  /// How many of their decisions changed.
  public var flips: Int

  /// What the file at `path` claims; `nil` where it carries no certificate.
  ///
  /// - Throws: `FileError` or `CompressionError` when file or certificate cannot be read.
  init?(path: String, file: String) throws {
    let contents = try Files.read(path)
    guard let found = try Certificate(of: ONNXFile.graph(contents, path: path)) else { return nil }
    self.file = file
    bytes = contents.count
    isIntact =
      SHA256.hex(try ONNXFile.contents(contents, path: path, without: Certificate.key))
      == found.model
    (base, limits, checks) = (found.base, found.limits, found.checks)
    rows = found.verification.count
    flips = found.comparison.flips.reduce(0) { $0 + Int($1.gained) + Int($1.lost) }
  }
}
