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

@Suite struct LayerSensitivityTests {
  /// Oracle: the whole network run again with one layer's weights replaced, and plain counting.
  @Test(arguments: ["kmeans:2", "int8"])
  func `every layer does what it does in the whole network`(scheme: String) throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let images = try golden([Data].self, "images", in: .module)
    var lines = ["file,label,group,split"]
    for row in 0..<40 {
      try images[row % images.count].write(to: URL(fileURLWithPath: "\(folder)/\(row).jpg"))
      lines.append("\(row).jpg,\(row % 3 == 0 ? 1 : 0),\(row % 2 == 0 ? "a" : "b"),validation")
    }
    try Files.replace("\(folder)/faces.csv", with: lines.joined(separator: "\n") + "\n")
    let data = try FaceDataset.table(folder, "\(folder)/faces.csv")
    let rows = data.rows(in: .validation)
    let preprocessing = Preprocessing(size: 8)
    var graph = SmallNetwork.graph(seed: 3)
    let evaluator = Evaluator(preprocessing)
    func margins(_ graph: Graph) throws -> [Float] {
      DeltaMeasurement.margins(try evaluator.run(graph, on: data, rows: rows).output.logits)
    }
    // The decision is put into the middle of the faces, so that some flip.
    var bias = try #require(graph.initializers["fc.bias"]).floats
    let found = try margins(graph).sorted()
    bias[1] -= found[found.count / 2]
    graph.initializers["fc.bias"] = Tensor(shape: [2], bias)

    let sensitivity = try LayerSensitivity.measure(
      graph, scheme: Scheme(scheme), on: CompressionImages(data, preprocessing: preprocessing),
      rows: rows)
    #expect(sensitivity.rows == 40 && sensitivity.scheme == scheme)
    let work = try CompressionWork(graph)
    #expect(sensitivity.layers.count == work.weightNames.count)
    var stored = work
    for step in try Scheme(scheme).steps { try step.apply(to: &stored) }
    let before = try margins(work.float)
    var flips = 0
    for (layer, name) in zip(sensitivity.layers, work.weightNames) {
      let node = try #require(work.float.nodes.first { $0.inputs.contains(name) })
      #expect(layer.layer == node.name)
      var changed = work.float
      changed.initializers[name] =
        scheme == "int8"
        ? ChannelQuantization.symmetric(
          try #require(work.float.initializers[name]), grid: .reduced
        ).dequantized : try #require(stored.coded[name]).decoded
      let after = try margins(changed)
      #expect(layer.cells.map(\.label) == [1, 0, 1, 0])
      for cell in layer.cells {
        let members = rows.indices.filter {
          data.groupNames[Int(data.groups[rows[$0]])] == cell.group
            && Int(data.labels[rows[$0]]) == cell.label
        }
        #expect(cell.count == members.count)
        #expect(cell.lost == members.count { before[$0] >= 0 && after[$0] < 0 })
        #expect(cell.gained == members.count { before[$0] < 0 && after[$0] >= 0 })
        let mean = members.reduce(0.0) { $0 + Double(after[$1] - before[$1]) }
        #expect(abs(try #require(cell.shift) - mean / Double(members.count)) < 1e-4)
        #expect(try #require(cell.shiftLow) <= #require(cell.shift))
        flips += cell.lost + cell.gained
      }
    }
    #expect(scheme == "int8" || flips > 0)
  }

  @Test func `a group of nobody has no shift`() {
    let table = DeltaTable(
      margins: [1, -1], cells: [1, 1], groups: 2,
      units: [
        DeltaTable.Unit(
          tensors: ["w"], choices: [DeltaTable.Choice(step: "s", bytes: 9, deltas: [-2, 2])])
      ])
    let found = LayerSensitivity(
      table, scheme: "s",
      graph: Graph(name: "", inputs: []), groups: ["a", "b"])
    #expect(found.layers[0].layer == "w" && found.layers[0].bytes == 9)
    let cells = found.layers[0].cells
    #expect(cells[0].shift == 0 && cells[0].lost == 1 && cells[0].gained == 1)
    #expect(cells[1].shift == nil && cells[1].count == 0)
    #expect(cells[3].shiftLow == nil)
  }

  @Test func `schemes of several steps and no rows are refused in one line`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let image = try golden([Data].self, "images", in: .module)[0]
    try image.write(to: URL(fileURLWithPath: "\(folder)/0.jpg"))
    try image.write(to: URL(fileURLWithPath: "\(folder)/1.jpg"))
    try Files.replace(
      "\(folder)/faces.csv",
      with: "file,label,group,split\n0.jpg,0,a,validation\n1.jpg,1,b,validation\n")
    let images = CompressionImages(
      try FaceDataset.table(folder, "\(folder)/faces.csv"), preprocessing: Preprocessing(size: 8))
    #expect(throws: CompressionError.self) {
      try LayerSensitivity.measure(
        SmallNetwork.graph(seed: 1), scheme: Scheme("kmeans:4+int8"), on: images, rows: [0])
    }
    #expect(throws: CompressionError.self) {
      try LayerSensitivity.measure(
        SmallNetwork.graph(seed: 1), scheme: Scheme("kmeans:4"), on: images, rows: [])
    }
  }
}
