public import Faces
import Files
import Tensors

/// Which images a calibration looks at.
public struct CalibrationSettings: Hashable, Codable, Sendable {
  /// How many images; fewer are taken where the train split has fewer.
  public var count: Int
  /// The seed of the choice.
  public var seed: UInt64
  /// Whether every cell of group and label gives the same number of images, as far as it has them.
  public var isBalanced: Bool
  /// The one group whose images are looked at; `nil` looks at everybody's.
  public var group: String?

  /// Settings as given.
  public init(
    count: Int = 512, seed: UInt64 = 0, isBalanced: Bool = false, group: String? = nil
  ) {
    self.group = group
    self.count = count
    self.seed = seed
    self.isBalanced = isBalanced
  }

  /// The rows of the train split to calibrate with, in the order in which they are seen.
  ///
  /// - Throws: ``CompressionError`` when there is no row or fewer than one is asked for.
  public func rows(of dataset: FaceDataset) throws(CompressionError) -> [Int] {
    guard count > 0 else {
      throw CompressionError("calibration", "\(count) images asked for, expected 1 or more")
    }
    var rows = dataset.rows(in: .train)
    guard !rows.isEmpty else {
      throw CompressionError(dataset.folder, "its train split has no images to calibrate with")
    }
    if let group {
      guard let code = dataset.groupNames.firstIndex(of: group) else {
        throw CompressionError(
          "calibration",
          "there is no group '\(group)'; there are \(dataset.groupNames.joined(separator: ", "))")
      }
      rows.removeAll { dataset.groups[$0] != Int32(code) }
      guard !rows.isEmpty else {
        throw CompressionError(dataset.folder, "its train split has no images of '\(group)'")
      }
    }
    var random = SplitMix64(seed: seed, stream: 0xca1b)
    random.shuffle(&rows)
    return isBalanced
      ? Self.balanced(rows, count: count) { dataset.groups[$0] << 16 | dataset.labels[$0] }
      : Array(rows.prefix(count))
  }

  /// One row of each cell in turn, cells in order, until there are `count` or none is left.
  static func balanced(_ rows: [Int], count: Int, cell: (Int) -> Int32) -> [Int] {
    let cells = Dictionary(grouping: rows, by: cell).sorted { $0.key < $1.key }.map(\.value)
    let longest = cells.map(\.count).max() ?? 0
    var chosen: [Int] = []
    for turn in 0..<longest {
      for members in cells where turn < members.count && chosen.count < count {
        chosen.append(members[turn])
      }
    }
    return chosen
  }

  /// A digest of the images chosen: their names, classes and groups in order.
  static func fingerprint(of rows: [Int], in dataset: FaceDataset) -> String {
    var hash = SHA256()
    for row in rows {
      hash.update(
        Array("\(dataset.files[row])\t\(dataset.labels[row])\t\(dataset.groups[row])\n".utf8))
    }
    return hash.finish()
  }
}
