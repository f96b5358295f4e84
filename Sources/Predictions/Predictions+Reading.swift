import Fairness
public import Files

extension Predictions {
  /// Reads a predictions file into columns.
  ///
  /// Rows without an id column are named by their number, from 1.
  ///
  /// - Returns: The rows in the order of the file, and how many were left out for missing values.
  /// - Throws: `FileError` naming file, line and column of what cannot be read.
  public static func reading(
    _ path: String, options: ReadingOptions = ReadingOptions()
  ) throws -> (predictions: Predictions, skipped: Int) {
    let file = try PredictionFile(path, options)
    var ids: [String] = []
    var labels: [Bool] = []
    var scores: [Double] = []
    var weights: [Double] = []
    var identities: [String] = []
    var attributes = options.groups.map { _ in Column() }
    let skipped = try file.read {
      ColumnSink(file: file)
    } merge: { sink in
      ids += sink.ids
      labels += sink.labels
      scores += sink.scores
      weights += sink.weights
      identities += sink.identities
      for i in attributes.indices { attributes[i].append(sink.names[i].texts, sink.codes[i]) }
    }
    try file.refuseEmpty(rows: scores.count, skipped: skipped)
    if !file.hasID { ids = (0..<scores.count).map { "\($0 + 1)" } }
    let predictions = Predictions(
      ids: ids, labels: labels, scores: scores,
      attributes: zip(options.groups, attributes).map { $1.attribute($0) },
      identities: options.identity == nil ? nil : identities,
      weights: options.weight == nil ? nil : weights)
    return (predictions, skipped)
  }

  /// The names of a predictions file's columns.
  ///
  /// - Throws: `FileError` when the header cannot be read or lacks a column that `options` name.
  public static func columns(
    of path: String, options: ReadingOptions = ReadingOptions()
  ) throws(FileError) -> [String] {
    try PredictionFile(path, options).columns
  }

  /// Brings the rows of `other` into this one's order, matched by id.
  ///
  /// - Throws: `FileError` about `path` when an id is there twice or missing, or when a row's label
  ///   or group differs: how many rows, and three of them.
  public func matching(_ other: Predictions, from path: String) throws(FileError) -> Predictions {
    var places: [String: Int] = [:]
    places.reserveCapacity(other.count)
    var doubled: [String] = []
    for (row, id) in other.ids.enumerated() where places.updateValue(row, forKey: id) != nil {
      doubled.append(id)
    }
    guard doubled.isEmpty else {
      throw FileError(path, "\(Self.some(doubled, "id", "ids")) more than once")
    }
    let rows = ids.map { places[$0] ?? -1 }
    let lacking = zip(ids, rows).filter { $1 < 0 }.map(\.0)
    guard lacking.isEmpty else {
      throw FileError(path, "lacks \(Self.some(lacking, "id", "ids")) of the other file")
    }
    if other.count != count {
      let known = Set(ids)
      let extra = other.ids.filter { !known.contains($0) }
      guard extra.isEmpty else {
        throw FileError(path, "has \(Self.some(extra, "id", "ids")) that the other file lacks")
      }
      // As many ids as rows here, and each is there: then an id is twice in this file.
      throw FileError(path, "has \(other.count) rows, the other file \(count): an id is repeated")
    }
    let labels = rows.map { other.labels[$0] }
    let odd = ids.indices.filter { labels[$0] != self.labels[$0] }.map { ids[$0] }
    guard odd.isEmpty else {
      throw FileError(path, "has another label for \(Self.some(odd, "id", "ids"))")
    }
    var attributes: [Attribute] = []
    for (own, theirs) in zip(self.attributes, other.attributes) {
      let moved = ids.indices.filter { row in
        own.groups[Int(own.codes[row])] != theirs.groups[Int(theirs.codes[rows[row]])]
      }
      guard moved.isEmpty else {
        let ids = moved.map { self.ids[$0] }
        throw FileError(path, "has another \(own.name) for \(Self.some(ids, "id", "ids"))")
      }
      attributes.append(own)
    }
    if let weights, let theirs = other.weights {
      let moved = ids.indices.filter { weights[$0] != theirs[rows[$0]] }
      guard moved.isEmpty else {
        let ids = moved.map { self.ids[$0] }
        throw FileError(path, "has another weight for \(Self.some(ids, "id", "ids"))")
      }
    }
    return Predictions(
      ids: ids, labels: labels, scores: rows.map { other.scores[$0] }, attributes: attributes,
      identities: identities, weights: weights)
  }

  /// `5 ids (a, b, c, …)`.
  private static func some(_ items: [String], _ one: String, _ many: String) -> String {
    let shown = items.prefix(3).joined(separator: ", ")
    let more = items.count > 3 ? ", …" : ""
    return "\(items.count) \(items.count == 1 ? one : many) (\(shown)\(more))"
  }
}

/// A group column that grows by pieces, each with its own numbering.
private struct Column {
  var texts: [String] = []
  var codes: [Int32] = []
  private var positions: [String: Int32] = [:]

  mutating func append(_ names: [String], _ part: [Int32]) {
    let map = names.map { name -> Int32 in
      if let known = positions[name] { return known }
      let new = Int32(clamping: texts.count)
      positions[name] = new
      texts.append(name)
      return new
    }
    codes.reserveCapacity(codes.count + part.count)
    for code in part { codes.append(map[Int(code)]) }
  }

  /// The attribute with its groups in alphabetical order.
  func attribute(_ name: String) -> Attribute {
    let order = texts.indices.sorted { texts[$0] < texts[$1] }
    var place = [Int32](repeating: 0, count: texts.count)
    for (new, old) in order.enumerated() { place[old] = Int32(clamping: new) }
    return Attribute(name, groups: order.map { texts[$0] }, codes: codes.map { place[Int($0)] })
  }
}

/// Keeps the rows of one piece of a file.
private struct ColumnSink: RowSink, Sendable {
  let file: PredictionFile
  var ids: [String] = []
  var labels: [Bool] = []
  var scores: [Double] = []
  var weights: [Double] = []
  var identities: [String] = []
  var names: [Names]
  var codes: [[Int32]]

  init(file: PredictionFile) {
    self.file = file
    names = .init(repeating: Names(), count: file.options.groups.count)
    codes = .init(repeating: [], count: file.options.groups.count)
  }

  mutating func take(
    _ fields: UnsafeMutableBufferPointer<Field>, of bytes: UnsafeBufferPointer<UInt8>
  ) throws(RowProblem.Fault) {
    let values = try file.values(fields, bytes)
    if file.options.identity != nil {
      let field = fields[PredictionFile.Slot.identity]
      guard !file.isMissing(field, bytes) else {
        throw RowProblem.Fault(
          kind: .missing(column: file.names[PredictionFile.Slot.identity]))
      }
      identities.append(RowParser.text(field, bytes))
    }
    if file.hasID { ids.append(RowParser.text(fields[PredictionFile.Slot.id], bytes)) }
    labels.append(values.label)
    scores.append(values.score)
    if file.options.weight != nil { weights.append(values.weight) }
    for i in names.indices {
      let code = names[i].number(of: fields[PredictionFile.Slot.groups + i], bytes)
      codes[i].append(Int32(clamping: code))
    }
  }
}
