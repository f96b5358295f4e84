/// Images ready for a network, with what is known about them.
public struct Batch: Sendable {
  /// The epoch it belongs to, from 0.
  public let epoch: Int

  /// Its place in the epoch, from 0.
  public let index: Int

  /// How many images are valid; they come first.
  public let count: Int

  /// Float32 in the order `[batchSize, 3, size, size]`; zero beyond ``count`` images.
  public let images: [Float]

  /// The class of each image; 0 beyond ``count``.
  ///
  /// This and the arrays below have `batchSize` elements.
  public let labels: [Int32]

  /// The group of each image; 0 beyond ``count``.
  public let groups: [Int32]

  /// The row of the data set that each image is; -1 beyond ``count``.
  public let rows: [Int]
}

/// What a ``BatchLoader`` does with the images of an epoch that do not fill a batch.
public enum LastBatch: Hashable, Sendable {
  /// Leaves them out, so that all batches are full: for training.
  case drop
  /// Fills up with zeros and says so in ``Batch/count``: for evaluation.
  case pad
}
