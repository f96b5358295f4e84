import Execution
import Faces
import Foundation
import Graphs
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct SensitivityTests {
  private func random(_ count: Int, seed: UInt64) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in Float(random.normal()) }
  }

  /// All ways to cut sorted values into runs.
  private func bruteForce(_ values: [Float], _ weights: [Float], k: Int) -> Double {
    let points = zip(values, weights).map { (Double($0), Double($1)) }.sorted { $0.0 < $1.0 }
    func cost(_ from: Int, _ to: Int) -> Double {
      let mass = points[from..<to].reduce(0) { $0 + $1.1 }
      guard mass > 0 else { return 0 }
      let mean = points[from..<to].reduce(0) { $0 + $1.0 * $1.1 } / mass
      return points[from..<to].reduce(0) { $0 + $1.1 * ($1.0 - mean) * ($1.0 - mean) }
    }
    func best(_ from: Int, _ groups: Int) -> Double {
      if groups == 1 || from >= points.count { return cost(from, points.count) }
      return (from + 1...points.count).map { cost(from, $0) + best($0, groups - 1) }.min() ?? 0
    }
    return best(0, k)
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func `weighted clusters are the best there are`(seed: UInt64) {
    let values = random(11, seed: seed)
    let weights = random(11, seed: seed + 100).map { $0 * $0 }
    for k in 2...4 {
      let found = OptimalKMeans(values, weights: weights, k: k).cost
      let wanted = bruteForce(values, weights, k: k)
      #expect(abs(found - wanted) < 1e-5 * (wanted + 1e-3), "\(k): \(found) \(wanted)")
    }
  }

  /// Squared gradients of two groups over two tensors, the second group's much larger.
  private func fisher() -> (FisherInformation, [String: Tensor]) {
    let names = ["a", "b"]
    let squares = (0..<2).map { group in
      Dictionary(
        uniqueKeysWithValues: names.enumerated().map { i, name in
          (name, random(600, seed: UInt64(10 * group + i)).map { $0 * $0 * (group == 0 ? 1 : 50) })
        })
    }
    var tensors: [String: Tensor] = [:]
    for (i, name) in names.enumerated() {
      tensors[name] = Tensor(shape: [10, 60], random(600, seed: UInt64(77 + i)))
    }
    // The first group cares for large weights, the second for small ones.
    let leaning = squares.enumerated().map { group, all in
      Dictionary(
        uniqueKeysWithValues: all.map { name, values in
          let w = tensors[name]!.floats
          return (
            name, zip(values, w).map { $0 * (group == 0 ? $1 * $1 : 1 / (0.1 + $1 * $1)) }
          )
        })
    }
    return (
      FisherInformation(groups: ["x", "y"], squares: leaning, counts: [300, 100]), tensors
    )
  }

  @Test func `groups count alike however large their gradients are`() {
    let (fisher, _) = fisher()
    #expect(fisher.equalShares == [0.5, 0.5])
    let scaled = FisherInformation(
      groups: fisher.groups,
      squares: [fisher.squares[0], fisher.squares[1].mapValues { $0.map { $0 * 1000 } }],
      counts: fisher.counts)
    let (one, other) = (fisher.importance([0.5, 0.5]), scaled.importance([0.5, 0.5]))
    for name in ["a", "b"] {
      for (x, y) in zip(one[name]!, other[name]!) { #expect(abs(x - y) < 1e-4 * x) }
      // A hundredth of the mean is what every weight has at least.
      let mean = one[name]!.reduce(0, +) / 600
      #expect(abs(mean - 1.01) < 1e-3 && one[name]!.allSatisfy { $0 >= 0.0099 })
    }
    // All rows alike: what is pooled is the mean over all rows.
    let pooled = fisher.importance(fisher.pooledShares)["a"]!
    let plain = zip(fisher.squares[0]["a"]!, fisher.squares[1]["a"]!).map { 300 * $0 + 100 * $1 }
    let mean = plain.reduce(0, +) / 600
    for (x, y) in zip(pooled, plain) { #expect(abs(x - (y / mean + 0.01)) < 1e-3 * x) }
  }

  @Test func `the largest error of a group is smaller by minimax`() {
    let (fisher, tensors) = fisher()
    let clustering = Clustering(ClusteringSettings(clusters: 6, codebook: .float32))
    let sensitive = SensitiveClustering(
      clustering: clustering, fisher: fisher, tensors: tensors, kept: [:])
    let plain = fisher.errors(
      of: tensors.mapValues { clustering.code($0).decoded.floats },
      from: tensors.mapValues(\.floats)
    ).max()!
    let balanced = sensitive.code(fisher.equalShares)
    let minimax = sensitive.minimax()
    #expect(balanced.errors.reduce(0, +) < 2 * plain)
    #expect(minimax.errors.max()! < 0.9 * plain)
    #expect(minimax.errors.max()! <= balanced.errors.max()!)
    // Near the end both groups have about the same error.
    #expect(minimax.errors.min()! > 0.8 * minimax.errors.max()!, "\(minimax.errors)")
    #expect(abs(minimax.shares.reduce(0, +) - 1) < 1e-9)
  }

  @Test func `gradients are those of single rows`() throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 3))
    let rows = Array(faces.dataset.rows(in: .train).prefix(10))
    let names = ["b.weight", "fc.weight"]
    let found = try FisherInformation.measure(graph, weights: names, on: images, rows: rows)
    #expect(found.counts.reduce(0, +) == 10 && found.groups == faces.dataset.groupNames)
    // The loss of single rows, moved a little in one weight.
    func losses(_ graph: Graph) throws -> [Double] {
      CrossEntropy().losses(
        try Evaluator(images.preprocessing).run(graph, on: faces.dataset, rows: rows).output)
    }
    for (name, i) in [("b.weight", 5), ("b.weight", 200), ("fc.weight", 3), ("fc.weight", 8)] {
      func moved(_ by: Float) throws -> [Double] {
        var other = graph
        var values = graph.initializers[name]!.floats
        values[i] += by
        other.initializers[name] = Tensor(shape: graph.initializers[name]!.shape, values)
        return try losses(other)
      }
      let step: Float = 0.02
      let slopes = try zip(moved(step), moved(-step)).map { ($0 - $1) / Double(2 * step) }
      for group in 0..<2 {
        let own = rows.indices.filter { faces.dataset.groups[rows[$0]] == group }
        let wanted = own.reduce(0) { $0 + slopes[$1] * slopes[$1] } / Double(max(1, own.count))
        let value = Double(found.squares[group][name]![i])
        #expect(abs(value - wanted) < 0.02 * wanted + 1e-7, "\(name) \(i): \(value) \(wanted)")
      }
    }
  }

  @Test(arguments: WeightSettings.Sensitivity.allCases.filter { !$0.isOfTensors })
  func `every sensitivity gives a file`(sensitivity: WeightSettings.Sensitivity) throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    var weights = WeightSettings()
    weights.sensitivity = sensitivity
    var int8 = Int8Settings()
    int8.calibration.count = 24
    let float = SmallNetwork.graph(seed: 3)
    let (graph, report) = try compress(
      float, scheme: Scheme("kmeans:4"), images: images, weights: weights, int8: int8)
    let (plain, other) = try compress(float, scheme: Scheme("kmeans:4"))
    #expect(report.accounting.bytes(of: .weights) == other.accounting.bytes(of: .weights))
    #expect((graph.initializers != plain.initializers) == (sensitivity != .none))
    #expect(try ONNXFile.bytes(of: graph).count == report.bytes)
    guard sensitivity != .none else { return }
    #expect(report.calibration?.images == 24)
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("kmeans:4"), weights: weights, int8: int8)
    }
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("uniform:4"), images: images, weights: weights)
    }
    var ranked = weights
    for sensitivity in WeightSettings.Sensitivity.allCases.filter(\.isOfTensors) {
      ranked.sensitivity = sensitivity
      #expect(throws: CompressionError.self) {
        try compress(float, scheme: Scheme("kmeans:4"), images: images, weights: ranked)
      }
    }
  }
}
