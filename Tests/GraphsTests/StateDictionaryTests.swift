import Files
import Foundation
import TestSupport
import Tensors
import Testing

@testable import Graphs

@Suite struct StateDictionaryTests {
  private struct Described: Decodable {
    var type: String
    var shape: [Int]
    var bytes: [UInt8]
  }

  @Test func `torch.save and safetensors hold the same numbers`() throws {
    let path = try goldenURL("tiny.pth", in: .module).path
    let other = try goldenURL("tiny.safetensors", in: .module).path
    #expect(try WeightsFile.read(path) == Safetensors.read(other))
    #expect(try WeightsFile.read(other) == Safetensors.read(other))
  }

  @Test func `every element type, views and shared storages are what torch says`() throws {
    let path = try goldenURL("tensors.pth", in: .module).path
    let expected = try golden([String: Described].self, "tensors", in: .module)
    let tensors = try StateDictionary.read(path)
    #expect(tensors.keys.sorted() == expected.keys.sorted())
    for (name, described) in expected {
      let tensor = try #require(tensors[name])
      #expect(tensor.elementType.rawValue == described.type, "\(name)")
      #expect(tensor.shape == described.shape, "\(name)")
      #expect(tensor.bytes == described.bytes, "\(name)")
    }
  }

  @Test(arguments: [
    (
      [Step.global("os", "system"), .text("echo"), .tuple1, .reduce],
      "names 'os.system', which is not loaded because it could run code; save the tensors alone: "
        + "torch.save(model.state_dict(), path)"
    ),
    (
      [.text("builtins"), .text("eval"), .stackGlobal],
      "names 'builtins.eval', which is not loaded because it could run code; save the tensors "
        + "alone: torch.save(model.state_dict(), path)"
    ),
    (
      [.global("torch", "FloatStorage"), .emptyTuple, .raw([0x81])],
      "its pickle uses the operation NEWOBJ, which tensors do not need; refused"
    ),
    (
      [.raw([0xff])], "its pickle uses the operation number 255, which tensors do not need; refused"
    ),
    ([.raw([0x69])], "its pickle uses the operation INST, which tensors do not need; refused"),
    ([.reduce], "its pickle takes what is not there"),
    ([.raw([0x28]), .reduce], "its pickle takes what is not there"),
    ([.raw([0x74])], "its pickle ends a list that never began"),
    ([.raw([0x68, 9])], "its pickle recalls what it never remembered"),
    (
      [.text("a"), .text("b"), .raw([0x62])],
      "its pickle sets attributes of a text, which tensors do not need; refused"
    ),
    ([.text("a"), .emptyTuple, .reduce], "its pickle calls a text, which is refused"),
    (
      [.raw([0x7d]), .raw([0x4e]), .raw([0x61])],
      "its pickle appends to a dictionary, expected a list"
    ),
    ([.raw([0x4e])], "holds None, expected a dictionary of tensors"),
    ([.raw([0x7d])], "holds no tensors by name"),
    (
      [.global("torch._utils", "_rebuild_tensor_v2"), .emptyTuple, .reduce],
      "its pickle makes a tensor or dictionary of the wrong things"
    ),
    (
      [.text("x"), .raw([0x51])],
      "its pickle refers to something outside that is not a storage of numbers"
    ),
    ([.raw([0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1])], "its pickle has a whole number of 9 bytes"),
    ([.raw([0x58, 0xff, 0xff, 0xff, 0xff])], "its pickle ends early"),
    ([.raw([0x80, 1])], "its pickle is of protocol 1, expected 2 to 5"),
  ])
  func `hostile pickles are refused by name`(steps: [Step], problem: String) {
    let bytes = archive([("a/data.pkl", pickle(steps))])
    #expect(throws: FileError("x.pth", problem)) {
      try StateDictionary.tensors(bytes, path: "x.pth")
    }
  }

  @Test func `a tensor must fit its storage`() {
    func message(
      offset: UInt8 = 0, _ shape: [UInt8], _ strides: [UInt8], stored: Int = 16, count: UInt8 = 4
    ) -> String {
      let bytes = archive([
        ("a/data.pkl", pickle(tensor("w", offset: offset, shape, strides, count: count))),
        ("a/data/0", [UInt8](repeating: 0, count: stored)),
      ])
      return problem { try StateDictionary.tensors(bytes, path: "x.pth") }
    }
    #expect(message([2, 2], [2, 1]) == "")
    #expect(message([2, 2], [1, 2]) == "")
    #expect(message([0, 9], [9, 1]) == "")
    #expect(
      message(offset: 1, [2, 2], [2, 1])
        == "x.pth: tensor 'w' of shape [2, 2] with strides [2, 1] at 1 does not fit its storage of 4 "
        + "numbers")
    // Strides of nothing would make a large tensor of one number.
    #expect(message([255, 255], [0, 0]).contains("does not fit its storage of 4 numbers"))
    #expect(message([2], [200]).contains("does not fit"))
    #expect(message([2, 2], [1]) == "x.pth: its pickle makes a tensor of an impossible shape")
    #expect(
      message([4], [1], stored: 15)
        == "x.pth: tensor 'w' lies in 'a/data/0' of 15 bytes, expected 16 for 4 numbers of float32")
  }

  @Test func `storages may not be shared without end`() {
    func message(tensors: Int) -> String {
      let steps = (0..<tensors).flatMap { tensor("w\($0)", [255], [1], count: 255).dropFirst() }
      let bytes = archive([
        ("a/data.pkl", pickle([.raw([0x7d])] + steps)),
        ("a/data/0", [UInt8](repeating: 0, count: 4 * 255)),
      ])
      return problem { try StateDictionary.tensors(bytes, path: "x.pth") }
    }
    #expect(message(tensors: 2) == "")
    #expect(
      message(tensors: 200)
        == "x.pth: its tensors share storages and would take many times its length")
  }

  @Test func `archives that lie are refused`() {
    let good: [(String, [UInt8])] = [
      ("a/data.pkl", pickle(tensor("w", [4], [1], count: 4))),
      ("a/data/0", [UInt8](repeating: 1, count: 16)),
    ]
    let bytes = archive(good)
    func message(_ change: (inout [UInt8]) -> Void) -> String {
      var bytes = bytes
      change(&bytes)
      return problem { try StateDictionary.tensors(bytes, path: "x.pth") }
    }
    let end = bytes.count - 22
    let directory = Int(bytes[end + 16]) | Int(bytes[end + 17]) << 8
    #expect(message { _ in } == "")
    #expect(message { $0[directory + 10] = 8 }.contains("compressed (method 8)"))
    #expect(message { $0[directory + 8] = 1 }.contains("'a/data.pkl' is encrypted"))
    #expect(message { $0[directory + 16] ^= 1 }.contains("'a/data.pkl' does not have its checksum"))
    #expect(message { $0[directory + 24] ^= 1 }.contains("has two lengths"))
    #expect(message { $0[directory + 45] = 0xff }.contains("is not where the directory says"))
    #expect(message { $0[end + 10] = 0xff }.contains("does not fit"))
    #expect(message { $0.removeLast(30) }.contains("its end is missing"))
    #expect(
      message {
        // Both entries at one place.
        let second = directory + 46 + 10
        for index in 42..<46 { $0[second + index] = $0[directory + index] }
        for index in 16..<28 { $0[second + index] = $0[directory + index] }
      }.contains("its entries overlap"))
    let twice = archive(good + [good[1]])
    #expect(
      problem { try StateDictionary.tensors(twice, path: "x.pth") }
        == "x.pth: is a damaged zip archive: 'a/data/0' is in it twice")
    let script = archive(good + [("a/constants.pkl", [])])
    #expect(
      problem { try StateDictionary.tensors(script, path: "x.pth") }.contains("TorchScript program")
    )
    let other = archive([("readme.txt", [65])])
    #expect(
      problem { try StateDictionary.tensors(other, path: "x.pth") }
        == "x.pth: is a zip archive, but not one that torch.save wrote: no data.pkl")
  }

  @Test func `a nest without end is no danger`() {
    // A million tuples, each in the next, would overflow the stack of a recursive reader.
    let deep: [Step] = [.emptyTuple] + Array(repeating: .tuple1, count: 1_000_000)
    let bytes = archive([("a/data.pkl", pickle(deep))])
    #expect(
      problem { try StateDictionary.tensors(bytes, path: "x.pth") }
        == "x.pth: holds a tuple, expected a dictionary of tensors")
    let endless = archive([("a/data.pkl", [UInt8](repeating: 0x4e, count: 3_000_000))])
    #expect(
      problem { try StateDictionary.tensors(endless, path: "x.pth") }
        == "x.pth: its pickle takes more than 2000000 operations")
  }

  @Test func `weights are not taken for a damaged network`() throws {
    let bytes = try Files.read(goldenURL("tiny.pth", in: .module).path)
    let error = #expect(throws: FileError.self) { try ONNXFile.graph(bytes, path: "m.pth") }
    #expect(error?.problem.contains("without a network") == true)
  }

  @Test func `files from before the zip format say what to do`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/old.pth"
    try Files.replace(path, with: [0x80, 2, 0x8a, 10, 0x6c, 0xfc])
    #expect(problem { try WeightsFile.read(path) }.contains("from before version 1.6; load it"))
  }

  /// Property: a damaged file gives one line, or tensors; never a crash.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func `damaged files give one line`(seed: UInt64) throws {
    let archives = try ["tiny.pth", "tensors.pth"].map {
      try Files.read(goldenURL($0, in: .module).path)
    }
    var random = SplitMix64(seed: seed)
    var refused = 0
    for round in 0..<400 {
      let original = archives[round % 2]
      var bytes = damaged(original, using: &random)
      if round % 4 >= 2 {
        // The checksum would hide the pickle from most damage.
        let program = try ZipArchive(original, path: "").contents(
          round % 2 == 0 ? "tiny/data.pkl" : "tensors/data.pkl")
        bytes = archive([("a/data.pkl", damaged(Array(program), using: &random))])
      }
      do {
        _ = try StateDictionary.tensors(bytes, path: "damaged")
      } catch {
        refused += 1
        #expect(!"\(error)".contains("\n"))
      }
    }
    #expect(refused > 100)
  }
}

