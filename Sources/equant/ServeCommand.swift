import ArgumentParser
import Files
import Foundation
import Store

#if DASHBOARD
import Dashboard

/// `equant serve`: the dashboard over the run store.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Show the run store in a browser: list, compare and follow runs, open reports.",
    discussion: """
      Serves a page on this machine until Ctrl-C. It changes nothing and asks nothing of anyone \
      else. Other machines can reach it only with --allow-remote and a token; what they are sent \
      is not encrypted, so put a TLS proxy or an SSH tunnel in between.
      """)

  @OptionGroup var storeOptions: StoreOptions

  @Option(help: "The port; 0 takes a free one.")
  var port = 8642

  @Option(help: "The address to listen on; others than loopback need --allow-remote.")
  var host = "127.0.0.1"

  @Flag(help: "Let other machines in that know the token.")
  var allowRemote = false

  @Option(
    help: ArgumentHelp(
      "A file with the token, one line of at least 16 letters, digits, '-', '_', '.' or '~'.",
      valueName: "file"),
    completion: .file())
  var tokenFile: String?

  func validate() throws {
    guard (0...65_535).contains(port) else {
      throw ValidationError("'--port' is a number from 0 to 65535.")
    }
    guard Dashboard.Settings.isLoopback(host) || (allowRemote && tokenFile != nil) else {
      throw ValidationError(
        "Other machines can reach \(host): give '--allow-remote' and '--token-file' as well.")
    }
  }

  func run() async throws {
    var settings = Dashboard.Settings()
    settings.host = host
    settings.port = port
    settings.token = try tokenFile.map { try Self.token(in: $0) }
    let store = try storeOptions.openForReading()
    let hasToken = settings.token != nil
    let host = host.contains(":") ? "[\(host)]" : host
    try await Dashboard(store, settings).run { port in
      let address = "http://\(host):\(port)/" + (hasToken ? "?token=…" : "")
      // At once, also into a pipe: somebody waits for it.
      FileHandle.standardOutput.write(Data("\(store.path) at \(address)\n".utf8))
    }
  }

  /// Reads a token; the error does not repeat what is in the file.
  private static func token(in path: String) throws -> String {
    let token = try Files.readText(path).trimmingCharacters(in: .whitespacesAndNewlines)
    let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")
    guard token.count >= 16, token.allSatisfy(allowed.contains) else {
      throw FileError(
        path, "is no token: expected one line of at least 16 letters, digits, '-', '_', '.' or '~'")
    }
    return token
  }
}
#else
/// `equant serve` in a build that was made without the dashboard.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Show the run store in a browser (not in this build).")

  @Argument(parsing: .allUnrecognized, help: .hidden)
  var ignored: [String] = []

  func run() throws {
    throw ValidationError("This build has no dashboard: 'make build' makes one that has.")
  }
}
#endif
