import Faces
import Fairness
import Files
import Foundation
import Graphs
import TestSupport
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct SchemeUnderLimitsTests {
  private func run(
    _ scheme: String, maxDrift: Double, _ change: (inout SchemeUnderLimits) -> Void = { _ in }
  ) throws -> (outcome: SchemeUnderLimits.Outcome, graph: Graph?, images: CompressionImages) {
    let (folder, dataset) = try faces([.train: 140, .test: 4, .validation: 236])
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let float = SmallNetwork.graph(seed: 3)
    let images = CompressionImages(dataset, preprocessing: Preprocessing(size: 8))
    var limits = CompressionLimits(bytes: 1_000_000)
    limits.maxDrift = [.equalOpportunity: maxDrift]
    var compression = SchemeUnderLimits(try Scheme(scheme), limits: limits)
    change(&compression)
    let base = CompressionReport.ModelFile(contents: try ONNXFile.bytes(of: float))
    let (outcome, graph, closest) = try compression.run(float, base: base, on: images)
    if let graph {
      #expect(closest == graph)
    } else {
      #expect(closest.metadata[Certificate.key] == nil)
      #expect(try ONNXFile.bytes(of: closest).count == outcome.report.bytes)
    }
    return (outcome, graph, images)
  }

  @Test(arguments: ["int8", "kmeans:16", "uniform:4+int8"])
  func `a scheme that keeps the limits is left as it is, and certified`(scheme: String) throws {
    let (outcome, graph, _) = try run(scheme, maxDrift: 0.5)
    let result = try #require(graph)
    #expect(outcome.isFeasible && outcome.attempts.map(\.name) == ["as asked"])
    #expect(outcome.attempts[0].shift == 0)
    let bytes = try ONNXFile.bytes(of: result)
    #expect(bytes.count == outcome.report.bytes)
    #expect(outcome.report.accounting.total == bytes.count)
    #expect(try Certificate(of: result) == outcome.certificate)
    #expect(
      SHA256.hex(try ONNXFile.contents(bytes, path: "a", without: Certificate.key))
        == outcome.certificate?.model)
  }

  /// Every remedy is tried, none twice, and each of them knows no groups at run time.
  @Test func `remedies are tried in turn where the limits are not kept`() throws {
    let (outcome, graph, _) = try run("kmeans:2", maxDrift: 0.0001)
    #expect(graph == nil && !outcome.isFeasible && outcome.certificate == nil)
    #expect(outcome.binding == "drift of equalOpportunity")
    let names = outcome.attempts.map(\.name)
    #expect(names.first == "as asked")
    #expect(
      names.contains("biases restored") && names.contains("biases restored, variances restored"))
    #expect(Set(names).count == names.count)
    let least = try #require(outcome.attempts.compactMap(\.use).min())
    #expect(outcome.attempts[outcome.chosen].use == least)
  }

  @Test func `int8 that was calibrated badly is calibrated anew`() throws {
    let (outcome, _, images) = try run("int8", maxDrift: 0.0001) {
      $0.int8.calibration.count = 1
      $0.int8.calibration.group = "a"
    }
    let names = outcome.attempts.map(\.name)
    #expect(names.contains("calibration on everybody"))
    #expect(names.contains("calibration on everybody, balanced calibration"))
    #expect(names.contains("calibration on everybody, balanced calibration, biases restored"))
    let rows = try CalibrationSettings(count: 10, group: "a").rows(of: images.dataset)
    let first = images.dataset.groupNames.firstIndex(of: "a").map(Int32.init)
    #expect(rows.count == 10 && rows.allSatisfy { images.dataset.groups[$0] == first })
    #expect(throws: CompressionError.self) {
      try CalibrationSettings(group: "nobody").rows(of: images.dataset)
    }
  }

  @Test func `unfused batch norms are folded where they cost too much`() throws {
    let (outcome, _, _) = try run("int8", maxDrift: 0.0001) { $0.int8 = .unfused }
    #expect(outcome.attempts.map(\.name).contains("batch norms folded"))
    #expect(
      outcome.attempts.map(\.name).contains("batch norms folded, balanced calibration"))
  }

  @Test func `a tuned scheme gets an operating point, and is tuned once`() throws {
    var settings = TuningSettings(epochs: 1)
    settings.batch = 20
    let (outcome, _, _) = try run("kmeans:2", maxDrift: 0.0001) { $0.tuning = settings }
    #expect(outcome.attempts.count <= 2 && outcome.report.tuning?.rows == 140)
  }
}
