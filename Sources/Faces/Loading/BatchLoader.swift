public import Files
internal import Foundation

/// Prepares batches on background threads while the caller computes.
///
/// Batches come in the same order with the same contents whatever the number of threads, and an
/// epoch can be entered at any batch. At most ``Options/ahead`` batches wait. Dropping the loader
/// ends its threads.
///
/// ```swift
/// let loader = BatchLoader(faces, rows: faces.rows(in: .train), options: .training(seed: 1))
/// for epoch in 0..<epochs {
///   while let batch = try loader.next() { … }
/// }
/// ```
public final class BatchLoader {
  /// How batches are made.
  public struct Options: Hashable, Sendable {
    /// The number of images in a batch.
    public var batchSize = 64
    /// What is done to every image.
    public var preprocessing = Preprocessing()
    /// Random changes, if any.
    public var augmentation: Augmentation?
    /// Whether rows come in a new random order in each epoch; otherwise they come as given.
    public var shuffles = false
    /// Whether the cells of group and label take turns, so that every batch has as many of each.
    ///
    /// An epoch still has as many rows as were given: frequent cells leave some out, rare ones come
    /// back. Only with ``shuffles``.
    public var balances = false
    /// Decides order and changes.
    public var seed: UInt64 = 0
    /// What happens to rows that do not fill a batch.
    public var lastBatch = LastBatch.pad
    /// Whether damaged images are left out instead of ending the run.
    ///
    /// Where the last batch is padded, a batch is the shorter for them; where it is dropped,
    /// batches stay full and other images of the batch take their places.
    public var skipsDamaged = false
    /// How many batches may be ready or in the making ahead of the caller.
    public var ahead = 4
    /// How many threads prepare batches.
    public var threads = 2
    /// How many bytes of decoded and resized images are kept for the next epoch.
    public var cacheBytes = 1_000_000_000

    /// In the order given, padded and unchanged: for evaluation.
    public init() {}

    /// Shuffled, mirrored at random, in full batches.
    public static func training(seed: UInt64) -> Options {
      var options = Options()
      options.augmentation = Augmentation()
      options.shuffles = true
      options.seed = seed
      options.lastBatch = .drop
      return options
    }
  }

  /// How batches are made.
  public let options: Options

  /// The number of batches in an epoch.
  public let batchesPerEpoch: Int

  private let work: BatchWork
  private var position: Int
  private var epochEnds: Int

  /// Starts preparing batches of `rows`.
  ///
  /// - Parameters:
  ///   - dataset: Where the images are.
  ///   - rows: Which of its rows an epoch has.
  ///   - options: How batches are made.
  ///   - epochs: Which epochs are wanted; nothing is prepared beyond them.
  ///   - batch: The batch of the first epoch to begin with, to resume a run. `batchesPerEpoch`
  ///     stands for the end of that epoch.
  /// - Precondition: sizes and counts in `options` are positive, and `batch` is in the epoch.
  public init(
    _ dataset: FaceDataset, rows: [Int], options: Options = Options(),
    epochs: Range<Int> = 0..<1_000_000, startingAt batch: Int = 0
  ) {
    precondition(
      options.batchSize > 0 && options.ahead > 0 && options.threads > 0,
      "batch size, batches ahead and threads are at least 1")
    self.options = options
    let size = options.batchSize
    batchesPerEpoch =
      options.lastBatch == .drop ? rows.count / size : (rows.count + size - 1) / size
    precondition(0...batchesPerEpoch ~= batch, "an epoch has \(batchesPerEpoch) batches")
    position = epochs.lowerBound * batchesPerEpoch + batch
    epochEnds = (epochs.lowerBound + 1) * batchesPerEpoch
    work = BatchWork(
      dataset, rows, options, batchesPerEpoch,
      batches: position..<max(position, epochs.upperBound * batchesPerEpoch))
    work.start()
  }

  deinit { work.stop() }

  /// Waits for the next batch; nil at the end of each epoch, and for ever after the last one.
  ///
  /// The epoch and the batch that come next are those after the last one returned.
  ///
  /// - Throws: `FileError` that names an image which is missing or damaged, at the batch that needs
  ///   it; nothing more can be loaded then.
  public func next() throws(FileError) -> Batch? {
    if position == epochEnds {
      epochEnds += batchesPerEpoch
      return nil
    }
    guard let batch = try work.take(position) else { return nil }
    position += 1
    return batch
  }

  /// Why images were left out so far, each named once, in the order of their rows.
  public var skipped: [FileError] { work.skipped }
}