/// One operation of a pickle.
enum Step: Sendable {
  case global(String, String)
  case text(String)
  case int(UInt8)
  case emptyTuple, tuple1, reduce, stackGlobal
  case raw([UInt8])

  var bytes: [UInt8] {
    switch self {
    case .global(let module, let name): [0x63] + Array("\(module)\n\(name)\n".utf8)
    case .text(let text): [0x8c, UInt8(text.utf8.count)] + Array(text.utf8)
    case .int(let value): [0x4b, value]
    case .emptyTuple: [0x29]
    case .tuple1: [0x85]
    case .reduce: [0x52]
    case .stackGlobal: [0x93]
    case .raw(let bytes): bytes
    }
  }
}

private func pickle(_ steps: [Step]) -> [UInt8] { [0x80, 2] + steps.flatMap(\.bytes) + [0x2e] }

/// A dictionary with one tensor of the storage `0`, as torch.save writes it.
private func tensor(
  _ name: String, offset: UInt8 = 0, _ shape: [UInt8], _ strides: [UInt8], count: UInt8
) -> [Step] {
  let mark = Step.raw([0x28])
  let tuple = Step.raw([0x74])
  let storage: [Step] = [
    mark, .text("storage"), .global("torch", "FloatStorage"), .text("0"), .text("cpu"),
    .int(count), tuple, .raw([0x51]),
  ]
  let extents = [mark] + shape.map { Step.int($0) } + [tuple]
  let steps = [mark] + strides.map { Step.int($0) } + [tuple]
  let rest: [Step] = [.raw([0x89]), .global("collections", "OrderedDict"), .emptyTuple, .reduce]
  let arguments = storage + [.int(offset)] + extents + steps + rest
  return [.raw([0x7d]), .text(name), .global("torch._utils", "_rebuild_tensor_v2"), mark]
    + arguments + [tuple, .reduce, .raw([0x73])]
}

/// A zip archive of stored entries.
private func archive(_ files: [(name: String, contents: [UInt8])]) -> [UInt8] {
  func little(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
  var bytes: [UInt8] = []
  var directory: [UInt8] = []
  for (name, contents) in files {
    let size = little(contents.count, 4)
    let checksum = little(Int(CyclicRedundancyCheck.checksum(contents[...])), 4)
    let common = little(0, 8) + checksum + size + size + little(name.utf8.count, 2) + little(0, 2)
    directory += [0x50, 0x4b, 1, 2, 0, 0] + [0, 0] + common + little(0, 10)
    directory += little(bytes.count, 4) + Array(name.utf8)
    bytes += [0x50, 0x4b, 3, 4, 0, 0] + common + Array(name.utf8) + contents
  }
  let start = bytes.count
  bytes += directory + [0x50, 0x4b, 5, 6, 0, 0, 0, 0]
  bytes += little(files.count, 2) + little(files.count, 2) + little(directory.count, 4)
  return bytes + little(start, 4) + [0, 0]
}

/// The error's text; empty when there is none.
private func problem(_ body: () throws -> [String: Tensor]) -> String {
  do {
    _ = try body()
    return ""
  } catch { return "\(error)" }
}
