import ArgumentParser
import Execution
import Foundation
import Graphs
import OneDNN
import Tensors
import Training

/// `equant bench-training`: how long training steps take, for `Benchmarks/training.py`.
struct BenchTraining: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-training", abstract: "Measure how fast a network trains.",
    discussion: """
      Trains on one batch of random images. With --interactive it answers every line on standard \
      input with the seconds of one step, so that a script can take turns between this and other \
      engines.
      """, shouldDisplay: false)

  @Option(help: "resnet18, resnet34 or resnet50.")
  var model = "resnet18"

  @Option(help: "Images in a batch.")
  var batch = 64

  @Option(help: "Height and width of the images.")
  var size = 64

  @Option(help: ArgumentHelp("f32 or bf16.", valueName: "precision"))
  var precision = "f32"

  @Option(help: "The number of steps that are measured, after two that are not.")
  var steps = 10

  @Flag(help: "Wait for a line on standard input before every step.")
  var interactive = false

  @Flag(
    help: """
      Take turns between ten plain steps and ten of FairALM with their dual step, and add the ratio \
      of the median times.
      """)
  var fairalm = false

  @Option(
    help: ArgumentHelp(
      """
      A folder with CelebA's layout: take turns between steps on its images and steps on one batch \
      in memory, and add the speed of the first as a share of the second's.
      """, valueName: "folder"))
  var data: String?

  @Flag(help: "Add the shortest time of every kind of kernel.")
  var profile = false

  @Flag(help: "Add the shortest time of every kernel.")
  var kernels = false

  /// What is printed at the end.
  struct Result: Encodable {
    var imagesPerSecond: [String: Double]
    var threads: Int
    var arenaBytes: Int
    var peakBytes: Int
    var loss: Double
    var fairALMOverPlain: Double?
    var loadingShare: LoadingShare?
    var milliseconds: [String: Double]?
    var kernelMilliseconds: [String]?
  }

  func run() throws {
    guard let precision = Precision(rawValue: precision) else {
      throw ValidationError("'--precision' is f32 or bf16.")
    }
    let graph: Graph
    switch model {
    case "resnet18": graph = ResNet.resnet18(classes: 2)
    case "resnet34": graph = ResNet.resnet34(classes: 2)
    case "resnet50": graph = ResNet.resnet50(classes: 2)
    default: throw ValidationError("'--model' is resnet18, resnet34 or resnet50.")
    }
    let session = try TrainingSession(
      graph, batch: batch, inputShape: [3, size, size], precision: precision)
    var random = SplitMix64(seed: 1)
    let images = (0..<batch * 3 * size * size).map { _ in Float(random.normal()) }
    for _ in 0..<2 { _ = try step(session, images) }
    let clock = ContinuousClock()
    if interactive {
      while readLine() != nil {
        let seconds = try clock.measure { _ = try step(session, images) } / .seconds(1)
        print(seconds)
        fflush(nil)
      }
      return
    }
    session.measures = profile || kernels
    var loss = 0.0
    var times: [Double] = []
    for _ in 0..<max(1, steps) {
      times.append(try clock.measure { loss = try step(session, images) } / .seconds(1))
    }
    times.sort()
    var result = Result(
      imagesPerSecond: [
        "best": Double(batch) / times[0], "median": Double(batch) / times[times.count / 2],
      ],
      threads: Parallel.threadCount, arenaBytes: session.arenaByteCount,
      peakBytes: Self.peakByteCount, loss: loss)
    if fairalm { result.fairALMOverPlain = try fairALMRatio(session, images) }
    if let data { result.loadingShare = try loadingShare(session, images, from: data) }
    if profile {
      result.milliseconds = Dictionary(
        session.profile.map { ($0.kind, $0.seconds * 1000) }, uniquingKeysWith: +)
    }
    if kernels {
      result.kernelMilliseconds = session.profile.map {
        String(format: "%8.3f ", $0.seconds * 1000) + "\($0.kind): \($0.step)"
      }
    }
    print(try prettyJSON(result))
  }

  /// One step on `images`, labelled 0 and 1 in turn; returns the mean cross-entropy.
  func step(_ session: TrainingSession, _ images: [Float]) throws -> Double {
    let logits = try images.withUnsafeBufferPointer { Array(try session.forward($0)) }
    var loss = 0.0
    var gradients = logits
    for row in 0..<batch {
      let label = row % 2
      // With two classes, softmax is a logistic function of the difference.
      let margin = Double(logits[row * 2 + label] - logits[row * 2 + 1 - label])
      let miss = 1 / (1 + exp(margin))
      loss += (max(0, -margin) + log1p(exp(-abs(margin)))) / Double(batch)
      gradients[row * 2 + label] = Float(-miss / Double(batch))
      gradients[row * 2 + 1 - label] = Float(miss / Double(batch))
    }
    try gradients.withUnsafeBufferPointer { try session.backward($0) }
    session.descend(Descent(rate: 0.01, momentum: 0.9, decay: 1e-4))
    return loss
  }

  /// How much longer ten steps take under equalized odds, with their dual step on held-out rows.
  private func fairALMRatio(_ session: TrainingSession, _ images: [Float]) throws -> Double {
    let groups = ["a", "b"]
    var objectives: [any Objective] = [
      EmpiricalRisk(),
      try FairALM(FairALMSettings(), groups: groups, counts: [[1, 1], [1, 1]]),
    ]
    func output(movesStatistics: Bool) throws -> LabelledLogits {
      let logits = try images.withUnsafeBufferPointer {
        Array(try session.forward($0, movesStatistics: movesStatistics))
      }
      return LabelledLogits(
        logits: logits, classes: 2, labels: (0..<batch).map { Int32($0 % 2) },
        groups: (0..<batch).map { Int32($0 / 2 % 2) })
    }
    var times: [[Double]] = [[], []]
    for _ in 0..<max(1, steps) {
      for i in objectives.indices {
        let time = try ContinuousClock().measure {
          if objectives[i].heldOutInterval != nil {
            objectives[i].observe(heldOut: try output(movesStatistics: false))
          }
          for _ in 0..<10 {
            let (_, gradients) = objectives[i].evaluate(try output(movesStatistics: true))
            try gradients.withUnsafeBufferPointer { try session.backward($0) }
            session.descend(Descent(rate: 0.01, momentum: 0.9, decay: 1e-4))
          }
        }
        times[i].append(time / .seconds(1))
      }
    }
    let medians = times.map { $0.sorted()[$0.count / 2] }
    return medians[1] / medians[0]
  }

  /// The most memory this process ever held.
  private static var peakByteCount: Int {
    var usage = rusage()
    #if os(Linux)
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
    #else
    getrusage(RUSAGE_SELF, &usage)
    return Int(usage.ru_maxrss)
    #endif
  }
}
