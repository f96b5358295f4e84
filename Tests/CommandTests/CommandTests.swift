import TestSupport
import Testing

@Suite struct CommandTests {
  @Test func `help goes to standard output`() throws {
    let result = try equant("--help")
    #expect(result.status == 0)
    #expect(result.output.hasPrefix("OVERVIEW: Who pays for the compression?"))
    #expect(result.errors.isEmpty)
  }

  @Test func `bad usage is status 64`() throws {
    let result = try equant("--nonsense")
    #expect(result.status == 64)
    #expect(result.output.isEmpty)
  }
}
