import Graphs
import Tensors

/// Writes coded weights into a graph as packed bytes and the standard operators that unpack them.
///
/// A code of `b` bits is stored as fields of 4, 2 and 1 bits that add up to `b`, each packed on its
/// own, low bits first, so that every width takes exactly `b` bits: 3 is 2 and 1. Unpacking is
/// `BitShift`, `BitwiseAnd`, `Reshape` and `BitwiseOr`; codes become weights by `Gather` from a
/// codebook or by `DequantizeLinear`. Which weights are kept is a bitmap, and `CumSum` over it says
/// where each kept weight is stored. Runtimes compute all this once, when they load the model.
struct WeightPacking: GraphPass {
  /// The weights by the name of the constant that they replace.
  var coded: [String: CodedWeights]

  func rewrite(_ graph: Graph) throws(CompressionError) -> Graph {
    var result = graph
    // BitwiseAnd and BitwiseOr are as old as this.
    result.opset = max(graph.opset, 18)
    var nodes: [Node] = []
    for name in order(in: graph) {
      guard let weights = coded[name] else { continue }
      var writer = PackedWriter(name: name, graph: result)
      writer.write(weights)
      result.initializers = writer.graph.initializers
      nodes += writer.nodes
    }
    result.nodes = nodes + result.nodes
    for name in coded.keys { result.initializers[name] = nil }
    result.removeUnreadInitializers()
    return result
  }

  /// The names in the order in which nodes read them.
  private func order(in graph: Graph) -> [String] {
    var seen: Set<String> = []
    return graph.nodes.flatMap(\.inputs).filter { coded[$0] != nil && seen.insert($0).inserted }
  }
}

/// Writes the nodes of one tensor.
private struct PackedWriter {
  let name: String
  var graph: Graph
  var nodes: [Node] = []

  mutating func write(_ weights: CodedWeights) {
    if let kept = weights.kept {
      writeSparse(weights, kept)
      return
    }
    switch weights.meaning {
    case .affine(let scales, let zeroPoints):
      let codes = reshape(codes(weights.codes, bits: weights.bits), to: weights.shape)
      let parameters = [
        constant("scale", Tensor(shape: [scales.count], scales)),
        constant("zero", Tensor(shape: [zeroPoints.count], zeroPoints)),
      ]
      node(.dequantizeLinear, [codes] + parameters, ["axis": .int(0)], to: name)
    case .codebook(let codebook):
      let codes = codes(weights.codes, bits: weights.bits)
      let flat = lookUp(codes, in: codebook, count: weights.codes.count)
      finish(reshape(flat, to: weights.shape), codebook, weights.shape)
    case .halves: preconditionFailure("only kept weights are stored as they are")
    }
  }

  /// Multiplies looked-up entries with their scales, if there are any.
  private mutating func finish(
    _ values: String, _ codebook: CodedWeights.Codebook, _ shape: [Int]
  ) {
    guard let scales = codebook.scales else {
      node(.identity, [values], to: name)
      return
    }
    if codebook.entries.elementType == .int8 {
      let isOne = scales.count == 1
      let scale = constant(
        "scale", isOne ? Tensor(scalar: scales[0]) : Tensor(shape: [scales.count], scales))
      node(.dequantizeLinear, [values, scale], isOne ? [:] : ["axis": .int(0)], to: name)
      return
    }
    let extents = [scales.count] + shape.dropFirst().map { _ in 1 }
    node(.multiply, [values, constant("scale", Tensor(shape: extents, scales))], to: name)
  }

  /// The entries that flat codes choose, flat or `[groups, rest]`.
  private mutating func lookUp(
    _ codes: String, in codebook: CodedWeights.Codebook, count: Int
  ) -> String {
    let groups = codebook.entries.shape[0]
    let size = codebook.entries.shape[1]
    let indices = cast(codes, to: .int32)
    let entries = groups == 1 ? codebook.entries.reshaped([size]) : codebook.entries
    var table = constant("codebook", entries)
    if entries.elementType == .float16 { table = cast(table, to: .float32) }
    if groups == 1 { return node(.gather, [table, indices]) }
    let rows = reshape(indices, to: [groups, count / groups])
    return node(.gatherElements, [table, rows], ["axis": .int(1)])
  }

