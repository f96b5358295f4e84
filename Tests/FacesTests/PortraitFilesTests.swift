import Files
import Foundation
import TestSupport
import Testing

@testable import Faces

@Suite struct PortraitFilesTests {
  private static let table: String = {
    var text = "12\n\(FaceAttribute.names.joined(separator: " "))\n"
    for row in 0..<12 {
      let values = (0..<40).map { ($0 * 7 + row * 3) % 5 == 0 ? "1" : "-1" }
      text += "9\(10000 + row).jpg \(values.joined(separator: " "))\n"
    }
    return text
  }()

  private static func annotation(in folder: String) throws -> String {
    try Files.replace("\(folder)/list_attr_celeba.txt", with: table)
    let splits = (0..<12).map { "9\(10000 + $0).jpg \($0 < 6 ? 0 : $0 < 9 ? 2 : 1)\n" }
    try Files.replace("\(folder)/list_eval_partition.txt", with: splits.joined())
    return "\(folder)/list_attr_celeba.txt"
  }

  private static func options(threads: Int = 2) -> Portraits.Options {
    Portraits.Options(seed: 4, width: 40, height: 48, threads: threads)
  }

  private static func bytes(in folder: String) throws -> [String: [UInt8]] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
    return try names.filter { !Files.isFolder("\(folder)/\($0)") }.reduce(into: [:]) {
      $0[$1] = try Files.read("\(folder)/\($1)")
    }
  }

  @Test func `rows keep their names, splits and values`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let plan = try PortraitPlan.annotated(Self.annotation(in: folder))
    try Portraits.draw(plan, into: "\(folder)/drawn", options: Self.options())
    let original = try Annotations.read("\(folder)/list_attr_celeba.txt")
    let drawn = try Annotations.read("\(folder)/drawn/list_attr_celeba.txt")
    #expect(drawn.files == original.files)
    #expect(try drawn.celebARows() == original.celebARows())
    let dataset = try FaceDataset.celebA("\(folder)/drawn")
    #expect(dataset.rows(in: .train).count == 6)
    #expect(dataset.rows(in: .test).count == 3)
    #expect(dataset.rows(in: .validation).count == 3)
    let text = try Files.readText("\(folder)/drawn/list_attr_celeba.txt")
    let lines = text.split(separator: "\n")
    #expect(lines[0] == "12")
    #expect(lines[1].hasPrefix("5_o_Clock_Shadow Arched_Eyebrows Attractive "))
    #expect(lines[2].hasPrefix("910000.jpg  1 -1 -1 -1 -1  1 -1"))
  }

  @Test func `any number of threads draws the same bytes`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let one = try PortraitPlan.annotated(Self.annotation(in: folder))
    let plan = PortraitPlan(
      people: (0..<16).flatMap { copy in
        one.people.map { person in
          var person = person
          person.row += copy * 12
          person.file = "\(copy)-\(person.file)"
          return person
        }
      })
    for threads in [1, 2, 5] {
      try Portraits.draw(
        plan, into: "\(folder)/\(threads)", options: Self.options(threads: threads))
    }
    let first = try Self.bytes(in: "\(folder)/1")
    #expect(first.count == 192 + 4)
    let same = try ["2", "5"].allSatisfy { try Self.bytes(in: "\(folder)/\($0)") == first }
    #expect(same)
  }

  @Test func `drawing goes on where it stopped`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let plan = try PortraitPlan.annotated(Self.annotation(in: folder))
    let drawn = "\(folder)/drawn"
    #expect(
      try Portraits.draw(plan, into: drawn, options: Self.options()) == .init(drawn: 12, kept: 0))
    let whole = try Self.bytes(in: drawn)
    // As after a kill and a power cut: pictures missing, cut short, empty; no annotation.
    let images = "\(drawn)/img_align_celeba"
    try FileManager.default.removeItem(atPath: "\(images)/910003.jpg")
    let long = try Files.read("\(images)/910004.jpg")
    try Files.replace("\(images)/910004.jpg", with: Array(long.prefix(long.count / 2)))
    try Files.replace("\(images)/910005.jpg", with: [UInt8]())
    try FileManager.default.removeItem(atPath: "\(drawn)/list_attr_celeba.txt")
    #expect(
      try Portraits.draw(plan, into: drawn, options: Self.options()) == .init(drawn: 3, kept: 9))
    let same = try Self.bytes(in: drawn) == whole
    #expect(same)
  }

  @Test func `other settings and other people's pictures are left alone`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let plan = try PortraitPlan.annotated(Self.annotation(in: folder))
    let drawn = "\(folder)/drawn"
    try Portraits.draw(plan, into: drawn, options: Self.options())
    let whole = try Self.bytes(in: drawn)
    var other = Self.options()
    other.seed = 5
    let error = #expect(throws: FileError.self) {
      try Portraits.draw(plan, into: drawn, options: other)
    }
    #expect(error?.problem.contains("(\"seed\":4, now \"seed\":5)") == true)
    let same = try Self.bytes(in: drawn) == whole
    #expect(same)

    try Files.makeFolder("\(folder)/real/img_align_celeba")
    #expect(throws: FileError.self) {
      try Portraits.draw(plan, into: "\(folder)/real", options: other)
    }
    try Files.replace("\(folder)/file", with: "in the way")
    #expect(throws: FileError.self) {
      try Portraits.draw(plan, into: "\(folder)/file", options: other)
    }
  }

  @Test func `a smaller set keeps the proportions of the splits`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let plan = try PortraitPlan.annotated(Self.annotation(in: folder))
    func sizes(_ plan: PortraitPlan) -> [Int] {
      Split.allCases.map { split in plan.people.count { $0.split == split } }
    }
    #expect(sizes(plan.limited(to: 4)) == [2, 1, 1])
    #expect(sizes(plan.limited(to: 7)) == [5, 1, 1])
    #expect(plan.limited(to: 99) == plan)
    #expect(sizes(plan.limited(train: 2, validation: 0, test: nil)) == [2, 0, 3])
    #expect(plan.limited(train: 2, validation: 0, test: nil).people.map(\.row) == [0, 1, 6, 7, 8])
  }

  @Test(arguments: ["../evil.jpg", ".hidden.jpg", "a/b.jpg", "picture.exe"])
  func `a name that leaves the folder is refused`(name: String) throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/list_attr_celeba.txt"
    try Files.replace(
      path, with: Self.table.replacingOccurrences(of: "910004.jpg", with: name))
    let error = #expect(throws: FileError.self) { try PortraitPlan.annotated(path) }
    #expect(error?.problem.contains("line 7") == true)
  }
}
