import Files
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
