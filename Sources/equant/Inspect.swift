import ArgumentParser
import Graphs
import Tensors

/// `equant inspect`: what a model file is made of.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a model file's operators, shapes and where its bytes go.",
    discussion: """
      The bytes of all tensors and the rest of the file add up to the file's length. Shapes that \
      depend on the size of the images are shown as '?'; --size fills them in. --diff shows what \
      became of each tensor in another file, such as a compressed one.
      """)

  @Argument(help: "An ONNX file.", completion: .file(extensions: ["onnx"]))
  var model: String

  @Option(help: ArgumentHelp("Show shapes for square images of this side.", valueName: "pixels"))
  var size: Int?

  @Option(
    help: ArgumentHelp("Show what another file made of each tensor.", valueName: "other"),
    completion: .file(extensions: ["onnx"]))
  var diff: String?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if size != nil, diff != nil {
      throw ValidationError("'--diff' compares files as they are: leave '--size' out.")
    }
    if let size, size < 1 { throw ValidationError("'--size' is at least 1.") }
  }

  func run() throws {
    var inventory = try ModelInventory(path: model)
    if let diff {
      let summary = InspectDifference(
        from: inventory, path: model, to: try ModelInventory(path: diff), path: diff)
      return try output.write(summary) { summary.text }
    }
    if let size {
      // Free extents of images become `size`; a free batch is shown for one image.
      var inputs: [String: [Int]] = [:]
      for input in inventory.graph.inputs where input.shape.contains(nil) {
        inputs[input.name] = input.shape.enumerated().map { $1 ?? ($0 == 0 ? 1 : size) }
      }
      inventory = try ModelInventory(path: model, inputs: inputs)
    }
    let summary = Summary(inventory, path: model)
    try output.write(summary) { summary.text }
  }
}

/// The JSON of `equant inspect`; names are stable.
private struct Summary: Encodable {
  struct NodeRow: Encodable {
    var name: String
    var operation: String
    var shape: [Int?]
  }
  struct TypeRow: Encodable {
    var elementType: String
    var tensors: Int
    var elements: Int
    var bytes: Int
  }
  struct OperatorRow: Encodable {
    var operation: String
    var count: Int
  }

  var file: String
  var bytes: Int
  var payload: Int
  var overhead: Int
  var opset: Int
  var irVersion: Int
  var producer: String
  var inputs: [TensorRow]
  var outputs: [TensorRow]
  var parameters: Int
  var statistics: Int
  var operators: [OperatorRow]
  var elementTypes: [TypeRow]
  var nodes: [NodeRow]
  var tensors: [TensorRow]
  var metadata: [String: String]

  init(_ inventory: ModelInventory, path: String) {
    func row(_ value: Value) -> TensorRow {
      let known = inventory.values[value.name] ?? value
      return TensorRow(
        name: value.name, elementType: value.elementType.rawValue, shape: known.shape)
    }
    file = path
    bytes = inventory.fileBytes
    payload = inventory.payload
    overhead = inventory.overhead
    opset = inventory.opset
    irVersion = inventory.irVersion
    producer = inventory.producer
    inputs = inventory.graph.inputs.map(row)
    outputs = inventory.graph.outputs.map(row)
    parameters = inventory.parameters
    statistics = inventory.statistics
    operators = inventory.operations.map {
      OperatorRow(operation: $0.operation.rawValue, count: $0.count)
    }
    elementTypes = inventory.byElementType.map {
      TypeRow(
        elementType: $0.elementType.rawValue, tensors: $0.tensors, elements: $0.count,
        bytes: $0.bytes)
    }
    nodes = inventory.graph.nodes.map { node in
      NodeRow(
        name: node.name, operation: node.operation.rawValue,
        shape: node.outputs.first.flatMap { inventory.values[$0]?.shape } ?? [])
    }
    tensors = inventory.entries.map { TensorRow($0) }
    metadata = inventory.graph.metadata
  }

  var text: String {
    var lines = ["\(file): \(bytes) bytes, opset \(opset), format version \(irVersion)"]
    if !producer.isEmpty { lines[0] += ", written by \(producer)" }
    lines += inputs.map { "input   \($0.name)  \($0.elementType) \(InspectTable.shape($0.shape))" }
    lines += outputs.map { "output  \($0.name)  \($0.elementType) \(InspectTable.shape($0.shape))" }
    lines.append("\(parameters) parameters, \(statistics) running statistics")
    lines += InspectTable.section(
      ["operator", "count"], operators.map { [$0.operation, "\($0.count)"] }, numbers: [1])
    lines += InspectTable.section(
      ["element type", "tensors", "elements", "bytes"],
      elementTypes.map { [$0.elementType, "\($0.tensors)", "\($0.elements)", "\($0.bytes)"] }
        + [["the rest", "", "", "\(overhead)"], ["the file", "", "", "\(bytes)"]],
      numbers: [1, 2, 3])
    lines += InspectTable.section(
      ["node", "operator", "result"],
      nodes.map { [$0.name, $0.operation, InspectTable.shape($0.shape)] })
    lines += InspectTable.section(
      ["tensor", "element type", "shape", "bytes"],
      tensors.map { [$0.name, $0.elementType, InspectTable.shape($0.shape), "\($0.bytes ?? 0)"] },
      numbers: [3])
    if !metadata.isEmpty {
      lines += InspectTable.section(
        ["metadata", ""],
        metadata.sorted { $0.key < $1.key }.map {
          [$0.key, $0.value.replacing("\n", with: " ")]
        })
    }
    return lines.joined(separator: "\n")
  }
}
