import Execution
import Faces

extension BenchTraining {
  /// How fast training from files is, as a share of its speed on one batch in memory.
  struct LoadingShare: Encodable {
    /// While images are read and decoded for the first time.
    var firstEpoch: Double?
    /// Once they are kept, decoded and resized.
    var laterEpochs: Double?
  }

  /// Takes turns between steps on the loader's batches and steps on one batch, and compares the
  /// times of neighbouring turns.
  ///
  /// The first steps of each turn are not counted: the loader has made batches ahead, or still makes
  /// some.
  func loadingShare(
    _ session: TrainingSession, _ images: [Float], from data: String
  ) throws -> LoadingShare {
    let (counted, uncounted) = (20, 5)
    let dataset = try FaceDataset.celebA(data)
    var options = BatchLoader.Options.training(seed: 0)
    options.batchSize = batch
    options.preprocessing.size = size
    let rows = dataset.rows(in: .train, limit: steps * (counted + uncounted) * batch)
    let loader = BatchLoader(dataset, rows: rows, options: options, epochs: 0..<2)
    let clock = ContinuousClock()
    var shares: [[Double]] = [[], []]
    while true {
      var (epoch, taken) = (0, 0)
      for _ in 0..<uncounted {
        guard let batch = try loader.next() else { break }
        _ = try step(session, batch.images)
      }
      let fromFiles = try clock.measure {
        while taken < counted, let batch = try loader.next() {
          _ = try step(session, batch.images)
          (epoch, taken) = (batch.epoch, taken + 1)
        }
      }
      guard taken == counted else { break }
      for _ in 0..<uncounted { _ = try step(session, images) }
      let inMemory = try clock.measure { for _ in 0..<counted { _ = try step(session, images) } }
      shares[epoch].append(inMemory / fromFiles)
    }
    let medians = shares.map { $0.isEmpty ? nil : $0.sorted()[$0.count / 2] }
    return LoadingShare(firstEpoch: medians[0], laterEpochs: medians[1])
  }
}
