internal import Files
internal import Foundation
internal import Synchronization
internal import Tensors

/// The part of a ``BatchLoader`` that its threads share.
///
/// Batches are numbered through all epochs. A thread claims the next number and makes the whole
/// batch alone, so what is in a batch cannot depend on who makes it.
final class BatchWork: Sendable {
  private struct State {
    var nextClaim: Int
    var finished: [Int: Result<Batch, FileError>] = [:]
    var taken = 0
    var orders: [Int: [Int32]] = [:]
    var skipped: [Int: FileError] = [:]
    var cachedBytes = 0
  }

  private let dataset: FaceDataset
  private let rows: [Int]
  private let options: BatchLoader.Options
  private let batchesPerEpoch: Int
  private let end: Int
  private let state: Mutex<State>
  /// Decoded pixels by position in ``rows``; empty where there are none yet.
  private let cache: Mutex<[[UInt8]]>
  private let stopped = Atomic(false)
  /// How many batches the caller takes until as many may be claimed, all at once.
  ///
  /// The threads then work at the same time. Where they share processors with kernels that wait for
  /// each other, one thread alone would hold up all of them just as long.
  private let roundSize: Int
  /// Counts the batches that may still be claimed before the caller takes some.
  private let room = DispatchSemaphore(value: 0)
  /// Signalled once for each finished batch.
  private let ready = DispatchSemaphore(value: 0)
  /// Signalled once by each thread that ends.
  private let ended = DispatchSemaphore(value: 0)

  init(
    _ dataset: FaceDataset, _ rows: [Int], _ options: BatchLoader.Options, _ batchesPerEpoch: Int,
    batches: Range<Int>
  ) {
    self.dataset = dataset
    self.rows = rows
    self.options = options
    self.batchesPerEpoch = batchesPerEpoch
    end = batches.upperBound
    roundSize = min(options.threads, options.ahead)
    state = Mutex(State(nextClaim: batches.lowerBound))
    cache = Mutex(Array(repeating: [], count: rows.count))
  }

  func start() {
    // Not the semaphore's first value: libdispatch refuses to free one below where it started.
    for _ in 0..<options.ahead { room.signal() }
    for _ in 0..<options.threads {
      let thread = Thread { [self] in
        run()
        ended.signal()
      }
      thread.name = "equant batches"
      thread.start()
    }
  }

  /// Ends the threads and waits for them; at most one image each is still decoded.
  func stop() {
    stopped.store(true, ordering: .relaxed)
    for _ in 0..<options.threads { room.signal() }
    for _ in 0..<options.threads { ended.wait() }
  }

  /// Waits for batch number `number`; nil beyond the last.
  func take(_ number: Int) throws(FileError) -> Batch? {
    guard number < end else { return nil }
    while true {
      if let result = state.withLock({ $0.finished[number] }) {
        // A failure stays, so that asking again fails again.
        let batch = try result.get()
        let isRound = state.withLock { state in
          state.finished.removeValue(forKey: number)
          state.taken += 1
          return state.taken.isMultiple(of: roundSize)
        }
        if isRound { for _ in 0..<roundSize { room.signal() } }
        return batch
      }
      ready.wait()
    }
  }

  var skipped: [FileError] {
    state.withLock { state in state.skipped.sorted { $0.key < $1.key }.map(\.value) }
  }

  private func run() {
    var pipeline = ImagePipeline(options.preprocessing)
    while true {
      room.wait()
      guard !stopped.load(ordering: .relaxed), let (number, order) = claim() else { return }
      let result = Result { () throws(FileError) in try make(number, order, &pipeline) }
      guard !stopped.load(ordering: .relaxed) else { return }
      state.withLock { $0.finished[number] = result }
      ready.signal()
    }
  }

  /// The next batch that nobody makes yet, and the order of its epoch.
  private func claim() -> (Int, [Int32])? {
    state.withLock { state in
      guard state.nextClaim < end else { return nil }
      let number = state.nextClaim
      state.nextClaim += 1
      let epoch = number / batchesPerEpoch
      if let order = state.orders[epoch] { return (number, order) }
      var order = (0..<Int32(rows.count)).map { $0 }
      if options.shuffles {
        var random = SplitMix64(seed: options.seed, stream: UInt64(epoch))
        if options.balances {
          var cells = BalancedOrder(of: rows, in: dataset)
          order = cells.places(using: &random)
        } else {
          random.shuffle(&order)
        }
      }
      state.orders = [epoch: order]
      return (number, order)
    }
  }

  private func make(
    _ number: Int, _ order: [Int32], _ pipeline: inout ImagePipeline
  ) throws(FileError) -> Batch {
    let epoch = number / batchesPerEpoch
    let index = number % batchesPerEpoch
    let size = options.batchSize
    let places = order[index * size..<min(order.count, (index + 1) * size)].map { Int($0) }
    let values = options.preprocessing.valueCount
    var images = [Float](repeating: 0, count: size * values)
    var good: [Int] = []
    for place in places where !stopped.load(ordering: .relaxed) {
      let pixels: [UInt8]
      do {
        pixels = try cachedPixels(place, &pipeline)
      } catch {
        guard options.skipsDamaged else { throw error }
        state.withLock { $0.skipped[rows[place]] = error }
        continue
      }
      fill(&images, good.count, pixels, pipeline, epoch, rows[place])
      good.append(rows[place])
    }
    if options.lastBatch == .drop && good.count < size && !stopped.load(ordering: .relaxed) {
      guard !good.isEmpty else {
        throw FileError(dataset.folder, "all \(size) images of a batch are damaged")
      }
      for k in good.count..<size {
        let from = (k - good.count) % good.count * values
        images.withUnsafeMutableBufferPointer { buffer in
          for i in 0..<values { buffer[k * values + i] = buffer[from + i] }
        }
        good.append(good[k - good.count])
      }
    }
    let padding = size - good.count
    return Batch(
      epoch: epoch, index: index, count: good.count, images: images,
      labels: good.map { dataset.labels[$0] } + Array(repeating: 0, count: padding),
      groups: good.map { dataset.groups[$0] } + Array(repeating: 0, count: padding),
      rows: good + Array(repeating: -1, count: padding))
  }

  private func fill(
    _ images: inout [Float], _ slot: Int, _ pixels: [UInt8], _ pipeline: borrowing ImagePipeline,
    _ epoch: Int, _ row: Int
  ) {
    let values = options.preprocessing.valueCount
    images.withUnsafeMutableBufferPointer { buffer in
      let part = UnsafeMutableBufferPointer(rebasing: buffer[slot * values..<(slot + 1) * values])
      guard let augmentation = options.augmentation else {
        pipeline.normalize(pixels, into: part)
        return
      }
      pipeline.normalize(
        pixels, into: part, augmentation: augmentation, seed: options.seed, epoch: epoch, row: row)
    }
  }

  /// The pixels of one image, decoded or remembered.
  private func cachedPixels(
    _ place: Int, _ pipeline: inout ImagePipeline
  ) throws(FileError) -> [UInt8] {
    let known = cache.withLock { $0[place] }
    if !known.isEmpty { return known }
    let pixels = try pipeline.pixels(dataset.path(rows[place]))
    let fits = state.withLock { state in
      guard state.cachedBytes + pixels.count <= options.cacheBytes else { return false }
      state.cachedBytes += pixels.count
      return true
    }
    // Nothing is thrown out: rows come once an epoch, so any other rule keeps fewer useful ones.
    if fits { cache.withLock { $0[place] = pixels } }
    return pixels
  }
}
