import ArgumentParser
import Execution
import Foundation
import Graphs
import Tensors

/// `equant bench-inference`: images per second of one model, for `Benchmarks/inference.py`.
struct BenchInference: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-inference", abstract: "Measure how fast a model runs.",
    discussion: """
      Runs the model on random images in bursts. With --interactive it waits before every burst \
      for a line on standard input and answers with the burst's seconds per batch, so that a \
      script can take turns between this and other engines.
      """, shouldDisplay: false)

  @Argument(help: "An ONNX file.", completion: .file(extensions: ["onnx"]))
  var model: String

  @Option(help: "Images in a batch.")
  var batch = 64

  @Option(help: "Height and width of the images.")
  var size = 64

  @Option(help: ArgumentHelp("f32 or bf16.", valueName: "precision"))
  var precision = "f32"

  @Option(help: "The number of bursts.")
  var bursts = 10

  @Option(help: "Seconds in a burst.")
  var seconds = 0.25

  @Flag(help: "Wait for a line on standard input before every burst.")
  var interactive = false

  @Flag(help: "Count the processor's seconds instead of the clock's.")
  var cpuTime = false

  @Flag(help: "Print the time of every kernel instead.")
  var profile = false

  @Flag(help: "Print the first output of images made from the index of each number, and stop.")
  var logits = false

  func run() throws {
    guard let precision = Precision(rawValue: precision) else {
      throw ValidationError("'--precision' is f32 or bf16.")
    }
    let graph = try ONNXFile.read(model)
    let session = try InferenceSession(
      graph, batch: batch, inputShape: [3, size, size], precision: precision)
    var random = SplitMix64(seed: 1)
    let images = (0..<batch * 3 * size * size).map { _ in Float(2 * random.uniform() - 1) }
    if profile { return try printProfile(session, images) }
    if logits {
      try session.run(images)
      print(try session.output().map { "\($0)" }.joined(separator: " "))
      return
    }
    try session.run(images)
    if interactive {
      print("ready")
      fflush(nil)
      while readLine() != nil {
        print(try burst(session, images))
        fflush(nil)
      }
      print(try json(session, []))
    } else {
      let times = try (0..<bursts).map { _ in try burst(session, images) }
      print(try json(session, times))
    }
  }

  /// The shortest time of a batch within one burst.
  private func burst(_ session: InferenceSession, _ images: [Float]) throws -> Double {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    var best = Double.infinity
    repeat {
      let start = now()
      try session.run(images)
      _ = try session.output()
      best = min(best, now() - start)
    } while clock.now < end
    return best
  }

  /// Seconds since some point in the past.
  private func now() -> Double {
    var time = timespec()
    clock_gettime(cpuTime ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private struct Result: Encodable {
    var imagesPerSecond: Double?
    var medianImagesPerSecond: Double?
    var arenaBytes: Int
    var weightBytes: Int
    var peakResidentBytes: Int
  }

  private func json(_ session: InferenceSession, _ times: [Double]) throws -> String {
    let sorted = times.sorted()
    let result = Result(
      imagesPerSecond: sorted.first.map { Double(batch) / $0 },
      medianImagesPerSecond: sorted.isEmpty ? nil : Double(batch) / sorted[sorted.count / 2],
      arenaBytes: session.arenaBytes, weightBytes: session.weightBytes,
      peakResidentBytes: peakResidentBytes())
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(result), as: UTF8.self)
  }

  /// The most memory this process has had, or 0 where the system does not say.
  private func peakResidentBytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0) * 1024
  }

  private func printProfile(_ session: InferenceSession, _ images: [Float]) throws {
    var best: [(kernel: String, seconds: Double)] = []
    let end = ContinuousClock().now + .seconds(max(seconds, 2))
    repeat {
      let profile = try session.profile(images)
      if best.isEmpty { best = profile }
      for i in best.indices { best[i].seconds = min(best[i].seconds, profile[i].seconds) }
    } while ContinuousClock().now < end
    for line in best {
      print(String(format: "%9.1f us  %@", line.seconds * 1e6, line.kernel as NSString))
    }
    let total = best.reduce(0) { $0 + $1.seconds }
    print(String(format: "%9.1f us  together", total * 1e6))
  }
}
