public import Files
internal import Tensors

/// Which columns of a CSV file hold what.
public struct TableColumns: Hashable, Codable, Sendable {
  /// The image's file, relative to the folder of images.
  public var file = "file"
  /// The class: 0, 1, … or any text.
  public var label = "label"
  /// What groups are made of: one column, or more for intersections.
  public var groups = ["group"]
  /// `train`, `validation` or `test`, or CelebA's 0, 1, 2; may be absent from the file.
  public var split = "split"
  /// The person on the image, any text; may be absent from the file.
  public var identity = "identity"

  /// The names `file`, `label`, `group`, `split` and `identity`.
  public init() {}
}

extension FaceDataset {
  /// Opens a folder of images that a CSV file describes, one row for each image after a header.
  ///
  /// Labels that are all whole numbers from 0 up are classes as they are; other labels are sorted
  /// and numbered. Groups are named by their text, intersections by theirs, as `asian, female`.
  /// Without a column of splits, a person (or, without identities, an image) goes to train,
  /// validation or test with probability 0.8, 0.1 and 0.1, decided by a hash of the name alone, so
  /// that adding rows moves none.
  ///
  /// - Parameters:
  ///   - folder: The folder of images.
  ///   - table: The CSV file.
  ///   - columns: What its columns are called.
  /// - Returns: The data set, in the order of the file.
  /// - Throws: `FileError` naming file and line, for a missing column or image, a row with too few
  ///   or too many columns, an empty value, a split of another name, an image named twice, or more
  ///   than 1000 classes or 1000 groups.
  public static func table(
    _ folder: String, _ table: String, columns: TableColumns = TableColumns()
  ) throws(FileError) -> FaceDataset {
    let rows = try Rows(table, columns)
    try FileListing.check(rows.files, in: folder, namedBy: table) { rows.lines[$0] }
    let classes = try Coding.numbers(rows.labels, "classes", table)
    let codings = try rows.groups.map { texts throws(FileError) in
      try Coding.sorting(texts, "values of a group column", table)
    }
    guard codings.reduce(1, { $0 * $1.names.count }) <= 1000 else {
      throw FileError(table, "its group columns make more than 1000 groups")
    }
    var names = [""]
    for coding in codings {
      names = names.flatMap { left in
        coding.names.map { left.isEmpty ? $0 : "\(left), \($0)" }
      }
    }
    let groups = rows.files.indices.map { row in
      codings.reduce(0 as Int32) { $0 * Int32($1.names.count) + $1.codes[row] }
    }
    let identities = try rows.identities.map { texts throws(FileError) in
      try Coding.sorting(texts, "identities", table, atMost: Int(Int32.max)).codes
    }
    let splits = rows.splits ?? (rows.identities ?? rows.files).map(Split.drawn)
    return FaceDataset(
      folder: folder, files: rows.files, labels: classes.codes, groups: groups, splits: splits,
      identities: identities, target: columns.label, protected: columns.groups,
      classNames: classes.names, groupNames: columns.groups.isEmpty ? ["everyone"] : names,
      warnings: rows.warnings)
  }
}

extension Split {
  /// The split that `name` falls into when nothing else decides it.
  fileprivate static func drawn(_ name: String) -> Split {
    // FNV-1a, then one step of SplitMix64 to spread it: hashing must not differ between runs.
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    var random = SplitMix64(seed: hash)
    let place = random.uniform()
    return place < 0.8 ? .train : place < 0.9 ? .validation : .test
  }
}

/// The columns of the file as text.
private struct Rows {
  var files: [String] = []
  var labels: [String] = []
  var groups: [[String]] = []
  var splits: [Split]?
  var identities: [String]?
  var lines: [Int] = []
  var warnings: [String] = []

  init(_ path: String, _ columns: TableColumns) throws(FileError) {
    var table = TextTable(path: path, bytes: try Files.read(path), separator: .commas)
    var fields: [Range<Int>] = []
    guard try table.next(&fields) else { throw FileError(path, "is empty") }
    let header = fields.map(table.text)
    func column(_ name: String) throws(FileError) -> Int {
      guard let column = header.firstIndex(of: name) else {
        throw table.problem(
          "has no column \"\(name)\"; it has \(header.joined(separator: ", "))")
      }
      return column
    }
    let file = try column(columns.file)
    let label = try column(columns.label)
    let groupColumns = try columns.groups.map(column)
    let split = header.firstIndex(of: columns.split)
    let identity = header.firstIndex(of: columns.identity)
    groups = groupColumns.map { _ in [] }
    if split != nil { splits = [] }
    if identity != nil { identities = [] }

    var seen: Set<String> = []
    while try table.next(&fields) {
      guard fields.count == header.count else {
        throw table.problem("expected \(header.count) columns, found \(fields.count)")
      }
      func text(_ column: Int) throws(FileError) -> String {
        let text = table.text(fields[column])
        guard !text.isEmpty else { throw table.problem("\(header[column]) is empty") }
        return text
      }
      files.append(try text(file))
      guard seen.insert(files[files.count - 1]).inserted else {
        throw table.problem("names \(files[files.count - 1]) twice")
      }
      labels.append(try text(label))
      for (index, column) in groupColumns.enumerated() { groups[index].append(try text(column)) }
      if let split {
        let name = try text(split)
        guard let known = Split(text: name) else {
          throw table.problem("expected train, validation or test, found \"\(name)\"")
        }
        splits?.append(known)
      }
      if let identity { identities?.append(try text(identity)) }
      lines.append(table.line)
    }
    guard !files.isEmpty else { throw FileError(path, "has no rows below its header") }
    warnings = table.warnings
  }
}

/// Texts as numbers.
private struct Coding {
  var names: [String]
  var codes: [Int32]

  /// Numbers the different texts in sorted order.
  static func sorting(
    _ texts: [String], _ what: String, _ path: String, atMost limit: Int = 1000
  ) throws(FileError) -> Coding {
    let names = Set(texts).sorted()
    guard names.count <= limit else { throw FileError(path, "has more than \(limit) \(what)") }
    let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, Int32($0)) })
    return Coding(names: names, codes: texts.map { numbers[$0, default: 0] })
  }

  /// Takes whole numbers from 0 up as they are, and numbers other texts.
  static func numbers(
    _ texts: [String], _ what: String, _ path: String
  ) throws(FileError) -> Coding {
    let numbers = texts.compactMap { Int32($0) }
    guard numbers.count == texts.count, numbers.allSatisfy({ 0..<1000 ~= $0 }),
      let largest = numbers.max()
    else { return try sorting(texts, what, path) }
    return Coding(names: (0...max(1, largest)).map(String.init), codes: numbers)
  }
}
