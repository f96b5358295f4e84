import Foundation
import Tensors
import TestSupport
import Testing

@testable import Compression

/// `Golden/observers.json`, written by `Scripts/golden/observers.py` with PyTorch.
struct ObserverGolden: Decodable, Sendable {
  struct Parameters: Decodable, Hashable, Sendable {
    var scale: Float
    var zeroPoint: Int
  }

  struct Batch: Decodable, Sendable {
    var shape: String
    var seed: UInt64
    var count: Int
    var scale: Double
    var offset: Double

    /// The same values as the script's `draw`.
    var values: [Float] {
      var random = SplitMix64(seed: seed)
      let u = (0..<4).map { _ in (0..<count).map { _ in random.uniform() } }
      return (0..<count).map { i in
        let x =
          switch shape {
          case "bell": u[0][i] + u[1][i] + u[2][i] + u[3][i] - 2
          case "heavy": (u[0][i] - 0.5) / (u[1][i] * u[2][i] + 0.02)
          case "relu": max(u[0][i] + u[1][i] + u[2][i] + u[3][i] - 2, 0)
          case "relu-heavy": max((u[0][i] - 0.5) / (u[1][i] * u[2][i] + 0.01), 0)
          case "constant": 1.0
          default: u[0][i]
          }
        let value = Float(x * scale + offset)
        return shape.hasPrefix("relu") ? max(value, 0) : value
      }
    }
  }

  struct Row: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var batches: [Batch]
    var checksum: Double
    var minMax: Parameters
    var minMaxSymmetric: Parameters
    var minMaxReduced: Parameters
    var movingAverage: Parameters
    var histogram: Parameters
    var histogramReduced: Parameters
    var histogramRange: [Float]
    var histogramTotal: Double
    var percentile: [Double]
    var binWidth: Double
    var entropy: Double?

    var testDescription: String { name }

    func observed(_ kind: ObserverKind) -> any Observer {
      observed(kind.makeObserver())
    }

    func observed(_ observer: any Observer) -> any Observer {
      var observer = observer
      for batch in batches { observer.observe(batch.values) }
      return observer
    }
  }

  struct Weights: Decodable, Sendable {
    var values: [Float]
    var scales: [Float]
    var integers: [Int]
  }

  var tensors: [Row]
  var weights: Weights

  static func load() throws -> ObserverGolden {
    try golden(ObserverGolden.self, "observers", in: .module)
  }
}

@Suite struct ObserverGoldenTests {
  private func parameters(
    _ observer: any Observer, grid: ClosedRange<Int> = 0...255
  ) throws -> ObserverGolden.Parameters {
    let range = try #require(observer.range(levels: grid.count))
    let found = QuantizationParameters(affine: range, grid: grid)
    return .init(scale: found.scale, zeroPoint: found.zeroPoint)
  }

  @Test(arguments: try ObserverGolden.load().tensors)
  func `the test draws the script's numbers`(row: ObserverGolden.Row) {
    let sum = row.batches.reduce(0.0) { $0 + $1.values.reduce(0.0) { $0 + Double($1) } }
    #expect(abs(sum - row.checksum) <= 1e-9 * max(1, abs(row.checksum)))
  }

  @Test(arguments: try ObserverGolden.load().tensors)
  func `min-max equals PyTorch`(row: ObserverGolden.Row) throws {
    let observer = row.observed(.minMax)
    #expect(try parameters(observer) == row.minMax)
    #expect(try parameters(observer, grid: 0...127) == row.minMaxReduced)
  }

  @Test(arguments: try ObserverGolden.load().tensors)
  func `the moving average equals PyTorch`(row: ObserverGolden.Row) throws {
    #expect(try parameters(row.observed(.movingAverage)) == row.movingAverage)
  }

  @Test(arguments: try ObserverGolden.load().tensors)
  func `the histogram search equals PyTorch`(row: ObserverGolden.Row) throws {
    let observer = row.observed(.histogram)
    let range = try #require(observer.range(levels: 256))
    #expect([range.lower, range.upper] == row.histogramRange)
    #expect(try parameters(observer) == row.histogram)
    #expect(try parameters(observer, grid: 0...127) == row.histogramReduced)
  }

  @Test(arguments: try ObserverGolden.load().tensors)
  func `the histogram loses no mass`(row: ObserverGolden.Row) {
    var histogram = RunningHistogram()
    for batch in row.batches { histogram.add(batch.values) }
    let mass = histogram.counts.reduce(0.0) { $0 + Double($1) }
    #expect(abs(mass - row.histogramTotal) <= 1e-6 * row.histogramTotal)
  }

  /// The histogram knows a quantile to within a bin, two where its range has grown.
  @Test(arguments: try ObserverGolden.load().tensors)
  func `percentiles are those of the values`(row: ObserverGolden.Row) throws {
    let observer = row.observed(PercentileObserver(percentile: 99.9))
    let range = try #require(observer.range(levels: 256))
    let tolerance = 2 * row.binWidth + 1e-6 * abs(row.percentile[1])
    // Quantiles in the thin tails jump from one value to the next: bounded by the neighbours.
    let values = row.batches.flatMap(\.values).sorted()
    for (found, share) in [(range.lower, 0.0005), (range.upper, 0.9995)] {
      let place = share * Double(values.count)
      let low = values[max(0, Int(place) - 1)]
      let high = values[min(values.count - 1, Int(place) + 1)]
      #expect(Double(found) >= Double(low) - tolerance)
      #expect(Double(found) <= Double(high) + tolerance)
    }
  }

  @Test(arguments: try ObserverGolden.load().tensors.filter { $0.entropy != nil })
  func `entropy clips where the plain search does`(row: ObserverGolden.Row) throws {
    let range = try #require(row.observed(.entropy).range(levels: 256))
    let expected = try #require(row.entropy)
    #expect(abs(Double(range.upper) - expected) <= 1e-5 * expected)
  }

  @Test func `weights with PyTorch's grid give PyTorch's integers`() throws {
    let expected = try ObserverGolden.load().weights
    let weights = Tensor(shape: [6, 20], expected.values)
    let found = ChannelQuantization.symmetric(weights, grid: .full)
    #expect(found.scales == expected.scales)
    #expect(found.integers.map(Int.init) == expected.integers)
  }

  @Test(arguments: try ObserverGolden.load().tensors)
  func `symmetric parameters equal PyTorch`(row: ObserverGolden.Row) throws {
    let values = row.batches.flatMap(\.values)
    let weights = Tensor(shape: [1, values.count], values)
    let found = ChannelQuantization.symmetric(weights, grid: .full)
    #expect(found.scales == [row.minMaxSymmetric.scale])
  }
}
