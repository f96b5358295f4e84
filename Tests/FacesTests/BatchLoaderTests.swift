import Faces
import Files
import Foundation
import Images
import TestSupport
import Testing

@Suite struct BatchLoaderTests {
  /// What a batch holds, as values that can be compared.
  struct Seen: Hashable {
    var epoch: Int
    var index: Int
    var count: Int
    var rows: [Int]
    var labels: [Int32]
    var images: [Float]

    init(_ batch: Batch) {
      (epoch, index, count) = (batch.epoch, batch.index, batch.count)
      (rows, labels, images) = (batch.rows, batch.labels, batch.images)
    }
  }

  func options(
    threads: Int = 2, training: Bool = true, size: Int = 16, batch: Int = 4
  ) -> BatchLoader.Options {
    var options = training ? BatchLoader.Options.training(seed: 7) : BatchLoader.Options()
    options.threads = threads
    options.batchSize = batch
    options.preprocessing = Preprocessing(size: size)
    if training { options.augmentation?.shift = 2 }
    return options
  }

  func epoch(_ loader: BatchLoader) throws -> [Seen] {
    var seen: [Seen] = []
    while let batch = try loader.next() { seen.append(Seen(batch)) }
    return seen
  }

  @Test func `the whole way from file to network is Pillow's, and normalised`() throws {
    let files = try SmallCelebA(count: 1)
    let faces = try FaceDataset.celebA(files.folder)
    let size = 64
    let loader = BatchLoader(
      faces, rows: [0], options: options(training: false, size: size, batch: 1))
    let batch = try #require(try loader.next())
    #expect(batch.images.count == 3 * size * size && batch.count == 1)
    let mean: [Float] = [0.485, 0.456, 0.406]
    let deviation: [Float] = [0.229, 0.224, 0.225]
    var total: Float = 0
    for channel in 0..<3 {
      for pixel in 0..<size * size {
        let level =
          (batch.images[channel * size * size + pixel] * deviation[channel] + mean[channel]) * 255
        total += abs(level - Float(PillowChain.golden.size64[pixel * 3 + channel]))
      }
    }
    // Pillow resized the whole picture; here a half-size decoding came first.
    #expect(total / Float(3 * size * size) < 1)
  }

  @Test func `without scaled decoding the way is exactly Pillow's`() throws {
    let files = try SmallCelebA(count: 1)
    // Half of 178 is less than 96, so the picture is decoded whole.
    var pipeline = ImagePipeline(Preprocessing(size: 96))
    #expect(try pipeline.pixels(files.path(files.image(0))) == Array(PillowChain.golden.size96))
  }

  @Test func `a PNG is read like a JPEG, and a damaged one is named`() throws {
    let files = try SmallCelebA(count: 1)
    let path = files.path("face.png")
    let image = try JPEGDecoder.decode(Array(PillowChain.golden.jpeg), from: "golden.jpg")
    let bytes = PNG.encode(image)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    var pipeline = ImagePipeline(Preprocessing(size: 96))
    #expect(try pipeline.pixels(path) == Array(PillowChain.golden.size96))
    for damaged in [
      Array(bytes.prefix(bytes.count / 2)), Array(bytes.prefix(9)), [], [0x42, 0x4d],
    ] {
      try Data(damaged).write(to: URL(fileURLWithPath: path))
      #expect(throws: FileError.self) { try pipeline.pixels(path) }
    }
  }

  @Test(arguments: [1, 3, 5])
  func `batches do not depend on the number of threads`(threads: Int) throws {
    let files = try SmallCelebA(count: 26)
    let faces = try FaceDataset.celebA(files.folder)
    let rows = Array(0..<26)
    let plain = BatchLoader(faces, rows: rows, options: options(threads: 2), epochs: 0..<3)
    let other = BatchLoader(faces, rows: rows, options: options(threads: threads), epochs: 0..<3)
    for epoch in 0..<3 {
      let expected = try self.epoch(plain)
      #expect(expected.map(\.index) == Array(0..<6))
      #expect(expected.allSatisfy { $0.epoch == epoch && $0.count == 4 })
      #expect(try self.epoch(other) == expected)
    }
    #expect(try plain.next() == nil)
    #expect(try plain.next() == nil)
  }

  @Test func `each epoch has every row once, in another order`() throws {
    let files = try SmallCelebA(count: 24)
    let faces = try FaceDataset.celebA(files.folder)
    let loader = BatchLoader(faces, rows: Array(0..<24), options: options(), epochs: 0..<2)
    let first = try epoch(loader).flatMap(\.rows)
    let second = try epoch(loader).flatMap(\.rows)
    #expect(first.sorted() == Array(0..<24) && second.sorted() == Array(0..<24))
    #expect(first != second && first != first.sorted())
  }

