import ArgumentParser
import Faces

/// `equant bench-loading`: how fast faces are read, decoded, resized and normalised.
struct BenchLoading: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-loading",
    abstract: "Measure how many training images a second the loader prepares.",
    shouldDisplay: false)

  @Option(help: "A folder with CelebA's layout.")
  var data: String

  @Option(help: "The side of the network's input in pixels.")
  var size = 64

  @Option(help: "How many images are loaded.")
  var count = 2048

  @Option(help: "How many threads load.")
  var threads = 2

  func run() throws {
    let dataset = try FaceDataset.celebA(data)
    var options = BatchLoader.Options.training(seed: 0)
    options.preprocessing.size = size
    options.threads = threads
    options.cacheBytes = 0
    let loader = BatchLoader(
      dataset, rows: dataset.rows(in: .train, limit: count), options: options, epochs: 0..<1)
    let clock = ContinuousClock()
    var images = 0
    let took = try clock.measure {
      while let batch = try loader.next() { images += batch.count }
    }
    print("{\"images\": \(images), \"seconds\": \(took / .seconds(1))}")
  }
}
