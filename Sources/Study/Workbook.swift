import Files
import Foundation

/// A folder of results in which every part remembers what it was made from.
///
/// A part whose inputs are the same and whose files are unchanged is not made again, so a long
/// study that was stopped goes on where it was.
public struct Workbook: Sendable {
  /// The folder; made when the first part is.
  public let folder: String

  /// The workbook in `folder`.
  public init(folder: String) { self.folder = folder }

  /// The path of a file of the workbook.
  public func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Makes one part, unless it is there already.
  ///
  /// - Parameters:
  ///   - name: The part's name, unique in the workbook; may have folders.
  ///   - inputs: Everything the part is made from: settings as text, hashes of files.
  ///   - outputs: The files it makes, relative to the folder.
  ///   - make: Makes them.
  /// - Returns: The SHA-256 of each output by its name, and whether `make` ran.
  /// - Throws: What `make` throws, and ``FileError`` when a file cannot be read or written.
  public func part(
    _ name: String, from inputs: [String: String], gives outputs: [String], make: () throws -> Void
  ) throws -> (hashes: [String: String], made: Bool) {
    let stampPath = path(".parts/\(name).json")
    if let stamp = try? JSONDecoder().decode(Stamp.self, from: Data(Files.read(stampPath))),
      stamp.inputs == inputs, Set(stamp.outputs.keys) == Set(outputs),
      let found = try? hashes(of: outputs), found == stamp.outputs
    {
      return (found, false)
    }
    for output in outputs {
      try Files.makeFolder(Files.parent(of: path(output)))
    }
    try make()
    let stamp = Stamp(inputs: inputs, outputs: try hashes(of: outputs))
    try Files.makeFolder(Files.parent(of: stampPath))
    try Files.replace(stampPath, with: Array(try JSONEncoder.stable.encode(stamp)))
    return (stamp.outputs, true)
  }

  private func hashes(of outputs: [String]) throws -> [String: String] {
    try Dictionary(
      uniqueKeysWithValues: outputs.map { ($0, SHA256.hex(try Files.read(path($0)))) })
  }

  private struct Stamp: Codable {
    var inputs: [String: String]
    var outputs: [String: String]
  }
}

extension JSONEncoder {
  /// Writes the same bytes for the same value, for people and for comparison.
  static var stable: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return encoder
  }
}
