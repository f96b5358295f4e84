import ArgumentParser
import Compression
import Foundation
import Graphs
import Tensors

/// `equant bench-clustering`: how long the best clustering of a model's weights takes.
struct BenchClustering: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-clustering",
    abstract: "Measure how long it takes to cluster weights.",
    shouldDisplay: false)

  @Argument(help: "A float model.")
  var model: String

  @Option(help: "How many clusters.")
  var clusters = 16

  private struct Result: Encodable {
    var count: Int
    var cost: Double
    var largestSeconds: Double
    var tensors: Int
    var allSeconds: Double
  }

  func run() throws {
    let graph = try ONNXFile.read(model)
    let tensors = graph.initializers.sorted { $0.key < $1.key }.map(\.value).filter {
      $0.elementType == .float32 && $0.shape.count >= 2
    }
    let most = tensors.map(\.count).max()
    guard let largest = tensors.first(where: { $0.count == most })?.floats else {
      throw ValidationError("The model has no weights.")
    }
    let clock = ContinuousClock()
    var cost = 0.0
    let one = clock.measure { cost = OptimalKMeans(largest, k: clusters).cost }
    let step = try KMeansStep("\(clusters)")
    var work = try CompressionWork(graph)
    let all = try clock.measure { try step.apply(to: &work) }
    let result = Result(
      count: largest.count, cost: cost, largestSeconds: one / .seconds(1),
      tensors: work.coded.count, allSeconds: all / .seconds(1))
    print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
  }
}
