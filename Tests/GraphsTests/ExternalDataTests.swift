import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Graphs

@Suite struct ExternalDataTests {
  private let folder: String
  private let original: Graph

  init() throws {
    folder = try temporaryFolder()
    try Files.makeFolder("\(folder)/model")
    original = try ONNXFile.read(goldenURL("tiny-eval.onnx", in: .module).path)
  }

  /// Moves every initializer into `model/weights.bin`, as `onnx.save_model` does, and reads the file.
  private func read(
    location: String = "weights.bin",
    _ change: (inout ONNXTensorProto, Int) -> Void = { _, _ in }
  ) throws -> Graph {
    var model = ONNXWriter(graph: original).model()
    var weights: [UInt8] = []
    for index in model.graph.initializer.indices {
      var tensor = model.graph.initializer[index]
      let bytes = [UInt8](tensor.rawData)
      tensor.clearRawData()
      tensor.dataLocation = 1
      tensor.externalData = [
        ("location", location), ("offset", "\(weights.count)"), ("length", "\(bytes.count)"),
      ].map { key, value in
        var entry = ONNXStringStringEntryProto()
        (entry.key, entry.value) = (key, value)
        return entry
      }
      change(&tensor, index)
      model.graph.initializer[index] = tensor
      weights += bytes + [UInt8](repeating: 0, count: 16 - bytes.count % 16)
    }
    try Files.replace("\(folder)/model/weights.bin", with: weights)
    let path = "\(folder)/model/m.onnx"
    try Files.replace(path, with: ONNXFile.encode(model))
    return try ONNXFile.read(path)
  }

  private func problem(_ body: () throws -> Graph) -> String {
    do {
      _ = try body()
      return ""
    } catch { return "\(error)".replacing("\(folder)/model/", with: "") }
  }

  private func changing(_ key: String, to value: String?) -> String {
    problem {
      try read { tensor, index in
        guard index == 1 else { return }
        tensor.externalData.removeAll { $0.key == key && value == nil }
        for entry in tensor.externalData.indices where tensor.externalData[entry].key == key {
          tensor.externalData[entry].value = value ?? ""
        }
      }
    }
  }

  @Test func `weights in a file of their own are read`() throws {
    let graph = try read()
    #expect(graph == original)
    let inventory = try ModelInventory(path: "\(folder)/model/m.onnx")
    #expect(inventory.payload == 0)
    #expect(inventory.overhead == inventory.fileBytes)
    #expect(
      inventory.externalBytes == original.initializers.values.reduce(0) { $0 + $1.bytes.count })
    #expect(
      try read { tensor, _ in tensor.externalData.removeAll { $0.key == "checksum" } } == original)
  }

  @Test(arguments: ["../weights.bin", "/etc/passwd", "a/../../weights.bin", ""])
  func `a path that leaves the folder is refused`(location: String) {
    let line = problem { try read(location: location) }
    #expect(
      line.hasSuffix("is stored in '\(location)', which is not inside the model's folder; refused"))
  }

  @Test func `a link that leaves the folder is refused`() throws {
    try Files.replace("\(folder)/secret", with: [UInt8](repeating: 1, count: 1 << 16))
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder)/model/link", withDestinationPath: "../secret")
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder)/model/up", withDestinationPath: "..")
    for location in ["link", "up/secret"] {
      #expect(
        problem { try read(location: location) }
          .hasSuffix("is stored in '\(location)', a link that leaves the model's folder; refused"))
    }
    #expect(problem { try read(location: "none") }.contains("could not be opened: No such file"))
    #expect(mkfifo("\(folder)/model/pipe", 0o600) == 0)
    #expect(problem { try read(location: "pipe") }.contains("is not a readable file"))
  }

  @Test func `lengths and offsets that lie are refused`() {
    #expect(changing("length", to: "1").contains("has 1 bytes at"))
    #expect(changing("length", to: "99999999999").contains("has 99999999999 bytes at"))
    #expect(changing("offset", to: "99999999999").contains("lies at 99999999999 of 'weights.bin'"))
    #expect(changing("offset", to: "-1").contains("has the offset '-1' in 'weights.bin'"))
    #expect(changing("length", to: nil).contains("bytes at"))
  }
}
