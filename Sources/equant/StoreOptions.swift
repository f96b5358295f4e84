import ArgumentParser
import Files
import Foundation
import Store

/// Where runs are recorded: shared by the commands that record and those that show what was.
struct StoreOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The run store, a SQLite file, or 'off' (default: $EQUANT_STORE, else equant/runs.sqlite in \
      the user's data folder).
      """, valueName: "file"),
    completion: .file(extensions: ["sqlite"]))
  var store: String?

  /// Where the store is, and whether somebody asked for this one.
  private enum Place {
    case off
    case named(String)
    case standard(String)
  }

  private var place: Place {
    let environment = ProcessInfo.processInfo.environment
    let named = store ?? environment["EQUANT_STORE"].flatMap { $0.isEmpty ? nil : $0 }
    guard let named else { return .standard(RunStore.standardPath(in: environment)) }
    return named == "off" ? .off : .named(named)
  }

  /// The store to record in; nil when none is wanted, or when the standard one cannot be used.
  ///
  /// A store that was asked for must work. Nobody's work fails because of the standard one: what
  /// is wrong with it is only said.
  func openForRecording(_ say: (String) -> Void) throws -> RunStore? {
    switch place {
    case .off: return nil
    case .named(let path): return try RunStore(path: path)
    case .standard(let path):
      do {
        return try Self.openStandard(path)
      } catch {
        say("warning: this run is not recorded: \(error)")
        return nil
      }
    }
  }

  /// The store to look into.
  ///
  /// - Throws: `FileError` when there is none, `StoreError` when it cannot be used.
  func openForReading() throws -> RunStore {
    switch place {
    case .off:
      throw ValidationError("The run store is off: name one with '--store'.")
    case .named(let path):
      guard Files.exists(path) else { throw FileError(path, "there is no run store here") }
      return try RunStore(path: path)
    case .standard(let path): return try Self.openStandard(path)
    }
  }

  private static func openStandard(_ path: String) throws -> RunStore {
    try Files.makeFolder(Files.parent(of: path))
    return try RunStore(path: path)
  }
}
