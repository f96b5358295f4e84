import Files
import Foundation
import Graphs
import TestSupport
import Tensors
import Testing

@testable import Compression

@Suite struct PackedModelTests {
  /// Symbols below `count`, the first ones more frequent the larger `slope` is.
  private func symbols(_ length: Int, below count: Int, slope: Double, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    return (0..<length).map { _ in
      UInt8(min(Double(count) - 1, Double(count) * pow(random.uniform(), 1 + slope)))
    }
  }

  private func entropy(_ symbols: [UInt8]) -> Double {
    var counts = [Double](repeating: 0, count: 256)
    for symbol in symbols { counts[Int(symbol)] += 1 }
    return counts.filter { $0 > 0 }.reduce(0) { $0 - $1 * log2($1 / Double(symbols.count)) }
  }

  @Test(arguments: [1, 2, 3, 8], [0, 1, 5, 40] as [Double])
  func `symbols come back, and take their entropy`(bits: Int, slope: Double) {
    for length in [0, 1, 2, 1000, 60_000] {
      let symbols = symbols(length, below: 1 << bits, slope: slope, seed: UInt64(bits + length))
      var encoder = AdaptiveEncoder()
      var model = SymbolModel(bits: bits)
      for symbol in symbols { encoder.encode(symbol, &model) }
      encoder.finish()
      var decoder = AdaptiveDecoder([7] + encoder.bytes, from: 1)
      var known = SymbolModel(bits: bits)
      #expect(symbols.allSatisfy { decoder.decode(&known) == $0 })
      #expect(decoder.next == encoder.bytes.count + 1 && !decoder.isShort)
      // Estimates begin at one half: until they have settled, a place costs some 60 bits. Then they sway,
      // by what costs less than 0.005 bits each.
      let learning = 64 * Double(1 << bits)
      let most = entropy(symbols) + 0.005 * Double(bits * length) + 64 + learning
      #expect(
        Double(8 * encoder.bytes.count) < most, "\(encoder.bytes.count) of \(entropy(symbols) / 8)")
      var short = AdaptiveDecoder(encoder.bytes.dropLast(), from: 0)
      known = SymbolModel(bits: bits)
      for _ in symbols { _ = short.decode(&known) }
      #expect(short.isShort)
    }
  }

  @Test func `contexts are kept apart`() {
    var random = SplitMix64(seed: 2)
    // Each symbol is the one before it, mostly.
    var symbols: [UInt8] = [0]
    for _ in 0..<20_000 {
      symbols.append(random.below(20) == 0 ? UInt8(random.below(16)) : symbols[symbols.count - 1])
    }
    func length(contexts: Int) -> Int {
      var encoder = AdaptiveEncoder()
      var model = SymbolModel(bits: 4, contexts: contexts)
      for (before, symbol) in zip(symbols, symbols.dropFirst()) {
        encoder.encode(symbol, &model, context: contexts == 1 ? 0 : Int(before))
      }
      encoder.finish()
      return encoder.bytes.count
    }
    #expect(length(contexts: 16) < length(contexts: 1) / 2)
  }

  @Test func `names that repeat take little`() {
    let text = Array(
      (0..<400).map { "layer\($0 / 100).\($0 % 7).conv.weight/codes2" }.joined().utf8)
    var encoder = AdaptiveEncoder()
    var model = TextModel()
    for byte in text { model.encode(byte, &encoder) }
    encoder.finish()
    #expect(encoder.bytes.count < text.count / 20)
    var decoder = AdaptiveDecoder(encoder.bytes, from: 0)
    model = TextModel()
    #expect(text.allSatisfy { model.decode(&decoder) == $0 })
    #expect(!decoder.isShort && decoder.next == encoder.bytes.count)
  }

  /// Files with every kind of codes there is.
  private func files() throws -> [(scheme: String, bytes: [UInt8])] {
    var graph = SmallNetwork.graph(seed: 3)
    var random = SplitMix64(seed: 5)
    // A tensor with enough weights for tables of frequencies to pay.
    graph.initializers["b.weight"] = Tensor(
      shape: [6, 6, 3, 3], (0..<324).map { _ in Float(random.normal()) })
    let schemes = [
      "kmeans:2", "kmeans:4", "kmeans:8", "kmeans:16", "kmeans:60", "kmeans:200", "uniform:3",
      "uniform:5", "uniform:7", "prune:0.9", "prune:0.8+kmeans:8",
    ]
    return try schemes.map { scheme in
      (scheme, try ONNXFile.bytes(of: compress(graph, scheme: Scheme(scheme)).graph))
    } + [("none", ONNXFile.bytes(of: graph))]
  }

  @Test func `a packed model is the same file afterwards, and never much longer`() throws {
    for (scheme, bytes) in try files() {
      let packed = try PackedModel.packed(bytes, path: "m.onnx")
      #expect(PackedModel.isPacked(packed) && !PackedModel.isPacked(bytes))
      #expect(try PackedModel.unpacked(packed, path: "m.packed") == bytes, "\(scheme)")
      #expect(packed.count < bytes.count, "\(scheme)")
    }
  }

  @Test(arguments: [2, 4, 8, 16, 32])
  func `codes take their entropy`(clusters: Int) throws {
    var random = SplitMix64(seed: 7)
    // One layer of 100 000 weights with heavy tails.
    let weights = (0..<100_000).map { _ in Float(pow(random.normal(), 3)) }
    var graph = Graph(name: "one", inputs: [Value("input", shape: [1, 1000])])
    graph.initializers["w"] = Tensor(shape: [100, 1000], weights)
    graph.nodes = [
      Node(
        "fc", .gemm, inputs: ["input", "w"], outputs: ["logits"],
        attributes: ["transB": .int(1)])
    ]
    graph.outputs = [Value("logits", shape: [1, 100])]
    var work = try CompressionWork(graph)
    for step in try Scheme("kmeans:\(clusters)").steps { try step.apply(to: &work) }
    let codes = try #require(work.coded["w"]).codes
    let bytes = try ONNXFile.bytes(of: work.finished())
    let packed = try PackedModel.packed(bytes, path: "m.onnx")
    let bits = log2(Double(clusters))
    let rest = Double(bytes.count) - bits * 100_000 / 8
    // As above; and of the rest, names and structure are packed too.
    let learning = 64 * Double(clusters) + 0.005 * bits * 100_000
    #expect(Double(packed.count) < (entropy(codes) + learning) / 8 + rest)
    #expect(Double(packed.count) > entropy(codes) / 8)
    #expect(entropy(codes) < 0.9 * bits * 100_000)
  }

  @Test func `a model of nearly nothing but zeros is no bomb`() throws {
    var graph = SmallNetwork.graph(seed: 3)
    graph.initializers["empty"] = Tensor(
      shape: [1 << 20], [UInt8](repeating: 0, count: 1 << 20))
    graph.nodes.append(
      Node("last", .identity, inputs: ["empty"], outputs: ["nothing"]))
    let bytes = try ONNXFile.bytes(of: graph)
    let packed = try PackedModel.packed(bytes, path: "m.onnx")
    #expect(packed.count * 32 < bytes.count)
    #expect(try PackedModel.unpacked(packed, path: "m.packed") == bytes)
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `damaged files are refused in a line`(seed: UInt64) throws {
    let rounds = ProcessInfo.processInfo.environment["FUZZ_ROUNDS"].flatMap(Int.init) ?? 40
    let files = try files()
    let start = try files.map { try PackedModel.packed($0.bytes, path: "m") }
    var damage = Damage(SplitMix64(seed: seed), start: start)
    for _ in 0..<rounds {
      let bytes = damage.next()
      do {
        let found = try PackedModel.unpacked(bytes, path: "m")
        // The digest has to be right.
        #expect(files.contains { $0.bytes == found })
      } catch {
        #expect(!error.problem.contains("\n") && error.problem.utf8.count < 300, "\(error)")
      }
    }
  }

  @Test func `what is claimed is checked before it is made`() {
    let magic = Array("EQUANTZ1".utf8)
    let digest = [UInt8](repeating: 48, count: 64)
    /// What a file of a claimed length with these bytes in its stream is refused for.
    func refused(_ length: [UInt8], _ stream: [UInt8], _ problem: String) {
      var encoder = AdaptiveEncoder()
      var text = TextModel()
      for byte in stream { text.encode(byte, &encoder) }
      encoder.finish()
      #expect {
        try PackedModel.unpacked(magic + length + digest + encoder.bytes, path: "m")
      } throws: { error in
        (error as? FileError)?.problem.contains(problem) ?? false
      }
    }
    let (none, long) = (
      [0, 0, 0, 0, 0, 0, 0, 0] as [UInt8], [200, 0, 0, 0, 0, 0, 0, 0] as [UInt8]
    )
    #expect(throws: FileError.self) { try PackedModel.unpacked(magic, path: "m") }
    refused([0, 0, 0, 0, 0, 0, 0, 128], [], "expected 16777216 at most")
    refused([1, 0, 0, 1, 0, 0, 0, 0], [], "it claims 16777217 bytes")
    refused(long, [9], "of kind 9")
    refused(long, [0, 0], "is empty")
    refused(long, [0, 201, 1], "where 200 are missing")
    refused(long, [0, 255, 255, 255, 255, 255, 255, 255, 255], "is too long")
    refused(long, [1, 9, 1, 1], "of 9 bits")
    refused(long, [1, 2, 1, 4], "in 4 fields")
    refused(long, [1, 2, 255, 255, 127, 1], "symbols, where")
    refused(long, [1, 2, 4, 1, 0, 3], "a field of 3 bits")
    refused(long, [1, 2, 4, 1, 7, 2], "a field of 2 bits above 7")
    refused(long, [1, 8, 201, 1, 1, 0, 8], "ends too early")
    refused(long, [0, 20, 1], "ends too early")
    refused([1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 7], "another SHA-256")
    refused(none, [1], "are left")
  }
}