  @Test(arguments: [(0, 2), (1, 0), (1, 5), (1, 6), (2, 3)])
  func `a run that resumes sees what it would have seen`(epoch: Int, batch: Int) throws {
    let files = try SmallCelebA(count: 24)
    let faces = try FaceDataset.celebA(files.folder)
    let rows = Array(0..<24)
    let whole = BatchLoader(faces, rows: rows, options: options(), epochs: 0..<3)
    var all: [Seen] = []
    for _ in 0..<3 { all += try self.epoch(whole) }
    let resumed = BatchLoader(
      faces, rows: rows, options: options(), epochs: epoch..<3, startingAt: batch)
    var rest: [Seen] = []
    for _ in epoch..<3 { rest += try self.epoch(resumed) }
    #expect(rest == Array(all[(epoch * 6 + batch)...]))
  }

  @Test func `no cache and a small cache change nothing`() throws {
    let files = try SmallCelebA(count: 12)
    let faces = try FaceDataset.celebA(files.folder)
    var seen: [[Seen]] = []
    for bytes in [0, 16 * 16 * 3 * 5, 1 << 30] {
      var options = options()
      options.cacheBytes = bytes
      let loader = BatchLoader(faces, rows: Array(0..<12), options: options, epochs: 0..<2)
      seen.append(try epoch(loader) + epoch(loader))
    }
    #expect(seen[0] == seen[2] && seen[1] == seen[2])
  }

  @Test func `evaluation keeps the order and pads the last batch`() throws {
    let files = try SmallCelebA(count: 10)
    let faces = try FaceDataset.celebA(files.folder)
    let loader = BatchLoader(
      faces, rows: [9, 0, 3, 4, 5, 6], options: options(training: false), epochs: 0..<1)
    #expect(loader.batchesPerEpoch == 2)
    let first = try #require(try loader.next())
    #expect(first.rows == [9, 0, 3, 4] && first.count == 4)
    #expect(first.labels == [9, 0, 3, 4].map { faces.labels[$0] })
    #expect(first.groups == [9, 0, 3, 4].map { faces.groups[$0] })
    let last = try #require(try loader.next())
    #expect(last.rows == [5, 6, -1, -1] && last.count == 2)
    #expect(last.images.count == first.images.count)
    #expect(last.images[(2 * 3 * 16 * 16)...].allSatisfy { $0 == 0 })
    #expect(try loader.next() == nil)
  }

  @Test func `too few rows make no batch`() throws {
    let files = try SmallCelebA(count: 3)
    let faces = try FaceDataset.celebA(files.folder)
    #expect(try BatchLoader(faces, rows: [0, 1, 2], options: options()).next() == nil)
    #expect(try BatchLoader(faces, rows: [], options: options(training: false)).next() == nil)
  }

  @Test(arguments: [true, false])
  func `a damaged image is named at its batch`(training: Bool) throws {
    let files = try SmallCelebA(count: 12)
    let faces = try FaceDataset.celebA(files.folder)
    try Files.replace(
      faces.path(6), with: Array(PillowChain.golden.jpeg.prefix(PillowChain.golden.jpeg.count / 2)))
    let loader = BatchLoader(
      faces, rows: Array(0..<12), options: options(training: training), epochs: 0..<1)
    var batches = 0
    let error = #expect(throws: FileError.self) {
      while try loader.next() != nil { batches += 1 }
    }
    #expect(error?.path == faces.path(6))
    #expect(error?.problem.hasPrefix("is a damaged JPEG: ") == true)
    if !training { #expect(batches == 1) }
    #expect(throws: FileError.self) { try loader.next() }
  }

  @Test func `damaged images are skipped on request, and counted`() throws {
    let files = try SmallCelebA(count: 12)
    let faces = try FaceDataset.celebA(files.folder)
    try Files.replace(faces.path(1), with: Array("no image".utf8))
    try FileManager.default.removeItem(atPath: faces.path(6))
    var evaluation = options(training: false)
    evaluation.skipsDamaged = true
    let loader = BatchLoader(faces, rows: Array(0..<12), options: evaluation, epochs: 0..<2)
    for _ in 0..<2 {
      let seen = try epoch(loader)
      #expect(seen.map(\.rows) == [[0, 2, 3, -1], [4, 5, 7, -1], [8, 9, 10, 11]])
      #expect(seen.map(\.count) == [3, 3, 4])
    }
    #expect(loader.skipped.map(\.path) == [faces.path(1), faces.path(6)])

    var training = options()
    training.skipsDamaged = true
    let full = BatchLoader(faces, rows: Array(0..<12), options: training, epochs: 0..<1)
    let seen = try epoch(full)
    #expect(seen.count == 3 && seen.allSatisfy { $0.count == 4 })
    #expect(Set(seen.flatMap(\.rows)) == Set(0..<12).subtracting([1, 6]))
    #expect(full.skipped.count == 2)
  }

