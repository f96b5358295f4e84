import Faces
import Files
import Foundation
import TestSupport
import Testing

@Suite struct TableTests {
  /// Writes a CSV and as many images as it needs, and opens it.
  func open(_ csv: String, images: [String], _ columns: TableColumns = TableColumns()) throws
    -> FaceDataset
  {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for image in images {
      try Data([1]).write(to: URL(fileURLWithPath: "\(folder)/\(image)"))
    }
    try Files.replace("\(folder)/faces.csv", with: csv)
    return try FaceDataset.table(folder, "\(folder)/faces.csv", columns: columns)
  }

  @Test func `columns are read in any order, quoted or not`() throws {
    let faces = try open(
      """
      label,"file",extra,group,split,identity
      1,a.jpg,x,"Asia, east",train,anna
      0,"b ""2"".jpg",,Europe,test,bert
      2,c.jpg,y,"Asia, east",val,anna
      """, images: ["a.jpg", "b \"2\".jpg", "c.jpg"])
    #expect(faces.files == ["a.jpg", "b \"2\".jpg", "c.jpg"])
    #expect(faces.labels == [1, 0, 2] && faces.classNames == ["0", "1", "2"])
    #expect(faces.groups == [0, 1, 0] && faces.groupNames == ["Asia, east", "Europe"])
    #expect(faces.splits == [.train, .test, .validation])
    #expect(faces.identities == [0, 1, 0])
  }

  @Test func `columns can have other names, and two group columns intersect`() throws {
    var columns = TableColumns()
    columns.file = "photo"
    columns.label = "smiles"
    columns.groups = ["race", "sex"]
    let faces = try open(
      "photo,smiles,race,sex\n1.jpg,yes,a,f\n2.jpg,no,b,m\n3.jpg,yes,b,f\n",
      images: ["1.jpg", "2.jpg", "3.jpg"], columns)
    #expect(faces.classNames == ["no", "yes"] && faces.labels == [1, 0, 1])
    #expect(faces.groupNames == ["a, f", "a, m", "b, f", "b, m"] && faces.groups == [0, 3, 2])
    #expect(faces.target == "smiles" && faces.protected == ["race", "sex"])
    #expect(faces.identities == nil)
  }

  @Test func `without splits a person is in one split only, in about the right proportions`() throws
  {
    let rows = (0..<2000).map { "\($0).jpg,\($0 % 2),g,p\($0 / 4)" }
    let csv = "file,label,group,identity\n" + rows.joined(separator: "\n")
    let faces = try open(csv, images: (0..<2000).map { "\($0).jpg" })
    let identities = try #require(faces.identities)
    for row in 1..<2000 where identities[row] == identities[row - 1] {
      #expect(faces.splits[row] == faces.splits[row - 1])
    }
    // 500 people: the standard deviation of the number in train is 9 people, or 36 images.
    #expect(abs(faces.rows(in: .train).count - 1600) < 150)
    #expect(abs(faces.rows(in: .test).count - 200) < 110)
  }

  @Test(arguments: [
    ("", "is empty"),
    ("file,label,group\n", "has no rows below its header"),
    ("file,label\na.jpg,1\n", "line 1: has no column \"group\"; it has file, label"),
    ("file,label,group\na.jpg,1\n", "line 2: expected 3 columns, found 2"),
    ("file,label,group\na.jpg,,g\n", "line 2: label is empty"),
    ("file,label,group\na.jpg,1,g\n\na.jpg,1,g\n", "line 4: names a.jpg twice"),
    (
      "file,label,group,split\na.jpg,1,g,later\n",
      "line 2: expected train, validation or test, found \"later\""
    ),
    ("file,label,group\n\"a.jpg,1,g\n", "line 2: a quoted field has no closing quote"),
  ])
  func `what is wrong is told with its line`(csv: String, told: String) throws {
    let error = #expect(throws: FileError.self) { try open(csv, images: ["a.jpg"]) }
    #expect(error?.problem == told)
    #expect(error?.path.hasSuffix("/faces.csv") == true)
  }

  @Test func `a missing image is told with the line that names it`() throws {
    let error = #expect(throws: FileError.self) {
      try open("file,label,group\na.jpg,1,g\nb.jpg,1,g\n", images: ["a.jpg"])
    }
    #expect(error?.problem.hasPrefix("line 3: image ") == true)
    #expect(error?.problem.hasSuffix("/b.jpg is missing") == true)
  }
}
