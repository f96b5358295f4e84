public import Files

/// Images of faces, each with a class to predict, a group to be fair to, and a split.
///
/// Rows keep the order of the annotation. All row arrays have ``count`` elements.
public struct FaceDataset: Hashable, Sendable {
  /// The folder that ``files`` are in.
  public let folder: String

  /// The name of each image's file inside ``folder``.
  public let files: [String]

  /// The class of each image, an index of ``classNames``.
  public let labels: [Int32]

  /// The group of each image, an index of ``groupNames``.
  public let groups: [Int32]

  /// The split of each image.
  public let splits: [Split]

  /// A number for the person on each image, where that is known.
  public let identities: [Int32]?

  /// What is predicted: an attribute or a column.
  public let target: String

  /// What groups are made of: attributes or columns.
  public let protected: [String]

  /// The names of the classes; for an attribute, `not Attractive` and `Attractive`.
  public let classNames: [String]

  /// The names of the groups: `female` and `male`, or `female, young`.
  ///
  /// Some may have no row.
  public let groupNames: [String]

  /// What was unusual but harmless, one line each, with file and line.
  public let warnings: [String]

  /// The number of images.
  public var count: Int { files.count }

  /// A data set of rows that are known already.
  ///
  /// - Precondition: all rows have a label, a group and a split, and an identity if any has one.
  public init(
    folder: String, files: [String], labels: [Int32], groups: [Int32], splits: [Split],
    identities: [Int32]? = nil, target: String, protected: [String], classNames: [String],
    groupNames: [String], warnings: [String] = []
  ) {
    precondition(
      labels.count == files.count && groups.count == files.count && splits.count == files.count
        && identities?.count ?? files.count == files.count, "every row needs every column")
    self.folder = folder
    self.files = files
    self.labels = labels
    self.groups = groups
    self.splits = splits
    self.identities = identities
    self.target = target
    self.protected = protected
    self.classNames = classNames
    self.groupNames = groupNames
    self.warnings = warnings
  }

  /// The path of the image of row `row`.
  public func path(_ row: Int) -> String { "\(folder)/\(files[row])" }

  /// The rows of one split in order, the first `limit` of them if a limit is given.
  public func rows(in split: Split, limit: Int? = nil) -> [Int] {
    let rows = splits.indices.filter { splits[$0] == split }
    return limit.map { Array(rows.prefix($0)) } ?? rows
  }

  /// The number of images in each cell of `rows`: by group, then by class.
  public func counts(of rows: [Int]) -> [[Int]] {
    var counts = groupNames.map { _ in classNames.map { _ in 0 } }
    for row in rows { counts[Int(groups[row])][Int(labels[row])] += 1 }
    return counts
  }

  /// The SHA-256 of what was annotated and of the images' names and sizes.
  ///
  /// The message is one line for each image, sorted by the bytes of the file name: name, class,
  /// group, split, identity (or `-`) and the length of the file in bytes, separated by tabs and
  /// ended by a line feed. It comes after a first line of the target, the protected columns, and
  /// the names of classes and groups, likewise separated. Pixels are not read: an image that was
  /// changed in place without changing its length goes unnoticed.
  ///
  /// - Throws: `FileError` when an image is missing.
  public func fingerprint() throws(FileError) -> String {
    var hash = SHA256()
    let names = [target] + protected + classNames + groupNames
    hash.update(Array((names.joined(separator: "\t") + "\n").utf8))
    var lines: [UInt8] = []
    for row in files.indices.sorted(by: { files[$0].utf8.lexicographicallyPrecedes(files[$1].utf8) }
    ) {
      let length = try FileListing.length(path(row))
      let identity = identities.map { "\($0[row])" } ?? "-"
      lines += "\(files[row])\t\(labels[row])\t\(groups[row])\t\(splits[row].rawValue)".utf8
      lines += "\t\(identity)\t\(length)\n".utf8
      if lines.count > 1 << 16 {
        hash.update(lines)
        lines.removeAll(keepingCapacity: true)
      }
    }
    hash.update(lines)
    return hash.finish()
  }
}
