import Faces
import Files
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct FaceDatasetTests {
  /// Bit `bit` of each number.
  func bits(_ bit: Int, of numbers: ClosedRange<Int>) -> [Int32] {
    numbers.map { Int32($0 >> bit & 1) }
  }

  @Test(arguments: [false, true], ["\n", "\r\n"])
  func `official text and Kaggle's CSV mean the same`(csv: Bool, ends: String) throws {
    let files = try SmallCelebA(count: 20, csv: csv, ends: ends)
    let faces = try FaceDataset.celebA(files.folder)
    #expect(faces.count == 20)
    #expect(faces.files[4] == "000005.jpg")
    #expect(faces.path(4) == files.path("img_align_celeba/000005.jpg"))
    // Attractive is attribute 2 and Male attribute 20, bits 2 and 6 of the row's number.
    #expect(faces.labels == bits(2, of: 1...20))
    #expect(faces.groups == bits(6, of: 1...20))
    #expect(faces.classNames == ["not Attractive", "Attractive"])
    #expect(faces.groupNames == ["female", "male"])
    #expect(faces.rows(in: .train) == Array(0..<16))
    #expect(faces.rows(in: .validation) == [16, 17])
    #expect(faces.rows(in: .test) == [18, 19])
    #expect(faces.rows(in: .train, limit: 3) == [0, 1, 2])
    #expect(faces.identities == (0..<20).map { Int32($0 / 2 + 1) })
    #expect(faces.warnings.count == (ends == "\n" ? 0 : 3))
    #expect(faces.warnings.allSatisfy { $0.contains(": line 1: ends in CR LF") })
  }

  @Test func `two protected attributes make four groups`() throws {
    let files = try SmallCelebA(count: 12)
    let faces = try FaceDataset.celebA(
      files.folder, target: "Smiling", protected: ["Male", "5_o_Clock_Shadow"])
    #expect(
      faces.groupNames == [
        "female, not 5 o clock shadow", "female, 5 o clock shadow", "male, not 5 o clock shadow",
        "male, 5 o clock shadow",
      ])
    let combined = zip(bits(6, of: 1...12), bits(0, of: 1...12)).map { $0 * 2 + $1 }
    #expect(faces.groups == combined)
    #expect(faces.counts(of: Array(0..<12)).joined().reduce(0, +) == 12)
    let one = try FaceDataset.celebA(files.folder, protected: [])
    #expect(one.groupNames == ["everyone"] && one.groups.allSatisfy { $0 == 0 })
  }

  @Test func `Kaggle's doubled image folder is found`() throws {
    let files = try SmallCelebA()
    try FileManager.default.moveItem(
      atPath: files.path("img_align_celeba"), toPath: files.path("inner"))
    try Files.makeFolder(files.path("img_align_celeba"))
    try FileManager.default.moveItem(
      atPath: files.path("inner"), toPath: files.path("img_align_celeba/img_align_celeba"))
    let faces = try FaceDataset.celebA(files.folder)
    #expect(faces.folder == files.path("img_align_celeba/img_align_celeba"))
  }

  /// An edit that spoils a data set, and the line that must be told.
  struct Refusal: Sendable, CustomTestStringConvertible {
    var file: String
    var line: Int
    var edit: @Sendable (String) -> String?
    var told: String
    var testDescription: String { told }
  }

  static let table = "list_attr_celeba.txt"
  static let refusals = [
    Refusal(
      file: table, line: 7, edit: { $0.replacing("-1", with: "2", maxReplacements: 1) },
      told: "list_attr_celeba.txt: line 7: expected -1 or 1 for Arched_Eyebrows, found \"2\""),
    Refusal(
      file: table, line: 7, edit: { $0 + " 1" },
      told: "list_attr_celeba.txt: line 7: expected 41 columns, found 42"),
    Refusal(
      file: table, line: 9, edit: { String($0.dropLast(3)) },
      told: "list_attr_celeba.txt: line 9: expected 41 columns, found 40"),
    Refusal(
      file: table, line: 12, edit: { _ in nil },
      told: "list_attr_celeba.txt: line 1: declares 10 rows, found 9"),
    Refusal(
      file: table, line: 1, edit: { _ in "many" },
      told: "list_attr_celeba.txt: line 1: expected the number of rows alone"),
    Refusal(
      file: table, line: 1, edit: { _ in "99999999999999999999" },
      told: "list_attr_celeba.txt: line 1: expected the number of rows alone"),
    Refusal(
      file: table, line: 2, edit: { $0.replacing("Bald", with: "Male") },
      told: "list_attr_celeba.txt: line 2: names Male twice"),
    Refusal(
      file: table, line: 5, edit: { $0.replacing("000003", with: "000033") },
      told: "list_attr_celeba.txt: line 5: image FOLDER/img_align_celeba/000033.jpg is missing"),
    Refusal(
      file: "list_eval_partition.txt", line: 3, edit: { _ in "000003.jpg 3" },
      told: "list_eval_partition.txt: line 3: expected 0, 1 or 2, found \"3\""),
    Refusal(
      file: "list_eval_partition.txt", line: 3, edit: { _ in "000003.jpg" },
      told: "list_eval_partition.txt: line 3: expected 2 columns, found 1"),
    Refusal(
      file: "list_eval_partition.txt", line: 3, edit: { _ in nil },
      told: "list_eval_partition.txt: has no row for 000003.jpg (line 5 of FOLDER/\(table))"),
    Refusal(
      file: "identity_CelebA.txt", line: 1, edit: { _ in "000001.jpg me" },
      told: "identity_CelebA.txt: line 1: expected an identity from 0 up, found \"me\""),
  ]

  @Test(arguments: refusals)
  func `what is wrong is told with file and line`(refusal: Refusal) throws {
    let files = try SmallCelebA()
    try files.change(refusal.file, line: refusal.line, refusal.edit)
    let error = #expect(throws: FileError.self) { try FaceDataset.celebA(files.folder) }
    let told = refusal.told.replacing("FOLDER", with: files.folder)
    #expect(error?.description == "\(files.folder)/\(told)")
  }

  @Test func `missing files, folders and names are told`() throws {
    let files = try SmallCelebA()
    func told(_ folder: String, _ target: String = "Attractive", _ protected: String = "Male")
      -> String?
    {
      #expect(throws: FileError.self) {
        try FaceDataset.celebA(folder, target: target, protected: [protected])
      }?.description
    }
    #expect(told("/nowhere/faces") == "/nowhere/faces: is not a folder")
    #expect(told(files.folder, "Handsome")?.contains("has no attribute \"Handsome\"") == true)
    #expect(told(files.folder, "Bald", "male")?.contains("has no attribute \"male\"") == true)
    for row in 6..<10 {
      try FileManager.default.removeItem(atPath: files.path(files.image(row)))
    }
    let missing = "line 9: image \(files.path(files.image(6))) is missing (and 3 more)"
    #expect(told(files.folder)?.hasSuffix(missing) == true)
    try FileManager.default.removeItem(atPath: files.path("list_eval_partition.txt"))
    #expect(told(files.folder)?.contains("has neither list_eval_partition.txt nor") == true)
    try FileManager.default.removeItem(atPath: files.path("list_attr_celeba.txt"))
    #expect(told(files.folder)?.contains("has neither list_attr_celeba.txt nor") == true)
    try FileManager.default.removeItem(atPath: files.path("img_align_celeba"))
    #expect(told(files.folder) == "\(files.folder): has no folder img_align_celeba with the images")
  }

  @Test func `an attribute of one's own is a target like any other, and is told`() throws {
    let files = try SmallCelebA(count: 3)
    try files.change("list_attr_celeba.txt", line: 2) { $0 + " Freckles" }
    for line in 3...5 { try files.change("list_attr_celeba.txt", line: line) { $0 + " 1" } }
    let faces = try FaceDataset.celebA(files.folder, target: "Freckles")
    #expect(faces.labels == [1, 1, 1])
    #expect(
      faces.warnings == [
        "\(files.path("list_attr_celeba.txt")): line 2: Freckles is not one of CelebA's names"
      ])
  }

  @Test func `a partition in another order is matched by name`() throws {
    let files = try SmallCelebA(count: 4)
    try files.write(
      "list_eval_partition.txt",
      [
        "000001.jpg 2", "000004.jpg 1", "000003.jpg 0", "000002.jpg 1",
      ])
    #expect(
      try FaceDataset.celebA(files.folder).splits == [.test, .validation, .train, .validation])
  }

  @Test func `the fingerprint changes with a label, a name and a size, and with nothing else`()
    throws
  {
    let files = try SmallCelebA()
    let first = try FaceDataset.celebA(files.folder).fingerprint()
    #expect(first.count == 64)
    #expect(try FaceDataset.celebA(files.folder).fingerprint() == first)
    #expect(try FaceDataset.celebA(files.folder, target: "Young").fingerprint() != first)
    try Files.replace(
      files.path(files.image(3)), with: Array(PillowChain.golden.jpeg) + [0])
    #expect(try FaceDataset.celebA(files.folder).fingerprint() != first)
  }

  /// Property: whatever happens to the bytes of the annotation, reading it ends without a crash,
  /// and what is read is whole.
  @Test(arguments: 0..<300 as Range<UInt64>)
  func `mutated annotations are read whole or refused`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let csv = random.below(2) == 1
    var lines =
      csv ? ["image_id,Male,Young,Bald"] : ["6", "Male Young Bald"]
    for row in 1...6 {
      let values = (0..<3).map { _ in random.below(2) == 1 ? "1" : "-1" }
      lines.append((["\(row).jpg"] + values).joined(separator: csv ? "," : " "))
    }
    var bytes = Array(lines.joined(separator: random.below(2) == 1 ? "\n" : "\r\n").utf8)
    let pieces = ["\n", "\r", ",", " ", "\"", "-", "1", "2", "\0", "\u{ff}", "\n\n", "\"\n"]
    for _ in 0...random.below(4) {
      let at = random.below(bytes.count)
      switch random.below(4) {
      case 0: bytes[at] = UInt8(random.below(256))
      case 1: bytes.remove(at: at)
      case 2: bytes.removeSubrange(at...)
      default: bytes.insert(contentsOf: pieces[random.below(pieces.count)].utf8, at: at)
      }
      if bytes.isEmpty { bytes = [10] }
    }
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/list_attr_celeba." + (csv ? "csv" : "txt")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    do {
      let annotations = try Annotations.read(path)
      for row in 0..<annotations.count {
        for column in annotations.attributes.indices { _ = annotations[row, column] }
      }
      #expect(!annotations.attributes.isEmpty)
    } catch {
      #expect(error.path == path && !error.problem.isEmpty && !error.problem.contains("\n"))
    }
  }
}
