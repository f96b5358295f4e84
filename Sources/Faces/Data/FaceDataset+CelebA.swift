public import Files

extension FaceDataset {
  /// Opens CelebA as people have it.
  ///
  /// In `folder` there are the images, in `img_align_celeba` (or in a folder of the same name inside
  /// it, as Kaggle's archive unpacks), and the annotation: `list_attr_celeba`,
  /// `list_eval_partition` and perhaps `identity_CelebA`, each as `.txt` or `.csv`, beside the
  /// images' folder or in a folder `Anno` or `Eval`.
  ///
  /// - Parameters:
  ///   - folder: The folder of the data set.
  ///   - target: The attribute to predict.
  ///   - protected: The attributes that make groups; two or more make intersections.
  /// - Returns: The data set; classes are "has not" and "has", in this order.
  /// - Throws: `FileError` naming file and line, for whatever ``Annotations/read(_:)-(String)``
  ///   refuses, a missing image, a row without a split, or a name that is no attribute.
  public static func celebA(
    _ folder: String, target: String = "Attractive", protected: [String] = ["Male"]
  ) throws(FileError) -> FaceDataset {
    guard Files.isFolder(folder) else { throw FileError(folder, "is not a folder") }
    let images = try imageFolder(in: folder)
    guard let table = find("list_attr_celeba", in: folder) else {
      throw FileError(folder, "has neither list_attr_celeba.txt nor list_attr_celeba.csv")
    }
    guard let partition = find("list_eval_partition", in: folder) else {
      throw FileError(folder, "has neither list_eval_partition.txt nor list_eval_partition.csv")
    }
    let annotations = try Annotations.read(table)
    let targetColumn = try annotations.column(target)
    let grouping = try Grouping(annotations, protected)
    try FileListing.check(annotations.files, in: images, namedBy: table) {
      Int(annotations.lines[$0])
    }

    var warnings = annotations.warnings
    let splits = try column(partition, for: annotations, &warnings, "0, 1 or 2") {
      0...2 ~= $0 ? Split(rawValue: $0) : nil
    }
    var identities: [Int32]?
    if let path = find("identity_CelebA", in: folder) {
      identities = try column(path, for: annotations, &warnings, "an identity from 0 up") {
        $0 >= 0 ? Int32(exactly: $0) : nil
      }
    }
    return FaceDataset(
      folder: images, files: annotations.files,
      labels: (0..<annotations.count).map { annotations[$0, targetColumn] ? 1 : 0 },
      groups: (0..<annotations.count).map { grouping.group(annotations, $0) },
      splits: splits, identities: identities, target: target, protected: protected,
      classNames: ["not \(target)", target], groupNames: grouping.names, warnings: warnings)
  }

  private static func imageFolder(in folder: String) throws(FileError) -> String {
    let outer = "\(folder)/img_align_celeba"
    for path in ["\(outer)/img_align_celeba", outer] where Files.isFolder(path) { return path }
    throw FileError(folder, "has no folder img_align_celeba with the images")
  }

  static func find(_ name: String, in folder: String) -> String? {
    for place in ["", "/Anno", "/Eval"] {
      for ending in ["txt", "csv"] {
        let path = "\(folder)\(place)/\(name).\(ending)"
        if Files.exists(path) { return path }
      }
    }
    return nil
  }

  /// Reads a table of image and number, and gives the values in the order of the annotation.
  static func column<Value>(
    _ path: String, for annotations: Annotations, _ warnings: inout [String], _ expected: String,
    _ value: (Int) -> Value?
  ) throws(FileError) -> [Value] {
    var table = try TextTable(reading: path)
    var fields: [Range<Int>] = []
    if table.separator == .commas { _ = try table.next(&fields) }
    var values: [Value] = []
    values.reserveCapacity(annotations.count)
    var others: [String: Value] = [:]
    while try table.next(&fields) {
      guard fields.count == 2 else {
        throw table.problem("expected 2 columns, found \(fields.count)")
      }
      guard let found = table.integer(fields[1]).flatMap(value) else {
        throw table.problem("expected \(expected), found \"\(table.text(fields[1]))\"")
      }
      // As a rule both files name the same images in the same order.
      let file = table.text(fields[0])
      if others.isEmpty, values.count < annotations.count, annotations.files[values.count] == file {
        values.append(found)
      } else if others.updateValue(found, forKey: file) != nil {
        throw table.problem("names \(file) twice")
      }
    }
    for row in values.count..<annotations.count {
      guard let found = others[annotations.files[row]] else {
        throw FileError(
          path,
          "has no row for \(annotations.files[row]) (line \(annotations.lines[row]) of "
            + "\(annotations.path))")
      }
      values.append(found)
    }
    warnings += table.warnings
    return values
  }
}

/// How yes-or-no attributes make groups: each combination is one.
private struct Grouping {
  let columns: [Int]
  let names: [String]

  init(_ annotations: Annotations, _ attributes: [String]) throws(FileError) {
    guard attributes.count <= 8 else {
      throw FileError(annotations.path, "at most 8 attributes can be protected at once")
    }
    var columns: [Int] = []
    for attribute in attributes { columns.append(try annotations.column(attribute)) }
    self.columns = columns
    names = (0..<1 << columns.count).map { group in
      guard !attributes.isEmpty else { return "everyone" }
      return attributes.enumerated().map { index, attribute in
        Self.name(attribute, group >> (attributes.count - 1 - index) & 1 == 1)
      }.joined(separator: ", ")
    }
  }

  func group(_ annotations: Annotations, _ row: Int) -> Int32 {
    columns.reduce(0) { $0 * 2 + (annotations[row, $1] ? 1 : 0) }
  }

  private static func name(_ attribute: String, _ has: Bool) -> String {
    if attribute == "Male" { return has ? "male" : "female" }
    let words = attribute.lowercased().replacing("_", with: " ")
    return has ? words : "not \(words)"
  }
}
