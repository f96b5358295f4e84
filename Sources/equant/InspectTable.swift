import Graphs
import Tensors

/// One tensor in the JSON of `equant inspect`, with or without `--diff`; names are stable.
struct TensorRow: Encodable {
  var name: String
  var elementType: String
  var shape: [Int?]
  /// Nil for an input or a result, which the file does not hold.
  var bytes: Int?
}

extension TensorRow {
  init(_ entry: ModelInventory.Entry) {
    self.init(
      name: entry.name, elementType: entry.elementType.rawValue, shape: entry.shape,
      bytes: entry.bytes)
  }
}

/// How `equant inspect` lays out tables for people.
enum InspectTable {
  /// A shape with '?' where it is free: `[?, 3, 64, 64]`.
  static func shape(_ shape: [Int?]) -> String {
    "[" + shape.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") + "]"
  }

  /// An empty line, a heading and rows in columns; the columns `numbers` are flush right.
  static func section(
    _ heading: [String], _ rows: [[String]], numbers: Set<Int> = []
  ) -> [String] {
    let all = [heading] + rows
    let widths = heading.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return [""]
      + all.map { row in
        let cells = row.enumerated().map { column, cell in
          let space = String(repeating: " ", count: widths[column] - cell.count)
          return numbers.contains(column) ? space + cell : cell + space
        }
        let line = cells.joined(separator: "  ")
        return String(line[...(line.lastIndex { $0 != " " } ?? line.startIndex)])
      }
  }
}
