import Faces
import Foundation
import Graphs
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct PruningScoreTests {
  private func importance(_ groups: Int, _ count: Int, seed: UInt64) -> [[Float]] {
    var random = SplitMix64(seed: seed)
    return (0..<groups).map { group in
      // Groups whose rows are harder have larger gradients.
      (0..<count).map { _ in Float(abs(random.normal())) * Float(1 + 3 * group) }
    }
  }

  /// The algorithm word for word: every step looks at every weight.
  private func plain(_ importance: [[Float]], _ count: Int) -> [Bool] {
    let totals = importance.map { $0.reduce(0) { $0 + Double($1) } }
    let all = totals.reduce(0, +)
    var kept = importance[0].map { _ in false }
    for _ in 0..<count {
      let taken = importance.map { own in
        zip(own, kept).reduce(0) { $0 + ($1.1 ? Double($1.0) : 0) }
      }
      let sum = taken.reduce(0, +)
      let deficits = zip(totals, taken).map { $0 / all - (sum > 0 ? $1 / sum : 0) }
      let neediest = deficits.firstIndex(of: deficits.max()!)!
      let own = importance[neediest]
      let left = own.indices.filter { !kept[$0] }
      kept[left.max { own[$0] != own[$1] ? own[$0] < own[$1] : $0 > $1 }!] = true
    }
    return kept
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `groups are served as the algorithm says`(seed: UInt64) {
    let values = importance(Int(seed) % 3 + 1, 60, seed: seed)
    for count in [0, 1, 7, 30, 60, 100] {
      let found = GroupShares(importance: values).kept(count)
      #expect(found == plain(values, min(count, 60)), "\(count)")
      #expect(found.count { $0 } == min(count, 60))
    }
  }

  @Test func `every group keeps its share, and one group its most important weights`() {
    let values = importance(3, 4000, seed: 5)
    let kept = GroupShares(importance: values).kept(800)
    func shares(_ kept: [Bool]) -> [Double] {
      let sums = values.map { zip($0, kept).reduce(0) { $0 + ($1.1 ? Double($1.0) : 0) } }
      return sums.map { $0 / sums.reduce(0, +) }
    }
    for (found, wanted) in zip(shares(kept), shares(kept.map { _ in true })) {
      #expect(abs(found - wanted) < 1e-3)
    }
    // What is largest on the whole leans to the group with the largest gradients.
    let sums = values[0].indices.map { i in values.reduce(0) { $0 + $1[i] } }
    let limit = sums.sorted(by: >)[799]
    #expect(shares(sums.map { $0 >= limit })[2] > shares(kept)[2] + 0.01)

    let alone = GroupShares(importance: [values[0]]).kept(800)
    let least = values[0].sorted(by: >)[799]
    #expect(alone == values[0].map { $0 >= least })
  }

  @Test func `weights without gradients go first`() {
    let kept = GroupShares(importance: [[0, 2, 0, 1], [0, 0, 0, 3]]).kept(2)
    #expect(kept == [false, true, false, true])
    #expect(GroupShares(importance: [[0, 0], [0, 0]]).kept(1) == [true, false])
    #expect(GroupShares(importance: []).kept(3) == [])
  }

  @Test(arguments: WeightSettings.PruningScore.allCases)
  func `every score gives a file of the same sparsity`(score: WeightSettings.PruningScore) throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    var weights = WeightSettings()
    weights.pruningScore = score
    weights.pruningScope = .layer
    var int8 = Int8Settings()
    int8.calibration.count = 24
    let float = SmallNetwork.graph(seed: 3)
    let (graph, report) = try compress(
      float, scheme: Scheme("prune:0.7"), images: images, weights: weights, int8: int8)
    let (plain, other) = try compress(
      float, scheme: Scheme("prune:0.7"),
      weights: {
        var w = weights; w.pruningScore = .magnitude; return w
      }())
    #expect(report.tensors.map(\.sparsity) == other.tensors.map(\.sparsity))
    #expect(report.accounting.bytes(of: .weights) == other.accounting.bytes(of: .weights))
    #expect((graph.initializers != plain.initializers) == (score != .magnitude))
    guard score != .magnitude else { return }
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("prune:0.7"), weights: weights, int8: int8)
    }
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("kmeans:4"), images: images, weights: weights, int8: int8)
    }
  }

  /// By the second-order score of all rows what is dropped has the least importance there is.
  @Test func `the score of all rows is the mean over rows`() throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    var weights = WeightSettings()
    weights.pruningScore = .fisher
    var int8 = Int8Settings()
    int8.calibration.count = 24
    var work = try CompressionWork(SmallNetwork.graph(seed: 3), weights: weights, int8: int8)
    work.images = images
    let names = work.weightNames
    let kept = try work.kept(names, by: MagnitudePruning(sparsity: 0.5))
    let fisher = try work.fisherInformation(of: names, for: "a test", everyGroup: false)
    let scores = names.map { name -> [Double] in
      let values = work.graph.initializers[name]!.floats
      return values.indices.map { i in
        let square = zip(fisher.squares, fisher.counts).reduce(0) {
          $0 + Double($1.0[name]![i]) * Double($1.1) / 24
        }
        return square * Double(values[i]) * Double(values[i])
      }
    }
    let staying = zip(scores, kept).flatMap { zip($0, $1).filter(\.1).map(\.0) }
    let dropped = zip(scores, kept).flatMap { zip($0, $1).filter { !$0.1 }.map(\.0) }
    #expect(staying.min()! >= dropped.max()! * (1 - 1e-5))
    #expect(dropped.count == Int(Double(dropped.count + staying.count) * 0.5))
  }
}
