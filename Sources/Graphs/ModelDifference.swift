import Tensors

/// What became of every constant of a model in another file, usually a compressed one.
///
/// Constants are matched by name; what a scheme stores in several constants (`w_quantized`,
/// `w_scale` for `w`) belongs to the constant whose name theirs begin with. The bytes of all rows
/// and both overheads add up to the lengths of the two files.
public struct ModelDifference: Hashable, Sendable {
  /// One constant of the first file with all that stands for it in the second.
  public struct Row: Hashable, Sendable {
    /// The constant's name, in the second file where the first has nothing like it.
    public var name: String
    /// What the first file stores; `nil` where it has nothing.
    public var before: ModelInventory.Entry?
    /// What the second file stores: the numbers, then scales, zero points and codebooks.
    public var after: [ModelInventory.Entry]
    /// Whether both files store the same type, shape and bytes.
    public var isUnchanged: Bool

    /// The bytes in the first file.
    public var bytesBefore: Int { before?.bytes ?? 0 }
    /// The bytes in the second file.
    public var bytesAfter: Int { after.reduce(0) { $0 + $1.bytes } }
  }

  /// The constants in the order of the first file, then those that only the second has.
  public var rows: [Row]
  /// The operators whose number differs, by name: how many there were, and are.
  public var operators: [(operation: Operation, before: Int, after: Int)] { counts.map { $0.row } }

  private var counts: [OperatorCount]

  private struct OperatorCount: Hashable, Sendable {
    var operation: Operation
    var before: Int
    var after: Int
    var row: (operation: Operation, before: Int, after: Int) { (operation, before, after) }
  }

  /// Compares two inventories.
  public init(from first: ModelInventory, to second: ModelInventory) {
    var rows = first.entries.map {
      Row(name: $0.name, before: $0, after: [], isUnchanged: false)
    }
    var places: [String: Int] = [:]
    for (index, entry) in first.entries.enumerated() { places[entry.name] = index }
    for entry in second.entries {
      if let place = Self.owner(of: entry.name, in: places) {
        rows[place].after.append(entry)
      } else {
        places[entry.name] = rows.count
        rows.append(Row(name: entry.name, before: nil, after: [entry], isUnchanged: false))
      }
    }
    for index in rows.indices {
      let row = rows[index]
      guard let before = row.before, row.after.count == 1, row.after[0].name == before.name,
        row.after[0].elementType == before.elementType, row.after[0].shape == before.shape,
        let old = first.graph.initializers[before.name],
        old == second.graph.initializers[before.name]
      else { continue }
      rows[index].isUnchanged = true
    }
    self.rows = rows
    func counts(_ inventory: ModelInventory) -> [Operation: Int] {
      Dictionary(inventory.operations.map { ($0.operation, $0.count) }) { $1 }
    }
    let (old, new) = (counts(first), counts(second))
    self.counts = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }
      .sorted { $0.rawValue < $1.rawValue }
      .map { OperatorCount(operation: $0, before: old[$0] ?? 0, after: new[$0] ?? 0) }
  }

  /// The constant that `name` belongs to: itself, or the longest that it continues by `_` or `.`.
  private static func owner(of name: String, in places: [String: Int]) -> Int? {
    if let place = places[name] { return place }
    var end = name.endIndex
    while end > name.startIndex {
      end = name.index(before: end)
      guard name[end] == "_" || name[end] == "." else { continue }
      if let place = places[String(name[..<end])] { return place }
    }
    return nil
  }
}
