import Execution
import Faces
import Foundation
import Graphs
import OneDNN
import TestSupport
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct TuningTests {
  private func weights(_ shape: [Int], seed: UInt64) -> Tensor {
    var random = SplitMix64(seed: seed)
    return Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.normal()) })
  }

  private func clustered(_ tensor: Tensor, _ change: (inout WeightSettings) -> Void = { _ in })
    throws -> CodedWeights
  {
    var settings = WeightSettings()
    change(&settings)
    var graph = SmallNetwork.graph(seed: 3)
    graph.initializers["b.weight"] = tensor
    var work = try CompressionWork(graph, weights: settings)
    for step in try Scheme("kmeans:4").steps { try step.apply(to: &work) }
    return try #require(work.coded["b.weight"])
  }

  /// A function of the weights moves as the entries' gradients say when an entry moves.
  @Test(arguments: [(nil, false), (2, false), (nil, true), (2, true)] as [(Int?, Bool)])
  func `the gradient of an entry is what finite differences say`(
    groupSize: Int?, hasScales: Bool
  ) throws {
    let tensor = weights([6, 6, 3, 3], seed: 5)
    let coded = try clustered(tensor) {
      $0.codebook = .float32
      $0.groupSize = groupSize
      $0.hasChannelScales = hasScales
    }
    let factors = weights([6, 6, 3, 3], seed: 6).floats.map(Double.init)
    func value(_ coded: CodedWeights) -> Double {
      zip(coded.decoded.floats, factors).reduce(0) { $0 + Double($1.0) * $1.1 }
    }
    let latent = LatentWeights(tensor, coded: coded, isAffine: false)
    let gradients = latent.gradients(of: factors.map { Float($0) })
    guard case .codebook(var book) = coded.meaning else {
      throw CompressionError("test", "no book")
    }
    let entries = book.entries.floats
    #expect(gradients.count == entries.count)
    for i in entries.indices {
      var moved = entries
      moved[i] += 0.25
      book.entries = Tensor(shape: book.entries.shape, moved)
      var other = coded
      other.meaning = .codebook(book)
      let slope = (value(other) - value(coded)) / 0.25
      #expect(abs(slope - Double(gradients[i])) < 1e-3 * max(1, abs(slope)))
    }
  }

  @Test func `even grids let gradients through inside the grid only, and codes follow`() {
    let tensor = Tensor(shape: [1, 4], [-2, -0.4, 0.4, 2] as [Float])
    // Two bits, symmetric: codes 1 to 3 stand for -1, 0 and 1.
    let coded = CodedWeights(
      shape: [1, 4], bits: 2, codes: [1, 2, 2, 3], meaning: .affine(scales: [1], zeroPoints: [2]))
    var latent = LatentWeights(tensor, coded: coded, isAffine: false)
    #expect(latent.gradients(of: [1, 1, 1, 1]) == [0, 1, 1, 0])
    for number in 1...8 { latent.step([0, 0, -1, 0], rate: 0.05, number: number) }
    #expect(latent.decoded.floats == [-1, 0, 1, 1])
  }

  /// A weight goes to the entry that is nearest to the number behind it, and its gradient passes to
  /// that number; an entry has the sum of its weights' gradients.
  @Test(arguments: [false, true]) func `codes follow the weights behind them`(
    movesCodes: Bool
  ) throws {
    let tensor = Tensor(shape: [1, 4], [-1, -0.9, 0.95, 1] as [Float])
    let coded = CodedWeights(
      shape: [1, 4], bits: 1, codes: [0, 0, 1, 1],
      meaning: .codebook(.init([[-1, 1]], size: 2, type: .float32, scales: nil)))
    var latent = LatentWeights(
      tensor, coded: coded, isAffine: false, movesCodes: movesCodes)
    // Pulls of one entry's weights that cancel: the entry stays, until its weights have parted.
    for number in 1...30 { latent.step([0.5, -0.5, 0, 0], rate: 0.05, number: number) }
    let codes = try #require(latent.coded).codes
    #expect(codes == (movesCodes ? [0, 1, 1, 1] : [0, 0, 1, 1]))
    #expect(latent.decoded.floats == codes.map { latent.values[Int($0)] })
    if !movesCodes { #expect(latent.values == [-1, 1]) }
    #expect((latent.behind != nil) == movesCodes)
  }

  @Test func `Adam takes the steps of its algorithm`() {
    var random = SplitMix64(seed: 4)
    var values = (0..<7).map { _ in Float(random.normal()) }
    var adam = Adam(count: 7)
    var (plain, m, v) = (
      values.map(Double.init), [Double](repeating: 0, count: 7), [Double](repeating: 0, count: 7)
    )
    for t in 1...40 {
      let gradients = (0..<7).map { _ in Float(random.normal()) }
      adam.step(&values, gradients, rate: 0.1, number: t)
      for i in plain.indices {
        let g = Double(gradients[i])
        m[i] = 0.9 * m[i] + 0.1 * g
        v[i] = 0.999 * v[i] + 0.001 * g * g
        plain[i] -=
          0.1 * (m[i] / (1 - pow(0.9, Double(t))))
          / ((v[i] / (1 - pow(0.999, Double(t)))).squareRoot() + 1e-12)
      }
    }
    for (one, other) in zip(values, plain) { #expect(abs(Double(one) - other) < 1e-4) }
  }

  /// Faces to tune on.
  private func images() throws -> (folder: String, images: CompressionImages) {
    let (folder, dataset) = try faces([.train: 140, .validation: 10, .test: 10])
    return (folder, CompressionImages(dataset, preprocessing: Preprocessing(size: 8)))
  }

  /// Without limits what falls is the mean divergence from the float model's probabilities.
  @Test(arguments: ["kmeans:4", "uniform:3", "prune:0.5+kmeans:4"], [false, true])
  func `tuning brings answers nearer to the float model's and keeps the storage`(
    scheme: String, movesMore: Bool
  ) throws {
    let (folder, images) = try images()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let float = SmallNetwork.graph(seed: 3)
    let steps = try Scheme(scheme)
    let (plain, before) = try compress(float, scheme: steps)
    var settings = TuningSettings(epochs: 10)
    settings.batch = 20
    settings.rate = 0.01
    settings.movesCodes = movesMore
    settings.movesScales = movesMore && scheme == "uniform:3"
    let (tuned, report) = try compress(float, scheme: steps, images: images, tuning: settings)
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
    #expect(report.tensors.map(\.bits) == before.tensors.map(\.bits))
    #expect(report.accounting.bytes(of: .weights) == before.accounting.bytes(of: .weights))
    // The same again gives the same file.
    let again = try compress(float, scheme: steps, images: images, tuning: settings)
    #expect(try ONNXFile.bytes(of: again.graph) == ONNXFile.bytes(of: tuned))
  }

  @Test(.enabled(if: Processor.current.hasNativeBFloat16))
  func `tuning in bfloat16 comes as near to the float model's answers`() throws {
    let (folder, images) = try images()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var settings = TuningSettings(epochs: 10)
    settings.batch = 20
    settings.rate = 0.01
    let losses = try [Precision.float32, .bfloat16].map { precision in
      settings.precision = precision
      let (_, report) = try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme("kmeans:4"), images: images, tuning: settings)
      return try #require(report.tuning).losses
    }
    #expect(losses[0] != losses[1])
    // What was won in single precision is won in bfloat16, but for a tenth.
    let won = losses.map { $0[0] - $0[9] }
    #expect(won[0] > 0 && won[1] > 0.9 * won[0], "\(losses)")
  }

  @Test func `tuning under limits records drift on rows it is not fitted to`() throws {
    let (folder, images) = try images()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var settings = TuningSettings(epochs: 3)
    settings.batch = 16
    settings.limits = [.init(.equalizedOdds, tolerance: 0.01)]
    settings.heldOut = 0.2
    let (_, report) = try compress(
      SmallNetwork.graph(seed: 3), scheme: Scheme("kmeans:4"), images: images, tuning: settings)
    let record = try #require(report.tuning)
    #expect(record.losses.count == 3 && record.rows == 112 && record.drifts.count == 2)
    #expect(record.settings == settings)
  }

  @Test func `what cannot be tuned is refused`() throws {
    let (folder, images) = try images()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let float = SmallNetwork.graph(seed: 3)
    var settings = TuningSettings(epochs: 1)
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("kmeans:4"), tuning: settings)
    }
    settings.movesScales = true
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("kmeans:4"), images: images, tuning: settings)
    }
    settings.movesScales = false
    settings.batch = 1000
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("kmeans:4"), images: images, tuning: settings)
    }
    settings.batch = 16
    settings.rate = 2
    #expect(throws: CompressionError.self) {
      try compress(float, scheme: Scheme("kmeans:4"), images: images, tuning: settings)
    }
    settings.rate = 0.01
    #expect(throws: CompressionError.self) {
      try compress(
        float, scheme: Scheme("int8"), images: images, int8: .unfused, tuning: settings)
    }
  }
}
