public import Faces
import Tensors

/// The validation split in two: rows that choices are made on, and rows that no choice sees.
///
/// A quarter is for choices, since bounds are as narrow as the rows of verdict are many. All images
/// of one person are on one side, where identities are known.
public struct ValidationParts: Hashable, Sendable {
  /// The rows for choices.
  public var selection: [Int]
  /// The rows for the verdict.
  public var verification: [Int]
  let seed: UInt64
  let limit: Int

  /// Divides the validation rows of `dataset`.
  ///
  /// - Parameters:
  ///   - dataset: The data.
  ///   - limit: The largest number of selection rows, but for the other images of the last person.
  ///   - seed: Decides who is where.
  /// - Throws: ``CompressionError`` when one of the sides would be empty.
  public init(
    of dataset: FaceDataset, limit: Int = 5000, seed: UInt64
  ) throws(CompressionError) {
    self.seed = seed
    self.limit = limit
    let rows = dataset.rows(in: .validation)
    var people: [UInt64: [Int]] = [:]
    for row in rows {
      let person = UInt64(
        bitPattern: Int64(dataset.identities?[row] ?? Int32(truncatingIfNeeded: row)))
      people[person, default: []].append(row)
    }
    let order = people.keys.map { person -> (place: UInt64, person: UInt64) in
      var random = SplitMix64(seed: seed ^ 0x5e1ec7, stream: person)
      return (random.next(), person)
    }.sorted { $0 < $1 }
    selection = []
    verification = []
    for (_, person) in order {
      if selection.count < min(limit, rows.count / 4) {
        selection += people[person] ?? []
      } else {
        verification += people[person] ?? []
      }
    }
    selection.sort()
    verification.sort()
    guard !selection.isEmpty, !verification.isEmpty else {
      throw CompressionError(
        dataset.folder,
        "its validation split has \(rows.count) images, too few to choose on some and verify on "
          + "others")
    }
  }

  /// What a certificate says of some of the rows.
  func record(_ rows: [Int], in dataset: FaceDataset) -> Certificate.Rows {
    Certificate.Rows(
      count: rows.count, seed: seed, limit: limit,
      fingerprint: CalibrationSettings.fingerprint(of: rows, in: dataset))
  }
}