  private mutating func writeSparse(_ weights: CodedWeights, _ kept: [Bool]) {
    let mask = codes(kept.map { $0 ? 1 : 0 }, bits: 1, part: "kept")
    let ones = cast(mask, to: .int32)
    let zero = shared("axis", Tensor(scalar: Int64(0)))
    let minusOne = shared("minusOne", Tensor(shape: [1], [Int32(-1)]))
    let ends = node(.cumulativeSum, [ones, zero])
    let places = node(.multiply, [node(.add, [ends, minusOne]), ones])
    var values: String
    switch weights.meaning {
    case .codebook(let codebook):
      values = lookUp(
        codes(weights.codes, bits: weights.bits), in: codebook, count: weights.codes.count)
      if let scale = codebook.scales?.first {
        values = node(.dequantizeLinear, [values, constant("scale", Tensor(scalar: scale))])
      }
    case .halves(let tensor): values = cast(constant("values", tensor), to: .float32)
    case .affine: preconditionFailure("kept weights have no scales of channels")
    }
    let spread = node(.gather, [values, places])
    let product = node(.multiply, [spread, cast(mask, to: .float32)])
    node(.reshape, [product, shape(weights.shape)], to: name)
  }

  /// Stores codes and appends the nodes that unpack them into a flat `uint8` tensor.
  private mutating func codes(_ codes: [UInt8], bits: Int, part: String = "codes") -> String {
    if bits == 8 { return constant(part, Tensor(shape: [codes.count], codes)) }
    var low = 0
    var result: String?
    for width in [4, 2, 1] where bits & width != 0 {
      var field = unpacked(codes, from: low, width: width, part: part)
      if low > 0 {
        let shift = shared("up\(low)", Tensor(scalar: UInt8(low)))
        field = node(.bitShift, [field, shift], ["direction": .string("LEFT")])
      }
      result = result.map { node(.bitwiseOr, [$0, field]) } ?? field
      low += width
    }
    return result ?? ""
  }

  /// One field of every code.
  private mutating func unpacked(
    _ codes: [UInt8], from low: Int, width: Int, part: String
  ) -> String {
    let perByte = 8 / width
    let mask = UInt8(1 << width - 1)
    var bytes = [UInt8](repeating: 0, count: (codes.count + perByte - 1) / perByte)
    for (i, code) in codes.enumerated() {
      bytes[i / perByte] |= (code >> UInt8(low) & mask) << UInt8(i % perByte * width)
    }
    let packed = constant("\(part)\(width)", Tensor(shape: [bytes.count, 1], bytes))
    let shifts = shared(
      "shifts\(width)", Tensor(shape: [perByte], (0..<perByte).map { UInt8($0 * width) }))
    // The mask comes first: OpenVINO may shift by dividing real numbers, which is exact only where
    // the bits below are zero.
    let masks = shared(
      "masks\(width)", Tensor(shape: [perByte], (0..<perByte).map { mask << UInt8($0 * width) }))
    let masked = node(
      .bitShift, [node(.bitwiseAnd, [packed, masks]), shifts], ["direction": .string("RIGHT")])
    let flat = reshape(masked, to: [-1])
    guard codes.count % perByte != 0 else { return flat }
    return node(
      .slice, [flat, shape([0]), shape([codes.count])])
  }

  private mutating func reshape(_ tensor: String, to extents: [Int]) -> String {
    node(.reshape, [tensor, shape(extents)])
  }

  private mutating func cast(_ tensor: String, to type: ElementType) -> String {
    node(.cast, [tensor], ["to": .int(type == .float32 ? 1 : type == .int32 ? 6 : 7)])
  }

  /// A list of whole numbers as a constant, shared by all tensors that need it.
  private mutating func shape(_ extents: [Int]) -> String {
    shared(
      extents.map(String.init).joined(separator: "x"),
      Tensor(shape: [extents.count], extents.map(Int64.init)))
  }

  private mutating func constant(_ part: String, _ tensor: Tensor) -> String {
    graph.initializers["\(name).\(part)"] = tensor
    return "\(name).\(part)"
  }

  private mutating func shared(_ part: String, _ tensor: Tensor) -> String {
    graph.initializers["unpack.\(part)"] = tensor
    return "unpack.\(part)"
  }

  @discardableResult
  private mutating func node(
    _ operation: Operation, _ inputs: [String], _ attributes: [String: Attribute] = [:],
    to output: String? = nil
  ) -> String {
    let stem = "\(name)/\(nodes.count)"
    let result = output ?? stem
    nodes.append(
      Node(stem, operation, inputs: inputs, outputs: [result], attributes: attributes))
    return result
  }
}
