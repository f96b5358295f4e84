public import Faces
import Tensors

/// The validation split in two: rows that choices are made on, and rows that no choice sees.
///
/// All images of one person are on one side, where identities are known.
public struct ValidationHalves: Hashable, Sendable {
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
  ///   - limit: The largest number of selection rows; what is beyond goes to nobody.
  ///   - seed: Decides who is where.
  /// - Throws: ``CompressionError`` when one of the sides would be empty.
  public init(
    of dataset: FaceDataset, limit: Int = 5000, seed: UInt64
  ) throws(CompressionError) {
    self.seed = seed
    self.limit = limit
    selection = []
    verification = []
    for row in dataset.rows(in: .validation) {
      let person = UInt64(
        bitPattern: Int64(dataset.identities?[row] ?? Int32(truncatingIfNeeded: row)))
      var random = SplitMix64(seed: seed ^ 0x5e1ec7, stream: person)
      if random.next() & 1 == 0 {
        if selection.count < limit { selection.append(row) }
      } else {
        verification.append(row)
      }
    }
    guard !selection.isEmpty, !verification.isEmpty else {
      throw CompressionError(
        dataset.folder,
        "its validation split has \(selection.count + verification.count) images, too few to "
          + "choose on some and verify on others")
    }
  }

  /// What a certificate says of some of the rows.
  func record(_ rows: [Int], in dataset: FaceDataset) -> Certificate.Rows {
    Certificate.Rows(
      count: rows.count, seed: seed, limit: limit,
      fingerprint: CalibrationSettings.fingerprint(of: rows, in: dataset))
  }
}
