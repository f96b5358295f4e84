import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Graphs

/// Model files with damage of every kind: read, or refused in one line, within a second, without
/// more memory than the file deserves; never a crash.
///
/// `Scripts/fuzz onnx safetensors pth` runs a million inputs of each under the address sanitizer;
/// `FUZZ_ROUNDS` is the number for each of the ten seeds.
@Suite(.serialized) struct FuzzTests {
  private static let rounds =
    ProcessInfo.processInfo.environment["FUZZ_ROUNDS"].flatMap(Int.init) ?? 40

  /// Reads `rounds` damaged files; what is refused must be refused as `FileError`, in one line.
  private func fuzz(
    _ seed: UInt64, _ files: [String], read: ([UInt8]) throws -> Void
  ) throws {
    let start = try files.map { try Files.read(goldenURL($0, in: .module).path) }
    var damage = Damage(SplitMix64(seed: seed), start: start)
    let before = peakBytes()
    // After a crash the input is still there.
    let path = "\(FileManager.default.temporaryDirectory.path)/equant-fuzz-\(files[0])-\(seed)"
    let keeps = Self.rounds > 1000
    for _ in 0..<Self.rounds {
      let bytes = damage.next()
      if keeps { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
      let time = processorSeconds()
      do {
        try read(bytes)
      } catch let error as FileError {
        #expect(!error.problem.contains("\n") && error.problem.utf8.count < 2000, "\(error)")
      }
      let taken = processorSeconds() - time
      #expect(taken < 1, "\(taken) s for \(Data(bytes).base64EncodedString())")
    }
    if keeps { try FileManager.default.removeItem(atPath: path) }
    // The peak is the process's: only a long run has it to itself. The files are 35 KB at most;
    // the sanitizer keeps freed memory for a while.
    if keeps { #expect(peakBytes() - before < 600 << 20) }
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `ONNX files are read or refused`(seed: UInt64) throws {
    let tiny = ["eval", "half", "int8", "preserved", "training", "typed", "qoperator"]
    let files =
      tiny.map { "tiny-\($0).onnx" }
      + ["tokens-script", "tokens-dynamo", "depthwise-nncf", "depthwise-torch"].map { "\($0).onnx" }
    try fuzz(seed, files) { bytes in
      let graph = try ONNXFile.graph(bytes, path: "m.onnx")
      // What was read can be written.
      #expect(throws: Never.self) { try ONNXFile.bytes(of: graph) }
    }
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `safetensors are read or refused`(seed: UInt64) throws {
    try fuzz(seed, ["tiny.safetensors"]) { bytes in
      let contents = try Safetensors.contents(bytes, path: "m.safetensors")
      #expect(contents.tensors.values.allSatisfy { $0.bytes.count <= bytes.count })
    }
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `state dictionaries are read or refused`(seed: UInt64) throws {
    try fuzz(seed, ["tiny.pth", "tensors.pth"]) { bytes in
      _ = try StateDictionary.tensors(bytes, path: "m.pth")
    }
  }

  /// Damage alone is stopped by the checksum: here the pickle is run without it.
  @Test(arguments: 0..<10 as Range<UInt64>)
  func `pickles are run or refused`(seed: UInt64) throws {
    let files = ["tiny.pth", "tensors.pth"]
    let pickles = try files.map { file in
      let archive = try ZipArchive(Files.read(goldenURL(file, in: .module).path), path: file)
      let name = try #require(archive.entries.keys.first { $0.hasSuffix("data.pkl") })
      return Array(try archive.contents(name))
    }
    var damage = Damage(SplitMix64(seed: seed), start: pickles)
    for _ in 0..<Self.rounds {
      let bytes = damage.next()
      let time = processorSeconds()
      do {
        var reader = PickleReader(bytes[...], path: "m.pth")
        _ = try reader.run()
      } catch {
        #expect(!error.problem.contains("\n") && error.problem.utf8.count < 2000, "\(error)")
      }
      let taken = processorSeconds() - time
      #expect(taken < 1, "\(taken) s for \(Data(bytes).base64EncodedString())")
    }
  }

  /// The time that this thread has been computing: how busy the machine is does not count.
  private func processorSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
    return Double(now.tv_sec) + 1e-9 * Double(now.tv_nsec)
  }

  /// The most memory the process has had, in bytes.
  private func peakBytes() -> Int {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
  }
}
