import Execution
import Faces
import Files
import Foundation
import Graphs
import TestSupport
import Testing
import Tensors

@testable import Compression

/// A folder of small JPEGs and a CSV that gives them labels and groups; removed with the object.
final class SmallFaces {
  let folder: String
  let dataset: FaceDataset

  init(rows: Int = 48) throws {
    folder = try temporaryFolder()
    let images = try golden([Data].self, "images", in: .module)
    var lines = ["file,label,group,split"]
    for row in 0..<rows {
      try images[row % images.count].write(to: URL(fileURLWithPath: "\(folder)/\(row).jpg"))
      // One cell, label 1 of group b, is rare.
      let (label, group) =
        row % 12 == 0 ? (1, "b") : (row % 3 == 1 ? 1 : 0, row % 3 == 2 ? "b" : "a")
      lines.append("\(row).jpg,\(label),\(group),\(row % 4 == 3 ? "test" : "train")")
    }
    try Files.replace("\(folder)/faces.csv", with: lines.joined(separator: "\n") + "\n")
    dataset = try FaceDataset.table(folder, "\(folder)/faces.csv")
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }
}

@Suite struct QuantizeInt8Tests {
  private func settings(_ change: (inout Int8Settings) -> Void = { _ in }) -> Int8Settings {
    var settings = Int8Settings()
    settings.calibration.count = 24
    change(&settings)
    return settings
  }

  private func quantize(
    _ faces: SmallFaces, _ settings: Int8Settings, graph: Graph = SmallNetwork.graph(seed: 3)
  ) throws -> (graph: Graph, report: CompressionReport) {
    try quantizeInt8(
      graph, on: faces.dataset, preprocessing: Preprocessing(size: 8), settings: settings)
  }

  @Test func `the accounting adds up to the file on disk`() throws {
    let faces = try SmallFaces()
    let (graph, report) = try quantize(faces, settings())
    let path = "\(faces.folder)/int8.onnx"
    try ONNXFile.write(graph, to: path)
    let bytes = try Files.read(path)
    #expect(report.bytes == bytes.count)
    let accounting = report.accounting
    #expect(accounting.total == bytes.count)
    #expect(accounting.entries.reduce(accounting.overhead) { $0 + $1.bytes } == bytes.count)
    #expect(accounting.overhead > 0)
    let weights = SmallNetwork.graph(seed: 3).nodes.reduce(0) { sum, node in
      guard node.operation == .convolution || node.operation == .gemm else { return sum }
      return sum + (SmallNetwork.graph(seed: 3).initializers[node.inputs[1]]?.count ?? 0)
    }
    #expect(accounting.bytes(of: .weights) == weights)
    #expect(accounting.bytes(of: .batchNorms) == 0)
    #expect(accounting.bytes(of: .other) == 0)
    #expect(try ONNXFile.read(path) == graph)
  }

  @Test func `equal settings give equal bytes, another seed does not`() throws {
    let faces = try SmallFaces()
    let once = try ONNXFile.bytes(of: quantize(faces, settings()).graph)
    #expect(try ONNXFile.bytes(of: quantize(faces, settings()).graph) == once)
    let other = settings { $0.calibration.seed = 1 }
    #expect(try ONNXFile.bytes(of: quantize(faces, other).graph) != once)
  }

  @Test(arguments: [false, true])
  func `the engine runs the file and stays near the float model`(unfused: Bool) throws {
    let faces = try SmallFaces()
    var chosen = unfused ? Int8Settings.unfused : Int8Settings()
    chosen.calibration.count = 24
    let float = SmallNetwork.graph(seed: 3)
    let (graph, _) = try quantize(faces, chosen)
    var options = BatchLoader.Options()
    options.batchSize = 12
    options.preprocessing = Preprocessing(size: 8)
    let loader = BatchLoader(faces.dataset, rows: faces.dataset.rows(in: .test), options: options)
    let images = try #require(try loader.next()).images
    func logits(_ graph: Graph) throws -> [Float] {
      let session = try InferenceSession(graph, batch: 12, inputShape: [3, 8, 8])
      try session.run(images)
      return try session.output()
    }
    let (before, after) = (try logits(float), try logits(graph))
    let error = zip(before, after).map { abs($0 - $1) }.max() ?? .infinity
    let spread = (before.max() ?? 0) - (before.min() ?? 0)
    #expect(error > 0)
    #expect(error < 0.1 * spread)
    // What was measured is what the operators as they are written give.
    let plain = try #require(try SmallNetwork.run(graph, images)["logits"]).floats
    #expect((zip(plain, after).map { abs($0 - $1) }.max() ?? .infinity) < 0.02 * spread)
  }

