import TestSupport
import Tensors
import Testing

@testable import Compression

/// One clustering by kmeans1d; `Scripts/golden/kmeans.py` makes them.
struct KMeansCase: Decodable, Sendable, CustomTestStringConvertible {
  var name: String
  var values: [Float]
  var k: Int
  var cost: Double
  var centers: [Double]

  var testDescription: String { name }
}

@Suite struct OptimalKMeansTests {
  @Test(arguments: try golden([KMeansCase].self, "kmeans", in: .module))
  func `agrees with kmeans1d`(expected: KMeansCase) {
    let found = OptimalKMeans(expected.values, k: expected.k)
    let spread = expected.values.reduce(0) { max($0, Double(abs($1 - expected.values[0]))) }
    #expect(abs(found.cost - expected.cost) <= 1e-9 * (expected.cost + spread * spread))
  }

  /// The least cost over all ways to cut the sorted values into at most `k` runs.
  private func bruteForce(_ points: [(value: Float, weight: Float)], k: Int) -> Double {
    let sorted = points.sorted { $0.value < $1.value }
    func cost(_ part: ArraySlice<(value: Float, weight: Float)>) -> Double {
      let mass = part.reduce(0.0) { $0 + Double($1.weight) }
      guard mass > 0 else { return 0 }
      let mean = part.reduce(0.0) { $0 + Double($1.weight) * Double($1.value) } / mass
      return part.reduce(0.0) {
        $0 + Double($1.weight) * (Double($1.value) - mean) * (Double($1.value) - mean)
      }
    }
    func best(from start: Int, _ k: Int) -> Double {
      if k == 1 || start == sorted.count { return cost(sorted[start...]) }
      return (start...sorted.count).map { cost(sorted[start..<$0]) + best(from: $0, k - 1) }.min()!
    }
    return best(from: 0, k)
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `no cut of up to twelve points is better`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let count = 1 + random.below(12)
    let points = (0..<count).map { _ in
      (
        value: Float(seed % 3 == 0 ? Double(random.below(5)) : random.normal()),
        weight: seed % 2 == 0 ? Float(1) : Float(random.below(4))
      )
    }
    for k in 1...4 {
      let found = OptimalKMeans(points.map(\.value), weights: points.map(\.weight), k: k)
      #expect(abs(found.cost - bruteForce(points, k: k)) < 1e-9)
    }
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `a weight counts as that many points`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let values = (0..<50).map { _ in Float(random.normal()) }
    let counts = values.map { _ in random.below(5) }
    let weighted = OptimalKMeans(values, weights: counts.map { Float($0) }, k: 6)
    let replicated = zip(values, counts).flatMap { Array(repeating: $0.0, count: $0.1) }
    let plain = OptimalKMeans(replicated, k: 6)
    #expect(zip(weighted.centers, plain.centers).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(abs(weighted.cost - plain.cost) < 1e-10)
  }

  /// Pruned by bounds as large tensors are, and searched everywhere: the same borders.
  @Test(arguments: [2, 3, 8, 16, 40], [0, 1, 2, 3] as [UInt64])
  func `bounds rule out no best border`(k: Int, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let values = (0..<6000).map { _ -> Float in
      switch seed {
      case 0: Float(random.normal())
      case 1: Float(random.uniform(-1...1))
      case 2: Float(random.normal() / max(0.05, random.uniform()))
      // Clumps far apart: most buckets are empty of borders.
      default: Float(Double(random.below(3)) * 10 + 0.01 * random.normal())
      }
    }
    let points = SortedPoints(values)
    let pruned = OptimalKMeans(points, k: k, buckets: 128)
    let whole = OptimalKMeans(points, k: k, buckets: 1 << 20)
    #expect(pruned.centers == whole.centers)
    #expect(pruned.cost == whole.cost)
  }

  @Test func `as many clusters as values lose nothing`() {
    let found = OptimalKMeans([3, 1, 1, 2, -0.0, 0] as [Float], k: 4)
    #expect(found.centers == [0, 1, 2, 3])
    #expect(found.cost == 0)
    #expect(OptimalKMeans([5, 5] as [Float], k: 16).centers == [5])
  }

  /// Far from zero, sums of squares would lose everything.
  @Test func `values far from zero keep their digits`() {
    let near = (0..<200).map { Float($0 % 7) * 0.125 }
    let far = near.map { $0 + 131_072 }
    let (a, b) = (OptimalKMeans(near, k: 3), OptimalKMeans(far, k: 3))
    #expect(abs(a.cost - b.cost) < 1e-9)
  }

  @Test func `the order of the values does not matter`() {
    var random = SplitMix64(seed: 8)
    var values = (0..<5000).map { _ in Float(random.normal()) }
    let once = OptimalKMeans(values, k: 16)
    random.shuffle(&values)
    #expect(OptimalKMeans(values, k: 16) == once)
  }

  @Test func `work is dealt out evenly, every piece once`() {
    let sizes = [9, 1, 1, 1, 8, 7, 0, 5]
    let shares = Clustering.evenShares(sizes, among: 2)
    #expect(shares.joined().sorted() == Array(sizes.indices))
    let sums = shares.map { $0.reduce(0) { $0 + sizes[$1] } }
    #expect(sums == [16, 16])
    #expect(Clustering.inParallel([3, 1, 2]) { $0 } == [0, 1, 2])
  }
}
