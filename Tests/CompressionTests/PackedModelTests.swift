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

  @Test(arguments: [2, 4, 7, 16, 64, 256], [0, 1, 5, 40] as [Double])
  func `symbols come back, and take their entropy`(count: Int, slope: Double) throws {
    for length in [0, 1, 2, 1000, 60_000] {
      let symbols = symbols(length, below: count, slope: slope, seed: UInt64(count + length))
      let coder = SymbolCoder(of: symbols, count: count)
      #expect(coder.frequencies.reduce(0) { $0 + Int($1) } == (length == 0 ? 0 : SymbolCoder.total))
      let coded = coder.encoded(symbols)
      #expect(coder.decoded(coded[...], count: length) == symbols)
      // Frequencies are rounded to 2⁻¹⁴.
      #expect(Double(8 * coded.count) < 1.005 * entropy(symbols) + 64 + 0.02 * Double(length))
      let known = try #require(SymbolCoder(frequencies: coder.frequencies))
      #expect(known.decoded(coded[...], count: length) == symbols)
      guard length > 2 else { continue }
      #expect(coder.decoded(coded.dropLast(), count: length) == nil)
      #expect(coder.decoded((coded + [0])[...], count: length) == nil)
    }
  }

  @Test func `frequencies that do not add up are refused`() {
    #expect(SymbolCoder(frequencies: [16384, 1]) == nil)
    #expect(SymbolCoder(frequencies: [8192, 8191]) == nil)
    #expect(SymbolCoder(frequencies: [0, 0])?.decoded([0, 128, 0, 0], count: 1) == nil)
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
      #expect(packed.count < bytes.count + 300, "\(scheme)")
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
    #expect(Double(packed.count) < entropy(codes) / 8 * 1.01 + rest + 600)
    #expect(Double(packed.count) > entropy(codes) / 8)
    #expect(entropy(codes) < 0.9 * bits * 100_000)
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
    func refused(_ rest: [UInt8], _ problem: String) {
      #expect {
        try PackedModel.unpacked(magic + rest, path: "m")
      } throws: { error in
        (error as? FileError)?.problem.contains(problem) ?? false
      }
    }
    refused([], "does not begin")
    refused([0, 0, 0, 0, 0, 0, 0, 128] + digest, "more than 32 times")
    refused([0, 1, 0, 0, 0, 0, 0, 0] + digest + [9], "of kind 9")
    refused([200, 0, 0, 0, 0, 0, 0, 0] + digest + [0, 201, 1], "where 200 are missing")
    refused([200, 0, 0, 0, 0, 0, 0, 0] + digest + [1, 1], "of 1 bits")
    refused([200, 0, 0, 0, 0, 0, 0, 0] + digest + [1, 2, 255, 255, 127], "symbols, where")
    refused([1, 0, 0, 0, 0, 0, 0, 0] + digest + [0, 1, 7], "another SHA-256")
    refused([0, 0, 0, 0, 0, 0, 0, 0] + digest + [1], "are left")
  }
}