  @Test func `bias correction runs on the engine`() throws {
    let faces = try SmallFaces()
    let plain = try quantize(faces, settings()).graph
    let corrected = try quantize(faces, settings { $0.correctsBias = true }).graph
    #expect(
      plain.initializers["fc.weight_quantized"] == corrected.initializers["fc.weight_quantized"])
    #expect(plain.nodes.count == corrected.nodes.count)
    #expect(plain != corrected)
  }

  @Test func `the report and the metadata say where the model comes from`() throws {
    let faces = try SmallFaces()
    let float = SmallNetwork.graph(seed: 3)
    let (graph, report) = try quantize(faces, settings { $0.calibration.isBalanced = true })
    let bytes = try ONNXFile.bytes(of: float)
    #expect(report.base.bytes == bytes.count)
    #expect(report.base.sha256 == SHA256.hex(bytes))
    #expect(report.calibration?.images == 24)
    let text = try #require(graph.metadata["equant.compression"])
    let provenance = try JSONDecoder().decode(CompressionProvenance.self, from: Data(text.utf8))
    #expect(provenance.base == report.base)
    #expect(provenance.settings?.calibration.isBalanced == true)
    // The rare cell has four images, all of them in train.
    #expect(report.calibration?.cells["b"]?["1"] == 4)
    #expect(report.calibration?.cells.values.flatMap(\.values).reduce(0, +) == 24)
    #expect(report.calibration?.cells["a"]?["0"] == 7)
  }

  @Test func `calibration takes rows of train only`() throws {
    let faces = try SmallFaces()
    let train = Set(faces.dataset.rows(in: .train))
    for isBalanced in [false, true] {
      let chosen = try CalibrationSettings(count: 1000, seed: 5, isBalanced: isBalanced)
        .rows(of: faces.dataset)
      #expect(Set(chosen) == train)
      #expect(chosen.count == train.count)
    }
    let error = #expect(throws: CompressionError.self) {
      try CalibrationSettings(count: 0).rows(of: faces.dataset)
    }
    #expect(error?.description == "calibration: 0 images asked for, expected 1 or more")
  }

  @Test func `a quantized model is not quantized again`() throws {
    let faces = try SmallFaces()
    let (graph, _) = try quantize(faces, settings())
    let error = #expect(throws: CompressionError.self) {
      try quantize(faces, settings(), graph: graph)
    }
    #expect(error?.problem == "the model is quantized already")
  }

  @Test func `a damaged image is named`() throws {
    let faces = try SmallFaces()
    try Files.replace("\(faces.folder)/1.jpg", with: "not a picture")
    let error = #expect(throws: FileError.self) {
      try quantize(faces, settings { $0.calibration.count = 1000 })
    }
    #expect(error?.path.hasSuffix("1.jpg") == true)
  }

  /// The poster's file had 11 392 190 bytes; the project promises at most 11 260 000.
  @Test func `the two-class ResNet-18 is small on disk`() throws {
    let graph = try BatchNormFolding().rewrite(ResNet.resnet18(classes: 2))
    let sites = ActivationSites(of: graph, keepsBatchNorms: false)
    // The input, the stem, 16 convolutions and 8 sums in blocks, 3 shortcuts, the average.
    #expect(sites.observed.count == 1 + 1 + 16 + 8 + 3 + 1)
    let one = QuantizationParameters(scale: 1, zeroPoint: 0)
    let pass = Int8Quantization(
      sites: sites, activations: Dictionary(uniqueKeysWithValues: sites.observed.map { ($0, one) }))
    let quantized = try pass.rewrite(graph)
    let bytes = try ONNXFile.bytes(of: quantized).count
    let accounting = SizeAccounting(of: quantized, fileBytes: bytes)
    #expect(accounting.bytes(of: .weights) == 11_167_936)
    #expect(accounting.bytes(of: .biases) == 4802 * 4)
    #expect(accounting.bytes(of: .scales) == 4802 * 4 + sites.observed.count * 4)
    #expect(bytes <= 11_250_000)  // the rest is for metadata
  }
}
