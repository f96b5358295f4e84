import Foundation

/// What every choice for every part of a network does to every decision, measured one by one.
///
/// A row's margin is the logit of class 1 less that of class 0. The table holds the margins of the
/// float model, and for every unit (a few neighbouring tensors that share a choice) and choice how
/// much each margin moves when that unit alone is stored so. Margins of any combination are
/// predicted as the sum; how far that is from the truth is measured on the chosen one.
struct DeltaTable: Codable, Hashable {
  /// One way to store a unit.
  struct Choice: Codable, Hashable {
    /// The scheme's step: `kmeans:8`.
    var step: String
    /// The bytes that it adds to the file.
    var bytes: Int
    /// How much every row's margin moves.
    var deltas: [Float]
  }

  /// Tensors that share a choice.
  struct Unit: Codable, Hashable {
    /// Their names.
    var tensors: [String]
    /// The ways to store them, by rising bytes.
    var choices: [Choice]
  }

  /// The margins of the float model.
  var margins: [Float]
  /// Group and label of every row: `group * 2 + label`.
  var cells: [Int32]
  /// The number of groups.
  var groups: Int
  /// The parts of the network.
  var units: [Unit]

  /// The predicted margins of a combination, one choice for each unit.
  func margins(of choices: [Int]) -> [Float] {
    var result = margins
    for (unit, choice) in zip(units, choices) {
      let deltas = unit.choices[choice].deltas
      for i in result.indices { result[i] += deltas[i] }
    }
    return result
  }

  /// The bytes of a combination, without what does not depend on it.
  func bytes(of choices: [Int]) -> Int {
    zip(units, choices).reduce(0) { $0 + $1.0.choices[$1.1].bytes }
  }
}

extension DeltaTable.Choice {
  private enum Key: String, CodingKey { case step, bytes, deltas }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    step = try container.decode(String.self, forKey: .step)
    bytes = try container.decode(Int.self, forKey: .bytes)
    let data = try container.decode(Data.self, forKey: .deltas)
    deltas = data.withUnsafeBytes { raw in
      (0..<raw.count / 4).map {
        Float(bitPattern: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
      }
    }
  }

  /// Deltas are written as the bytes of little-endian floats: there are hundreds of thousands.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(step, forKey: .step)
    try container.encode(bytes, forKey: .bytes)
    try container.encode(deltas.withUnsafeBytes { Data($0) }, forKey: .deltas)
  }
}

extension DeltaTable {
  /// Whether all parts have as many rows: a cache may be damaged.
  var isConsistent: Bool {
    let count = margins.count
    return cells.count == count && groups > 0
      && cells.allSatisfy { $0 >= 0 && Int($0) < 2 * groups }
      && units.allSatisfy { unit in
        !unit.choices.isEmpty && unit.choices.allSatisfy { $0.deltas.count == count }
      }
  }
}
