import Files
import Foundation
import Training

extension ConstrainedCompression {
  /// The table and the float model's margins on the rows of verdict, from the cache where they are of
  /// the same model, rows and choices.
  func table(
    _ measurement: DeltaMeasurement, base: CompressionReport.ModelFile, parts: ValidationParts,
    _ report: (Event) -> Void
  ) throws -> (Stored, Bool) {
    let dataset = measurement.images.dataset
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let settings = String(decoding: try encoder.encode(weights), as: UTF8.self)
    let key =
      "\(base.sha256) \(parts.record(parts.selection, in: dataset).fingerprint) "
      + "\(parts.record(parts.verification, in: dataset).fingerprint) "
      + choices.map { "\($0)" }.joined(separator: ",")
      + " \(measurement.units.map { $0.joined(separator: " ") }) \(settings)"
    let name = SHA256.hex(Array(key.utf8))
    if let cache, let bytes = try? Files.read(cache),
      let stored = try? PropertyListDecoder().decode(Stored.self, from: Data(bytes)),
      stored.key == name, stored.table.isConsistent,
      stored.table.margins.count == parts.selection.count,
      stored.verification.count == parts.verification.count
    {
      report(.note("the table of \(cache) is used again"))
      return (stored, true)
    }
    report(.note("storing every tensor in \(choices.count) ways"))
    let coded = try measurement.coded()
    let stored = Stored(
      key: name, table: try measurement.table(coded, rows: parts.selection),
      verification: try RealPasses(images: measurement.images, limits: limits)
        .margins(measurement.work.float, rows: parts.verification))
    if let cache {
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      try Files.replace(cache, with: Array(try encoder.encode(stored)))
    }
    return (stored, false)
  }

  struct Stored: Codable {
    var key: String
    var table: DeltaTable
    var verification: [Float]
  }
}
