import Files
import Foundation
import TestSupport
import Testing

@Suite struct FilesTests {
  /// The examples of NIST FIPS 180-4 and the million-a message.
  @Test func `digests are those of the standard`() {
    #expect(
      SHA256.hex([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256.hex(Array("abc".utf8))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    var hash = SHA256()
    for _ in 0..<1000 { hash.update([UInt8](repeating: 97, count: 1000)) }
    #expect(
      hash.finish() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func `the folder of a path is what comes before its last name`() {
    for (path, folder) in [
      ("m", "."), ("model.onnx", "."), ("a/m", "a"), ("a//b/", "a"), ("/m", "/"), ("/", "/"),
      ("../m", ".."), ("", "."),
    ] {
      #expect(Files.parent(of: path) == folder, "\(path)")
    }
  }

  @Test func `replacing keeps the old file until the new one is whole`() throws {
    let folder = try temporaryFolder()
    let path = folder + "/a"
    try Files.replace(path, with: "old")
    try Files.replace(path, with: "new")
    #expect(try Files.readText(path) == "new")
    #expect(throws: FileError.self) { try Files.replace(folder, with: "x") }
    #expect(throws: FileError.self) { try Files.replace(folder + "/none/a", with: "x") }
  }

  @Test func `reading says what is wrong`() throws {
    let folder = try temporaryFolder()
    let missing = #expect(throws: FileError.self) { try Files.read(folder + "/none") }
    #expect(
      missing?.description == folder + "/none: could not be opened: No such file or directory")
    let isFolder = #expect(throws: FileError.self) { try Files.read(folder) }
    #expect(isFolder?.description == folder + ": is a folder, not a file")
  }
}

@Suite struct JSONProblemTests {
  private struct Known: Decodable {
    var list: [[String: Double]]
  }

  private func problem(_ text: String) -> String? {
    do {
      _ = try JSONDecoder().decode(Known.self, from: Data(text.utf8))
      return nil
    } catch { return JSONProblem.describe(error, in: Array(text.utf8)) }
  }

  @Test(arguments: [
    ("{\"list\": [{\"a\": 1},\n {\"é\": \"x\"}]}", "line 2, column 8: 'list.Index 1.é'"),
    ("{\"list\": [{\"a\": 1}, 7]}", "line 1, column 21: 'list.Index 1'"),
    ("{\n\"lost\": []}", "line 1, column 1: 'list' is missing"),
    ("{\"list\": [,]}", "line 1, column 11: found ',', expected a value or ']'"),
    ("{\"list\" []}", "line 1, column 9: found '[', expected ':'"),
    ("{\"list\": []", "line 1, column 12: the file ends here, expected ','"),
    ("", "line 1, column 1: the file ends here, expected a value"),
    ("{\"list\": [{\"a\":\n-1e999}]}", "line 2, column 1: this number is too large"),
    ("{\"list\": []}\n\nx", "line 3, column 1: found 'x', expected nothing more"),
    ("{\"list\": [nul]}", "line 1, column 11: found 'n'"),
    ("{\"list\": [\"a]}", "line 1, column 11: this text has no end"),
  ])
  func `a refusal names line and column`(text: String, expected: String) {
    let found = problem(text) ?? "read"
    #expect(found.hasPrefix(expected), "\(found)")
  }

  @Test func `a problem is one line that people can read`() {
    #expect(FileError("a", "one\ntwo\u{1b}[2J").problem == "one two [2J")
    let long = "begins " + String(repeating: "ä", count: 5000) + " ends"
    let problem = FileError("a", long).problem
    #expect(problem.count == 800 && problem.hasPrefix("begins ") && problem.hasSuffix("ä ends"))
    #expect(problem.contains(" … "))
    let whole = String(repeating: "x", count: 800)
    #expect(FileError("a", whole).problem == whole)
  }
}
