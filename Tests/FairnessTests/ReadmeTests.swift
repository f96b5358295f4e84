import Fairness
import Foundation
import Testing

/// The lines that the two READMEs show, as they stand there.
@Suite struct ReadmeTests {
  @Test func `the lines for a server compile and say something`() throws {
    let sex = Attribute("sex", of: ["female", "male", "male"])
    let outcomes = Outcomes(scores: [0.9, 0.4, 0.7], labels: [true, true, false], groups: sex)
    let audit = try Audit(outcomes)
    print(audit.gaps[.equalOpportunity]?.value ?? .nan, audit.warnings)
    #expect(audit.gaps[.equalOpportunity]?.value == -1)
    #expect(audit.warnings.contains { $0.contains("group female has") })
  }

  @Test(arguments: ["README.md", "docs/fairness/README.md"])
  func `they stand in the README`(name: String) throws {
    let here = URL(filePath: #filePath)
    let root = here.deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let readme = try String(contentsOf: root.appending(path: name), encoding: .utf8)
    let block = try #require(
      readme.split(separator: "```swift\n").last?.split(separator: "```").first)
    let source = try String(contentsOf: here, encoding: .utf8)
    let lines = block.split(separator: "\n")
    #expect(lines.count == 5)
    for line in lines { #expect(source.contains(line), "\(line)") }
  }
}
