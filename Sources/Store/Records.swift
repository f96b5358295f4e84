import Foundation
import GRDB

/// A run as a row of the table `run`: columns are its properties, dictionaries are JSON text.
struct RunRecord: Codable, FetchableRecord, MutablePersistableRecord {
  static let databaseTableName = "run"

  var run: Run

  init(_ run: Run) { self.run = run }

  init(from decoder: any Decoder) throws { run = try Run(from: decoder) }

  func encode(to encoder: any Encoder) throws { try run.encode(to: encoder) }

  // Seconds, which compare and subtract in any tool.
  static func databaseDateEncodingStrategy(
    for column: String
  ) -> DatabaseDateEncodingStrategy { .timeIntervalSince1970 }

  static func databaseDateDecodingStrategy(
    for column: String
  ) -> DatabaseDateDecodingStrategy { .timeIntervalSince1970 }
}

extension RunLine {
  /// The columns in the order in which ``init(row:)`` reads them: by position is faster than by name.
  static let columns = """
    id, kind, title, state, started, updated, progress, accuracy, equalOpportunity, bytes, summary
    """

  init(row: Row) throws {
    id = row[0]
    kind = try Self.known(row[1])
    title = row[2]
    state = try Self.known(row[3])
    started = Date(timeIntervalSince1970: row[4])
    updated = Date(timeIntervalSince1970: row[5])
    progress = row[6]
    accuracy = row[7]
    equalOpportunity = row[8]
    bytes = row[9]
    summary = row[10]
  }

  private static func known<Name: RawRepresentable<String>>(_ text: String) throws -> Name {
    guard let name = Name(rawValue: text) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "'\(text)' is not a \(Name.self)")
    }
    return name
  }
}

extension RunEvent {
  /// The columns id, time and text.
  init(row: Row) {
    id = row[0]
    time = Date(timeIntervalSince1970: row[1])
    text = row[2]
  }
}
