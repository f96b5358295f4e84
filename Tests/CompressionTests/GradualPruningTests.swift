import Faces
import Foundation
import Graphs
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct GradualPruningTests {
  @Test func `the share rises along the cubic and ends where it should`() {
    let plan = GradualPruning(pruning: MagnitudePruning(sparsity: 0.8), steps: 200)
    #expect(plan.sparsity(at: 0) == 0 && plan.sparsity(at: 200) == 0.8)
    #expect(plan.sparsity(at: 900) == 0.8)
    #expect(abs(plan.sparsity(at: 100) - 0.8 * (1 - 0.125)) < 1e-12)
    let shares = (0...200).map(plan.sparsity)
    #expect(zip(shares, shares.dropFirst()).allSatisfy { $0 < $1 })
    let tensor = Tensor(shape: [10, 10], (0..<100).map { Float($0 - 50) / 7 })
    for step in [0, 10, 100, 200] {
      let kept = plan.kept([tensor], at: step)[0].count { $0 }
      #expect(kept == 100 - Int(100 * plan.sparsity(at: step)), "\(step)")
    }
    #expect([0, 10, 190, 200].allSatisfy(plan.looks))
    #expect(![5, 199, 210].contains(where: plan.looks))
    let long = GradualPruning(pruning: MagnitudePruning(sparsity: 0.8), steps: 2005)
    let looks = (0..<4000).filter(long.looks)
    #expect(looks.first == 0 && looks.last == 2005 && 50...53 ~= looks.count)
  }

  @Test func `dropped weights stay as they are, and may come back`() {
    let weights = Tensor(shape: [2, 3], [4, 3, 2, 1, -5, 6] as [Float])
    let all = [Bool](repeating: true, count: 6)
    let coded = CodedWeights(
      shape: [2, 3], bits: 8, codes: [],
      meaning: .halves(Tensor(halves: weights.floats, shape: [6])),
      kept: all)
    var latent = LatentWeights(weights, coded: coded, isAffine: false, dropsGradually: true)
    latent.keep([true, true, false, false, true, true])
    #expect(latent.decoded.floats == [4, 3, 0, 0, -5, 6])
    #expect(latent.real.floats == weights.floats)
    latent.step([1, -1, 9, 9, 0, 0], rate: 0.01, number: 1)
    let moved = latent.decoded.floats
    #expect(moved[0] < 4 && moved[1] > 3 && moved[2] == 0 && moved[3] == 0)
    #expect(latent.real.floats[2] == 2 && latent.real.floats[3] == 1)
    latent.keep(all)
    #expect(latent.decoded.floats[2] == 2 && latent.decoded.floats[0] == moved[0])
  }

  @Test(arguments: [MagnitudePruning.Scope.global, .layer])
  func `files are as sparse as without`(scope: MagnitudePruning.Scope) throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    var weights = WeightSettings()
    weights.pruningScope = scope
    func made(isGradual: Bool) throws -> (graph: Graph, report: CompressionReport) {
      var tuning = TuningSettings(epochs: 4)
      tuning.batch = 8
      tuning.isGradual = isGradual
      return try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme("prune:0.7"), images: images, weights: weights,
        tuning: tuning)
    }
    let (gradual, once) = try (made(isGradual: true), made(isGradual: false))
    func weight(_ report: CompressionReport) -> Int { report.accounting.bytes(of: .weights) }
    #expect(abs(weight(gradual.report) - weight(once.report)) <= 8)
    if scope == .layer {
      #expect(gradual.report.tensors.map(\.sparsity) == once.report.tensors.map(\.sparsity))
    }
    #expect(gradual.graph.initializers != once.graph.initializers)
    #expect(try ONNXFile.bytes(of: gradual.graph).count == gradual.report.bytes)
  }

  @Test func `clusters are found of what stays, and moved on`() throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    func made(isGradual: Bool) throws -> (graph: Graph, report: CompressionReport) {
      var tuning = TuningSettings(epochs: 4)
      tuning.batch = 8
      tuning.isGradual = isGradual
      return try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme("prune:0.6+kmeans:4"), images: images,
        tuning: tuning)
    }
    let (gradual, once) = try (made(isGradual: true), made(isGradual: false))
    // The same file but for its numbers; how many of a tensor stay is for the weights to say.
    #expect(gradual.graph.nodes == once.graph.nodes)
    #expect(gradual.graph.initializers != once.graph.initializers)
    #expect(gradual.report.tensors.allSatisfy { $0.bits == 2 })
    let counts = gradual.report.tensors.map { tensor in
      SmallNetwork.graph(seed: 3).initializers[tensor.tensor]?.count ?? 0
    }
    let dropped = zip(gradual.report.tensors, counts).reduce(0.0) {
      $0 + $1.0.sparsity * Double($1.1)
    }
    #expect(abs(dropped - 0.6 * Double(counts.reduce(0, +))) <= 1)
    // Four values, and zero.
    let unpacked = try gradual.graph.foldingConstants()
    for tensor in gradual.report.tensors {
      let values = Set(unpacked.initializers[tensor.tensor]?.floats ?? [])
      #expect(2...5 ~= values.count, "\(tensor.tensor)")
    }
  }

  @Test(arguments: ["kmeans:4", "uniform:4", "filters:0.2"])
  func `other schemes are refused`(scheme: String) throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    var tuning = TuningSettings(epochs: 1)
    tuning.batch = 8
    tuning.isGradual = true
    #expect(throws: CompressionError.self) {
      try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme(scheme), images: images, tuning: tuning)
    }
  }
}
