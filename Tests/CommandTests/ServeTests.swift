import Files
import Foundation
import TestSupport
import Testing

/// The pages themselves are tried in a browser by `Scripts/test-pages`.
@Suite struct ServeTests {
  let folder: String
  let store: String

  init() throws {
    folder = try temporaryFolder()
    store = "\(folder)/data/equant/runs.sqlite"
    // Looking into the standard store makes it.
    _ = try equant(
      "runs", environment: ["EQUANT_STORE": "", "XDG_DATA_HOME": "\(folder)/data"])
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a signal ends it cleanly`(signal: Int32) throws {
    let server = try RunningCommand(["serve", "--store", store, "--port", "0"])
    for _ in 0..<2000 where !server.output.contains("http://") { usleep(5000) }
    kill(server.identifier, signal)
    let result = try server.wait()
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    #expect(result.output.hasPrefix("\(store) at http://127.0.0.1:"), "\(result.output)")
  }

  @Test func `a port in use is one line`() throws {
    let first = try RunningCommand(["serve", "--store", store, "--port", "0"])
    for _ in 0..<2000 where !first.output.contains("http://") { usleep(5000) }
    let port = try #require(first.output.firstMatch(of: /:(\d+)\/\n/)).1
    let second = try equant("serve", "--store", store, "--port", "\(port)")
    kill(first.identifier, SIGTERM)
    #expect(try first.wait().status == 0)
    #expect(second.status == 1 && second.output.isEmpty)
    #expect(
      second.errors
        == "Error: port \(port) of 127.0.0.1: Address already in use; name another with --port\n")
  }

  @Test func `other machines are let in only with a token`() throws {
    let serve = ["serve", "--store", store, "--host", "0.0.0.0"]
    for more in [[], ["--allow-remote"], ["--token-file", "\(folder)/token"]] {
      let result = try RunningCommand(serve + more).wait()
      #expect(result.status == 64 && result.errors.contains("'--allow-remote'"))
    }
    for (text, problem) in [("short", "is no token"), ("a b c d e f g h i j", "is no token")] {
      try Files.replace("\(folder)/token", with: text)
      let result = try RunningCommand(
        serve + ["--allow-remote", "--token-file", "\(folder)/token"]
      ).wait()
      #expect(result.status == 1 && result.errors.contains(problem))
      #expect(!result.errors.contains(text) && result.errors.split(separator: "\n").count == 1)
    }
    let nowhere = try equant("serve", "--store", "\(folder)/none.sqlite")
    #expect(nowhere.status == 1 && nowhere.errors.contains("there is no run store here"))
  }
}
