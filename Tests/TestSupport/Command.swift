import Foundation

/// What a run of the built `equant` gave.
public struct CommandResult: Sendable {
  /// The exit status; the signal's number when a signal ended it.
  public var status: Int32
  /// Standard output.
  public var output: String
  /// Standard error.
  public var errors: String
}

/// A started `equant` of this build, with both its streams going to files.
///
/// Files, because a full pipe would stop a command that nobody reads from.
public final class RunningCommand {
  private let process = Process()
  private let folder: String

  /// Starts `equant` with `arguments` in `directory`.
  public init(
    _ arguments: [String], in directory: String? = nil, environment: [String: String] = [:]
  ) throws {
    folder = try temporaryFolder()
    process.executableURL = Self.binary
    process.arguments = arguments
    // Whoever runs the tests has runs of their own, which are none of the tests' business.
    process.environment = ProcessInfo.processInfo.environment
      .merging(["EQUANT_STORE": "off"]) { $1 }.merging(environment) { $1 }
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    for name in ["out", "err"] {
      _ = FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil)
    }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: "\(folder)/out")
    process.standardError = FileHandle(forWritingAtPath: "\(folder)/err")
    try process.run()
  }

  /// The process, to send it a signal.
  public var identifier: Int32 { process.processIdentifier }

  /// What it wrote to standard output so far.
  public var output: String {
    (try? String(contentsOfFile: "\(folder)/out", encoding: .utf8)) ?? ""
  }

  /// Waits for the end.
  public func wait() throws -> CommandResult {
    process.waitUntilExit()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return CommandResult(
      status: process.terminationStatus,
      output: try String(contentsOfFile: "\(folder)/out", encoding: .utf8),
      errors: try String(contentsOfFile: "\(folder)/err", encoding: .utf8))
  }

  /// The `equant` that was built together with the tests.
  private static var binary: URL {
    #if os(macOS)
    Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }!.bundleURL
      .deletingLastPathComponent().appendingPathComponent("equant")
    #else
    URL(
      fileURLWithPath: try! FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    )
    .deletingLastPathComponent().appendingPathComponent("equant")
    #endif
  }
}

/// Runs `equant` of this build to its end.
public func equant(
  _ arguments: String..., in directory: String? = nil, environment: [String: String] = [:]
) throws -> CommandResult {
  try RunningCommand(arguments, in: directory, environment: environment).wait()
}