  @Test func `a consumer may stop at any time`() throws {
    let files = try SmallCelebA(count: 40)
    let faces = try FaceDataset.celebA(files.folder)
    for taken in 0..<6 {
      let loader = BatchLoader(faces, rows: Array(0..<40), options: options(threads: 3))
      for _ in 0..<taken { _ = try loader.next() }
    }
  }

  @Test func `half of the images are mirrored, and moves stay in bounds`() throws {
    let size = 8
    var pixels: [UInt8] = []
    for y in 0..<size { for x in 0..<size { pixels += [UInt8(x), UInt8(y), 0] } }
    var preprocessing = Preprocessing(size: size)
    preprocessing.mean = [0, 0, 0]
    preprocessing.deviation = [1 / 255, 1 / 255, 1 / 255]
    let pipeline = ImagePipeline(preprocessing)
    let count = 400
    var mirrored = 0
    var moves: [Int: Int] = [:]
    for row in 0..<count {
      var output = [Float](repeating: 0, count: 3 * size * size)
      output.withUnsafeMutableBufferPointer {
        pipeline.normalize(
          pixels, into: $0, augmentation: Augmentation(flips: true, shift: 2), seed: 3, epoch: 1,
          row: row)
      }
      let middle = (output[4 * size + 3].rounded(), output[4 * size + 4].rounded())
      if middle.0 > middle.1 { mirrored += 1 }
      moves[Int(output[size * size + 4 * size].rounded()) - 4, default: 0] += 1
    }
    // Standard deviations of 10 for the mirrored ones and 8 for each of five moves.
    #expect(abs(mirrored - count / 2) < 50)
    #expect(moves.keys.sorted() == [-2, -1, 0, 1, 2])
    #expect(moves.values.allSatisfy { abs($0 - count / 5) < 40 })
  }

  @Test func `preprocessing from a file is checked`() throws {
    var preprocessing = Preprocessing(size: 64)
    let back = try JSONDecoder().decode(
      Preprocessing.self, from: JSONEncoder().encode(preprocessing))
    #expect(back == preprocessing && back.problem == nil)
    preprocessing.deviation = [1, 0, 1]
    #expect(preprocessing.problem?.contains("deviation positive") == true)
    preprocessing.mean = [1]
    #expect(preprocessing.problem?.contains("three values") == true)
    preprocessing.size = 0
    #expect(preprocessing.problem == "size 0 is not from 1 to 4096")
  }

  /// Property: every run of as many rows as there are cells has one row of each.
  @Test func `balanced batches have as many rows of every cell`() throws {
    let files = try SmallCelebA(count: 26)
    let plain = try FaceDataset.celebA(files.folder)
    // Three cells of 20, 4 and 2 rows; the fourth is empty.
    let cells = (0..<26).map { $0 < 20 ? 0 : $0 < 24 ? 1 : 3 }
    let faces = FaceDataset(
      folder: plain.folder, files: plain.files, labels: cells.map { Int32($0 % 2) },
      groups: cells.map { Int32($0 / 2) }, splits: plain.splits, target: "Attractive",
      protected: ["Male"], classNames: plain.classNames, groupNames: plain.groupNames)
    var options = options(batch: 6)
    options.balances = true
    let loader = BatchLoader(faces, rows: Array(0..<26), options: options, epochs: 0..<3)
    for _ in 0..<3 {
      let batches = try epoch(loader)
      #expect(batches.count == 4)
      for batch in batches {
        for cell in [0, 1, 3] { #expect(batch.rows.count { cells[$0] == cell } == 2) }
      }
      // Within an epoch no row of a cell comes again before all of the cell have been seen.
      let rows = batches.flatMap(\.rows)
      #expect(Set(rows.filter { cells[$0] == 1 }).count == 4)
      #expect(Set(rows.filter { cells[$0] == 0 }).count == 8)
    }
    let again = BatchLoader(
      faces, rows: Array(0..<26), options: options, epochs: 1..<3, startingAt: 2)
    let other = BatchLoader(faces, rows: Array(0..<26), options: options, epochs: 0..<3)
    for _ in 0..<1 { _ = try epoch(other) }
    #expect(try epoch(again) == Array(try epoch(other).dropFirst(2)))
  }
}
