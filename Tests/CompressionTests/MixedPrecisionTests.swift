import Faces
import Foundation
import Graphs
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct MixedPrecisionTests {
  /// Sizes and errors of some tensors with some choices.
  private func table(
    _ tensors: Int, _ choices: Int, seed: UInt64
  ) -> (sizes: [[Int]], errors: [[Double]]) {
    var random = SplitMix64(seed: seed)
    return (
      (0..<tensors).map { _ in (0..<choices).map { _ in 1 + random.below(40) } },
      (0..<tensors).map { _ in (0..<choices).map { _ in abs(random.normal()) } }
    )
  }

  private func combinations(_ counts: [Int]) -> [[Int]] {
    counts.reduce([[]]) { found, count in
      found.flatMap { before in (0..<count).map { before + [$0] } }
    }
  }

  private func sum<Number: Numeric>(_ values: [[Number]], _ choices: [Int]) -> Number {
    zip(values, choices).reduce(0) { $0 + $1.0[$1.1] }
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `no combination within the budget is better`(seed: UInt64) {
    let (sizes, errors) = table(6, 4, seed: seed)
    let all = combinations(sizes.map(\.count))
    for budget in [10, 40, 70, 100, 140, 400] {
      let found = BitAllocation(sizes: sizes, errors: errors).best(within: budget)
      let fitting = all.filter { sum(sizes, $0) <= budget }
      guard let found else {
        #expect(fitting.isEmpty)
        continue
      }
      #expect(sum(sizes, found) <= budget)
      let least = fitting.map { sum(errors, $0) }.min()
      #expect(abs(sum(errors, found) - (least ?? -1)) < 1e-12)
    }
  }

  @Test func `few states give nearly the best, and never more than the budget`() {
    let (sizes, errors) = table(30, 5, seed: 7)
    let exact = BitAllocation(sizes: sizes, errors: errors)
    var thin = exact
    thin.widest = 60
    for budget in stride(from: 250, through: 900, by: 50) {
      guard let best = exact.best(within: budget) else { continue }
      let found = thin.best(within: budget)
      #expect(found != nil)
      guard let found else { continue }
      #expect(sum(sizes, found) <= budget)
      let (least, close) = (sum(errors, best), sum(errors, found))
      #expect(close >= least - 1e-12 && close < 1.3 * least, "\(budget): \(close) \(least)")
    }
    #expect(BitAllocation(sizes: [], errors: []).best(within: 0) == [])
    #expect(BitAllocation(sizes: [[3]], errors: [[1]]).best(within: 2) == nil)
  }

  @Test func `the largest error of a group is smaller by minimax`() {
    var (all, allPlain) = (0.0, 0.0)
    for seed in 1...8 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      // One group depends on the first tensors, the other on the last and more.
      let errors = (0..<5).map { (tensor: Int) -> [[Double]] in
        [2, 3, 4, 6].map { (bits: Double) -> [Double] in
          (0..<2).map { (group: Int) -> Double in
            let depends: Double = (tensor < 3) == (group == 0) ? 30 : 1
            let size: Double = abs(random.normal()) * exp2(-2 * bits)
            return size * depends * (group == 0 ? 1 : 4)
          }
        }
      }
      let sizes = errors.map { _ in [200, 300, 400, 600] }
      func largest(_ choices: [Int]) -> Double {
        (0..<2).map { group in sum(errors.map { $0.map { $0[group] } }, choices) }.max() ?? 0
      }
      func found(_ rounds: Int) -> Double {
        let choices = MixedStep.choices(
          errors, sizes: sizes, budget: 2000, shares: [0.5, 0.5], rounds: rounds)
        #expect(sum(sizes, choices) <= 2000)
        return largest(choices)
      }
      let (plain, minimax) = (found(1), found(20))
      let fitting = combinations([4, 4, 4, 4, 4]).filter { sum(sizes, $0) <= 2000 }
      let best = fitting.map(largest).min() ?? 0
      #expect(minimax <= plain && minimax >= best - 1e-12 && minimax < 1.5 * best)
      (all, allPlain) = (all + minimax, allPlain + plain)
    }
    #expect(all < allPlain)
  }

  @Test func `ranks decide where group importance does, and the budget is spent`() {
    let counts = [10, 200, 30, 400, 50, 100, 20, 80, 10, 100]
    let importance: [Double] = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0.5]
    let all = counts.reduce(0, +)
    for bits in stride(from: 2.0, through: 8, by: 0.25) {
      let budget = Int(bits * Double(all))
      let widths = GroupImportance.widths(importance, counts: counts, budget: budget)
      let spent = zip(widths, counts).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(spent <= budget && Set(widths).isSubset(of: [2, 4, 8]))
      // More important tensors are never narrower.
      #expect(zip(widths, widths.dropFirst()).allSatisfy { $0 >= $1 })
      #expect(widths.suffix(2).allSatisfy { $0 == 2 })
      // The next tensor does not fit any more.
      if let next = widths.firstIndex(where: { $0 < 8 }), next < 8, widths.contains(8) {
        #expect(spent + (8 - widths[next]) * counts[next] > budget)
      }
    }
  }

  @Test func `a group counts by its own sum`() {
    let weights: [[Float]] = [[1, 2], [3]]
    let squares: [[[Float]]] = [[[1, 1], [0]], [[0, 0], [500]]]
    // The first group's is 1 and 4 of 5; the second's all in the second tensor.
    let found = GroupImportance.importance(squares, weights)
    #expect(abs(found[0] - 0.5) < 1e-6 && abs(found[1] - 1) < 1e-6)
  }

  @Test(arguments: WeightSettings.Sensitivity.allCases)
  func `files keep the budget, and run`(sensitivity: WeightSettings.Sensitivity) throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    var weights = WeightSettings()
    weights.sensitivity = sensitivity
    var int8 = Int8Settings()
    int8.calibration.count = 24
    let float = SmallNetwork.graph(seed: 3)
    for bits in [2.5, 4, 6] {
      let (graph, report) = try compress(
        float, scheme: Scheme("mixed:\(bits)"), images: images, weights: weights, int8: int8)
      let count = report.tensors.reduce(0) { $0 + (float.initializers[$1.tensor]?.count ?? 0) }
      let spent = report.tensors.reduce(0.0) {
        $0 + Double($1.bits) * Double(float.initializers[$1.tensor]?.count ?? 0)
      }
      #expect(spent <= bits * Double(count) && spent > (bits - 1.5) * Double(count))
      #expect(try ONNXFile.bytes(of: graph).count == report.bytes)
    }
    let (whole, _) = try compress(
      float, scheme: Scheme("mixed:4+int8"), images: images, weights: weights, int8: int8)
    #expect(whole.nodes.contains { $0.operation == .quantizeLinear })
    guard sensitivity != .none else { return }
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("mixed:4"), weights: weights, int8: int8)
    }
  }

  @Test func `scales of mixed widths are learned too`() throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    func made(movesScales: Bool) throws -> Graph {
      var tuning = TuningSettings(epochs: 2)
      tuning.batch = 8
      tuning.movesScales = movesScales
      return try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme("mixed:3"), images: images, tuning: tuning
      ).graph
    }
    #expect(try made(movesScales: true).initializers != made(movesScales: false).initializers)
  }

  @Test(arguments: [
    "mixed", "mixed:1", "mixed:9", "mixed:x", "mixed:4+kmeans:4", "mixed:4+uniform:4",
  ])
  func `schemes that make no sense are refused`(text: String) {
    #expect(throws: CompressionError.self) { try Scheme(text) }
  }
}
