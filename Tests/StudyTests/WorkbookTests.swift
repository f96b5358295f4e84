import Files
import Study
import TestSupport
import Testing

@Suite struct WorkbookTests {
  @Test func `a part is made once for the same inputs`() throws {
    let book = Workbook(folder: try temporaryFolder())
    var runs = 0
    func make(_ input: String) throws -> Bool {
      try book.part("a/b", from: ["x": input], gives: ["a/out.txt"]) {
        runs += 1
        try Files.replace(book.path("a/out.txt"), with: input)
      }.made
    }
    #expect(try make("1"))
    #expect(try !make("1"))
    #expect(try make("2"))
    #expect(runs == 2)
  }

  @Test func `a changed or missing file is made again`() throws {
    let book = Workbook(folder: try temporaryFolder())
    func make() throws -> Bool {
      try book.part("part", from: [:], gives: ["out"]) {
        try Files.replace(book.path("out"), with: "whole")
      }.made
    }
    #expect(try make())
    try Files.replace(book.path("out"), with: "damaged")
    #expect(try make())
    #expect(try Files.readText(book.path("out")) == "whole")
    try Files.replace(book.path(".parts/part.json"), with: "{")
    #expect(try make())
  }

  @Test func `a part that fails leaves no stamp`() throws {
    let book = Workbook(folder: try temporaryFolder())
    #expect(throws: FileError.self) {
      try book.part("part", from: [:], gives: ["out"]) { throw FileError("x", "failed") }
    }
    #expect(!Files.exists(book.path(".parts/part.json")))
  }
}
