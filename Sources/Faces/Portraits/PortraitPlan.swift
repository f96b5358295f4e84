public import Files

/// Who is to be drawn: the annotation of a data set whose pictures are yet to be made.
public struct PortraitPlan: Hashable, Sendable {
  /// One person to draw.
  public struct Person: Hashable, Sendable {
    /// The picture's file name, such as `000001.jpg`.
    public var file: String
    /// The row of the annotation, from 0, which decides what no attribute does.
    public var row: Int
    /// 40 values in CelebA's order.
    public var attributes: [Bool]
    /// Which part of the data set it belongs to.
    public var split: Split
    /// Who it is.
    public var identity: Int
  }

  /// The people in the order of the annotation files.
  public private(set) var people: [Person]

  /// The people of a real annotation, `list_attr_celeba` as `.txt` or `.csv`.
  ///
  /// They keep their file names. The split of each is that of the `list_eval_partition` beside the
  /// annotation, and its identity that of the `identity_CelebA` beside it; without these the rows
  /// are split in order and in the official proportions, and each is a person of its own.
  ///
  /// - Throws: `FileError` with the line, when a file cannot be read or lacks one of CelebA's
  ///   attributes, or a row names a file that is not a plain name of a `.jpg` file.
  public static func annotated(_ path: String) throws(FileError) -> PortraitPlan {
    let annotations = try Annotations.read(path)
    let rows = try annotations.celebARows()
    let slash = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    var warnings: [String] = []
    var splits: [Split]?
    if let partition = FaceDataset.find("list_eval_partition", in: slash) {
      splits = try FaceDataset.column(partition, for: annotations, &warnings, "0, 1 or 2") {
        0...2 ~= $0 ? Split(rawValue: $0) : nil
      }
    }
    var identities: [Int]?
    if let known = FaceDataset.find("identity_CelebA", in: slash) {
      identities = try FaceDataset.column(
        known, for: annotations, &warnings, "an identity from 0 up"
      ) { $0 >= 0 ? $0 : nil }
    }
    var people: [Person] = []
    people.reserveCapacity(rows.count)
    for row in rows.indices {
      let file = annotations.files[row]
      guard isPlainName(file) else {
        throw FileError(
          path,
          "line \(annotations.lines[row]): expected the name of a .jpg file, found \"\(file)\"")
      }
      people.append(
        Person(
          file: file, row: row, attributes: rows[row],
          split: splits?[row] ?? Split.official(row: row, of: rows.count),
          identity: identities?[row] ?? row + 1))
    }
    guard Set(annotations.files).count == people.count else {
      throw FileError(path, "names an image twice")
    }
    return PortraitPlan(people: people)
  }

  /// The first people of each split; `nil` keeps all of a split.
  public func limited(train: Int?, validation: Int?, test: Int?) -> PortraitPlan {
    var left = [train, validation, test].map { $0 ?? Int.max }
    return PortraitPlan(
      people: people.filter { person in
        left[person.split.rawValue] -= 1
        return left[person.split.rawValue] >= 0
      })
  }

  /// At most `count` people: the first of each split, the splits in the proportions they have here.
  public func limited(to count: Int) -> PortraitPlan {
    guard count < people.count else { return self }
    let sizes = Split.allCases.map { split in people.count { $0.split == split } }
    var parts = sizes.map { $0 * count / people.count }
    // What rounding down left over goes to the largest split.
    if let largest = sizes.indices.max(by: { sizes[$0] < sizes[$1] }) {
      parts[largest] += count - parts.reduce(0, +)
    }
    return limited(train: parts[0], validation: parts[1], test: parts[2])
  }

  /// Whether a name from a file stays inside the folder of images.
  private static func isPlainName(_ name: String) -> Bool {
    let lowered = name.lowercased()
    return (lowered.hasSuffix(".jpg") || lowered.hasSuffix(".jpeg")) && !name.hasPrefix(".")
      && name.utf8.count <= 255 && !name.utf8.contains { $0 == 0x2f || $0 < 0x20 }
  }
}
