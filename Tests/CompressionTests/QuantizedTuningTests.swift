import Execution
import Faces
import Foundation
import Graphs
import TestSupport
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct QuantizedTuningTests {
  static let schemes = ["int8", "uniform:4+int8", "kmeans:8+int8"]

  private static var weights: WeightSettings {
    var weights = WeightSettings()
    weights.codebook = .int8
    return weights
  }

  /// The decisions that are tuned are the file's: rounding activations while training gives what the
  /// file's integers give.
  @Test(arguments: schemes, [1, 2] as [UInt64])
  func `what is tuned answers as the file does`(scheme: String, seed: UInt64) throws {
    var work = try CompressionWork(SmallNetwork.graph(seed: seed), weights: Self.weights)
    for step in try Scheme(scheme).steps { try step.apply(to: &work) }
    work.storeIntegers()
    let sites = ActivationSites(of: work.graph, keepsBatchNorms: false)
    let parameters = try Calibration(observer: .minMax, grid: 0...255).parameters(
      of: work.graph, at: sites,
      with: ReferenceProbe(batches: [SmallNetwork.images(4, seed: seed)]))
    work.activations = .init(sites: sites, parameters: parameters)
    let file = try work.finished()
    let trained = try Int8Quantization(sites: sites, activations: parameters).simulated(work.graph)

    let count = 64
    let images = SmallNetwork.images(count, seed: seed + 10)
    let session = try TrainingSession(trained, batch: count, inputShape: SmallNetwork.imageShape)
    // The file's biases are whole numbers of products.
    try session.load(parameters: file.initializers)
    let tuned = try images.withUnsafeBufferPointer { Array(try session.forward($0)) }
    let inference = try InferenceSession(
      file, batch: count, inputShape: SmallNetwork.imageShape)
    try inference.run(images)
    let written = try inference.output()
    var differences: [Float] = []
    for (one, other) in zip(tuned, written) { differences.append(abs(one - other)) }
    #expect(differences.count == 2 * count)
    // A number that lies on the border of two steps may fall to either side.
    #expect(differences.count { $0 > 1e-5 } <= count / 16, "\(differences.max() ?? 0)")
    #expect(differences.allSatisfy { $0 < 0.02 })
  }

  /// Other runtimes round biases to a step of the sums: the file's are whole numbers of it already.
  @Test(arguments: schemes, [false, true])
  func `biases are whole numbers of products`(scheme: String, hasChannelScales: Bool) throws {
    var weights = Self.weights
    weights.hasChannelScales = hasChannelScales
    let (folder, images) = try images()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (graph, _) = try compress(
      SmallNetwork.graph(seed: 3), scheme: Scheme(scheme), images: images, weights: weights)
    let producers = Dictionary(
      uniqueKeysWithValues: graph.nodes.flatMap { node in node.outputs.map { ($0, node) } })
    var checked = 0
    for node in graph.nodes where node.operation == .convolution || node.operation == .gemm {
      guard node.inputs.count > 2, let input = producers[node.inputs[0]],
        input.operation == .dequantizeLinear, let weight = producers[node.inputs[1]],
        weight.operation == .dequantizeLinear,
        let scale = graph.initializers[input.inputs[1]]?.floats.first,
        let scales = graph.initializers[weight.inputs[1]]?.floats,
        let bias = graph.initializers[node.inputs[2]]?.floats
      else { continue }
      checked += 1
      for (i, value) in bias.enumerated() {
        let count = value / (scale * scales[scales.count == 1 ? 0 : i])
        #expect(abs(count - count.rounded()) < 1e-3 * max(1, abs(count) * 1e-3), "\(node.name)")
      }
    }
    #expect(checked == 5)
  }

  /// Faces to tune on.
  private func images() throws -> (folder: String, images: CompressionImages) {
    let (folder, dataset) = try faces([.train: 140, .validation: 10, .test: 10])
    return (folder, CompressionImages(dataset, preprocessing: Preprocessing(size: 8)))
  }

  @Test(arguments: ["int8", "uniform:3+int8", "kmeans:4+int8"], [false, true])
  func `tuning brings int8 files nearer to the float model`(
    scheme: String, movesScales: Bool
  ) throws {
    let (folder, images) = try images()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let float = SmallNetwork.graph(seed: 3)
    let steps = try Scheme(scheme)
    let (plain, before) = try compress(
      float, scheme: steps, images: images, weights: Self.weights)
    var settings = TuningSettings(epochs: 10)
    settings.batch = 20
    settings.rate = scheme == "int8" ? 0.002 : 0.01
    settings.movesScales = movesScales && !scheme.contains("kmeans")
    let (tuned, report) = try compress(
      float, scheme: steps, images: images, weights: Self.weights, tuning: settings)
    let rows = images.dataset.rows(in: .train)
    func divergence(_ graph: Graph) throws -> Double {
      let evaluator = Evaluator(images.preprocessing)
      let known = try evaluator.run(float, on: images.dataset, rows: rows).output
      let found = try evaluator.run(graph, on: images.dataset, rows: rows).output
      let distillation = try DriftDistillation(
        [], groups: images.dataset.groupNames, counts: images.dataset.counts(of: rows))
      return distillation.evaluate(found, teacher: known.logits).value
    }
    let (old, new) = (try divergence(plain), try divergence(tuned))
    #expect(new < old, "\(old) -> \(new)")
    // Ranges are those of calibration on weights as they are stored, which plain int8 does not wait
    // for; the file has the same form and length.
    #expect(report.activations.map(\.tensor) == before.activations.map(\.tensor))
    #expect(scheme == "int8" || report.activations == before.activations)
    #expect(tuned.nodes == plain.nodes)
    #expect(report.accounting.bytes(of: .weights) == before.accounting.bytes(of: .weights))
    if scheme == "int8" {
      let integers = tuned.initializers.filter { $0.value.elementType == .int8 }
      #expect(integers.count == 5)
      for tensor in integers.values {
        #expect(tensor.values(as: Int8.self).allSatisfy { -64...64 ~= $0 })
      }
    }
  }

  @Test func `ranges follow the weights in the first half, and freeze`() throws {
    let (folder, images) = try images()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var settings = TuningSettings(epochs: 4)
    settings.batch = 20
    settings.rate = 0.02
    func made() throws -> CompressionReport {
      try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme("uniform:4+int8"), images: images,
        weights: Self.weights, tuning: settings
      ).report
    }
    let frozen = try made()
    settings.movesRanges = true
    let moved = try made()
    #expect(moved.activations.map(\.tensor) == frozen.activations.map(\.tensor))
    // Images do not change while weights do.
    #expect(moved.activations[0] == frozen.activations[0])
    #expect(moved.activations.dropFirst() != frozen.activations.dropFirst())
    #expect(throws: CompressionError.self) {
      try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme("uniform:4"), images: images, tuning: settings)
    }
    for steps in [8, 9, 40, 1000] {
      let looks = (0..<steps).filter { settings.looksForRanges(at: $0, of: steps) }
      #expect(looks.count == 4 && looks.allSatisfy { $0 <= steps / 2 })
    }
    settings.movesRanges = false
    #expect(!(0..<40).contains { settings.looksForRanges(at: $0, of: 40) })
  }

  @Test func `entries of int8 codebooks move by whole steps`() throws {
    let tensor = Tensor(shape: [1, 4], [-1, -0.9, 0.95, 1] as [Float])
    let coded = CodedWeights(
      shape: [1, 4], bits: 1, codes: [0, 0, 1, 1],
      meaning: .codebook(.init([[-0.5, 1]], size: 2, type: .int8, scales: nil)))
    var latent = LatentWeights(tensor, coded: coded, isAffine: false, movesCodes: true)
    let step: Float = 1 / 127
    #expect(latent.decoded.floats == [-64 * step, -64 * step, 127 * step, 127 * step])
    for number in 1...20 { latent.step([1, 1, 0, 0], rate: 0.01, number: number) }
    guard case .codebook(let book) = latent.coded?.meaning else {
      Issue.record("no codebook")
      return
    }
    // Twenty steps of a hundredth of the weights' size, which is near 1, from -0.5 on.
    let entries = book.entries.values(as: Int8.self)
    let lowest = Int(entries[0])
    #expect((-90 ... -86).contains(lowest) && entries[1] == 127)
    #expect(book.scales == [step])
  }

  @Test func `weights as codes and as integers are the same`() {
    let tensor = Tensor(shape: [2, 3], [-1, 0.5, 0.25, 2, -2, 0.1] as [Float])
    for grid in ChannelQuantization.Grid.allCases {
      let integers = ChannelQuantization.symmetric(tensor, grid: grid)
      #expect(ChannelQuantization(integers.coded) == integers)
      #expect(integers.coded.decoded == integers.dequantized)
    }
  }
}
