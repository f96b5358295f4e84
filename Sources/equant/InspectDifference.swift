import Graphs
import Tensors

/// The JSON of `equant inspect --diff`; names are stable.
///
/// For both files the bytes of all rows and the overhead add up to the file's length.
struct InspectDifference: Encodable {
  struct File: Encodable {
    var file: String
    var bytes: Int
    var payload: Int
    var overhead: Int
  }
  struct Row: Encodable {
    var name: String
    /// `same`, `changed`, `removed` or `added`.
    var change: String
    var before: TensorRow?
    var after: [TensorRow]
    var bytesBefore: Int
    var bytesAfter: Int
  }
  struct OperatorRow: Encodable {
    var operation: String
    var before: Int
    var after: Int
  }

  var before: File
  var after: File
  var tensors: [Row]
  var operators: [OperatorRow]

  init(
    from first: ModelInventory, path: String, to second: ModelInventory, path other: String
  ) {
    func file(_ inventory: ModelInventory, _ path: String) -> File {
      File(
        file: path, bytes: inventory.fileBytes, payload: inventory.payload,
        overhead: inventory.overhead)
    }
    before = file(first, path)
    after = file(second, other)
    let difference = ModelDifference(from: first, to: second)
    tensors = difference.rows.map { row in
      let change =
        row.isUnchanged
        ? "same" : row.before == nil ? "added" : row.after.isEmpty ? "removed" : "changed"
      return Row(
        name: row.name, change: change, before: row.before.map { TensorRow($0) },
        after: row.after.map { TensorRow($0) },
        bytesBefore: row.bytesBefore, bytesAfter: row.bytesAfter)
    }
    operators = difference.operators.map {
      OperatorRow(operation: $0.operation.rawValue, before: $0.before, after: $0.after)
    }
  }

  var text: String {
    var lines = [
      "\(before.file): \(before.bytes) bytes", "\(after.file): \(after.bytes) bytes\(share)",
    ]
    func codec(_ parts: [TensorRow]) -> String {
      parts.map(\.elementType).reduce(into: [String]()) { all, type in
        if !all.contains(type) { all.append(type) }
      }.joined(separator: " + ")
    }
    let changed = tensors.filter { $0.change != "same" }
    let same = tensors.filter { $0.change == "same" }
    var rows = changed.map { row in
      [
        row.name, row.change, row.before.map { codec([$0]) } ?? "",
        (row.before ?? row.after.first).map { InspectTable.shape($0.shape) } ?? "",
        codec(row.after), "\(row.bytesBefore)", "\(row.bytesAfter)",
      ]
    }
    func sum(_ rows: [Row], _ bytes: (Row) -> Int) -> String {
      "\(rows.reduce(0) { $0 + bytes($1) })"
    }
    if !same.isEmpty {
      rows.append([
        "\(same.count) more", "same", "", "", "", sum(same, \.bytesBefore), sum(same, \.bytesAfter),
      ])
    }
    rows += [
      ["the rest", "", "", "", "", "\(before.overhead)", "\(after.overhead)"],
      ["the file", "", "", "", "", "\(before.bytes)", "\(after.bytes)"],
    ]
    lines += InspectTable.section(
      ["tensor", "", "before", "shape", "after", "bytes before", "bytes after"], rows,
      numbers: [5, 6])
    if !operators.isEmpty {
      lines += InspectTable.section(
        ["operator", "before", "after"],
        operators.map { [$0.operation, "\($0.before)", "\($0.after)"] }, numbers: [1, 2])
    }
    return lines.joined(separator: "\n")
  }

  /// How the files' lengths compare, in hundredths.
  private var share: String {
    guard before.bytes > 0 else { return "" }
    let hundredths = (after.bytes * 10_000 + before.bytes / 2) / before.bytes
    let rest = hundredths % 100
    return ", \(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) % of the first"
  }
}
