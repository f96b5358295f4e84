import ArgumentParser
import Foundation

/// How results are written: shared by every command that prints some.
struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
  }

  @Option(help: "How results are written to standard output.")
  var format = Format.text

  @Flag(help: "Show no progress on standard error.")
  var quiet = false

  /// Writes `value` as JSON, or `text` for people.
  func write(_ value: some Encodable, text: () -> String) throws {
    switch format {
    case .text: print(text())
    case .json: print(try prettyJSON(value))
    }
  }
}

/// `value` as JSON with sorted keys, and times as ISO 8601 writes them.
func prettyJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  encoder.dateEncodingStrategy = .iso8601
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
