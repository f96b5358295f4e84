import Fairness
import Files
import Foundation
import TestSupport
import Testing

@testable import Predictions

/// Files that resemble what is expected, with whatever else mixed in: read, or refused in one line
/// that names a place; never a crash.
///
/// `Scripts/fuzz` runs a million inputs; `FUZZ_ROUNDS` is the number for each of the ten seeds.
@Suite struct FuzzTests {
  private static let rounds =
    ProcessInfo.processInfo.environment["FUZZ_ROUNDS"].flatMap(Int.init) ?? 100

  /// Writes inputs to one file in memory, where there is such a place, and reads them.
  private func fuzz(
    _ seed: UInt64, _ start: [String], _ words: [String], read: (String, [UInt8]) throws -> Void
  ) throws {
    let folder = try temporaryFolder()
    let isShared = FileManager.default.isWritableFile(atPath: "/dev/shm")
    let path = (isShared ? "/dev/shm" : folder) + "/equant-fuzz-\(UUID().uuidString)"
    // After a crash the input is still there.
    defer {
      try? FileManager.default.removeItem(atPath: path)
      try? FileManager.default.removeItem(atPath: folder)
    }
    var input = Fuzzer(seed: seed, start: start, words: words)
    for _ in 0..<Self.rounds {
      let bytes = input.next()
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      try read(path, bytes)
    }
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `predictions are read or refused, alike with and without keeping rows`(seed: UInt64) throws {
    let words = [
      "id,label,score,group\n", "id;label;score;group\r\n", "1,1,0.5,m\n", "2,0,0.25,f\n", "\"",
      "\"\"", ",", "\n", "\r\n", "\r", "\u{feff}", "0.99999999999999999999", "1e999", "-0", "nan",
      "m", "\0", "é", ";", "\t", "yes", "1,1,1,\"a\nb\"\n", "18446744073709551616", " ", "1,",
      "0.12345678901234567,", "00000000.00000000000000000001",
    ]
    let start = [
      "id,label,score,group\n", "id,label,score,group\n1,1,0.5,m\n2,0,0.25,f\n3,yes,1,\"a,b\"\n",
      "\u{feff}id;label;score;group\r\n1;1;0.5;m\r\n", "",
    ]
    try fuzz(seed, start, words) { path, bytes in
      var outcome: [Result<[Int], FileError>] = []
      for isCounted in [false, true] {
        do {
          if isCounted {
            let counts = try AuditCounts.reading(path).counts
            outcome.append(.success(counts.groups.map(\.rows)))
          } else {
            let rows = try Predictions.reading(path).predictions.outcomes
            outcome.append(.success(Tally(rows).rows))
          }
        } catch let error as FileError {
          let place = error.problem.contains("line ") || error.problem.hasPrefix("is empty")
          #expect(place, "\(error.problem) of \(bytes)")
          outcome.append(.failure(error))
        }
      }
      switch (outcome[0], outcome[1]) {
      case (.success(let a), .success(let b)): #expect(a == b, "\(bytes)")
      case (.failure(let a), .failure(let b)): #expect(a == b, "\(bytes)")
      default: Issue.record("\(outcome) of \(bytes)")
      }
    }
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `counts are read or refused`(seed: UInt64) throws {
    let header = CountsQuery.columns.joined(separator: ",") + "\n"
    var counts = AuditCounts(names: ["a", "b\"é"], threshold: 0.5, bins: 3)
    counts.groups[0].add(label: true, score: 0.7, weight: 2, threshold: 0.5)
    let json = String(decoding: try counts.json(), as: UTF8.self)
    let words = [
      header, "m,1,1,2,5,2.5,1.2,0.1\n", "\"", ",", "\n", "1e999", "-1", "0.5", "{", "}", "[", "]",
      ":", "null", "true", "\"bins\"", "\"groups\"", "\"rows\"", "9007199254740993", "\\u00", "[[",
      "\"inf\"", "\"nan\"", "\0", "é", " ",
    ]
    let start = [json, header, header + "m,1,1,2,5,2.5,1.2,0.1\nf,0,0,0,1,0,0,0\n", json]
    try fuzz(seed, start, words) { path, bytes in
      do {
        let counts = try AuditCounts.readingCounts(path, bins: 3)
        // What was read can be audited.
        _ = try Audit(counts)
      } catch let error as FileError {
        #expect(error.problem.contains("line "), "\(error.problem) of \(bytes)")
      }
    }
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `policies are read or refused`(seed: UInt64) throws {
    let words = [
      "{", "}", "\"maxDrift\"", "\"maxGap\"", ":", ",", "\"equalOpportunity\"", "0.02", "-1",
      "1e999", "null", "[", "]", "\"allowUndecided\"", "true", "\"", "\\u00", "NaN", "[[", "é",
      "\0", "\n", "\"minAccuracyChange\": -0.01", " ",
    ]
    let start = [
      #"{"maxDrift": {"equalOpportunity": 0.02, "fprDifference": 0.02}, "minAccuracyChange": -1}"#,
      "{\n  \"maxGap\": {\"accuracy\": 0.1},\n  \"allowUndecided\": true\n}", "{}", "",
    ]
    var input = Fuzzer(seed: seed, start: start, words: words)
    for _ in 0..<Self.rounds {
      let bytes = input.next()
      do {
        _ = try JSONDecoder().decode(GatePolicy.self, from: Data(bytes))
      } catch {
        let problem = JSONProblem.describe(error, in: bytes)
        #expect(
          problem.contains("line ") && problem.contains("column "), "\(problem) of \(bytes)")
      }
    }
  }
}

/// Makes inputs out of known good ones: takes away, doubles, puts in, turns over.
private struct Fuzzer {
  var random: SystemlessRandom
  let start: [[UInt8]]
  let words: [[UInt8]]

  init(seed: UInt64, start: [String], words: [String]) {
    random = SystemlessRandom(state: seed &* 0x9e37_79b9_7f4a_7c15)
    self.start = start.map { Array($0.utf8) }
    self.words = words.map { Array($0.utf8) }
  }

  mutating func next() -> [UInt8] {
    var bytes = start[below(start.count)]
    for _ in 0..<below(12) {
      let at = below(bytes.count + 1)
      switch below(6) {
      case 0: bytes.removeSubrange(at..<min(bytes.count, at + 1 + below(8)))
      case 1:
        let part = Array(bytes[at..<min(bytes.count, at + 1 + below(16))])
        bytes.insert(contentsOf: part, at: below(bytes.count + 1))
      case 2 where at < bytes.count: bytes[at] = UInt8(truncatingIfNeeded: random.next())
      default: bytes.insert(contentsOf: words[below(words.count)], at: at)
      }
    }
    return bytes
  }

  private mutating func below(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }
}
