import Fairness
import Files
import Foundation
import TestSupport
import Testing

@testable import Predictions

/// Writes `text` to a file, gives its path to `body` and removes it.
func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
  let folder = try temporaryFolder()
  defer { try? FileManager.default.removeItem(atPath: folder) }
  let path = folder + "/p.csv"
  try Files.replace(path, with: text)
  return try body(path)
}

private func problem(_ text: String, _ options: ReadingOptions = ReadingOptions()) throws -> String?
{
  try withFile(text) { path in
    do {
      _ = try Predictions.reading(path, options: options)
      return nil
    } catch let error as FileError { return error.problem }
  }
}

@Suite struct ReadingTests {
  @Test func `what was written reads back`() throws {
    let predictions = Predictions(
      ids: ["1.jpg", "a,\"b\"\nc"], labels: [true, false], scores: [0.1, 1],
      attributes: [Attribute("group", of: ["m", "f"]), Attribute("age", of: ["x", " y"])],
      identities: ["7", "8"], weights: [1, 2.5])
    try withFile(String(decoding: predictions.csv(), as: UTF8.self)) { path in
      var options = ReadingOptions()
      (options.groups, options.identity, options.weight) = (["group", "age"], "identity", "weight")
      let (read, skipped) = try Predictions.reading(path, options: options)
      #expect(skipped == 0)
      #expect(read.ids == predictions.ids && read.labels == predictions.labels)
      #expect(read.scores == predictions.scores && read.weights == predictions.weights)
      #expect(read.attributes == predictions.attributes)
      #expect(read.identities == predictions.identities)
    }
  }

  @Test(arguments: [
    "id,label,score,group\n1,1,0.5,m\n2,0,.25,f\n",
    "\u{feff}id;label;score;group\r\n1;yes;5e-1;m\r\n2;no;0.25;f\r\n",
    "group\tx\tlabel\tscore\tid\nm\t\tTrue\t 0.5 \t1\n\nf\t\"a\tb\"\tFalse\t+0.25\t2",
    "id|label|score|group\n1|1.0|0.50000|\"m\"\n2|-1|0.25|f",
  ])
  func `separators, marks, line ends and ways to say yes`(text: String) throws {
    try withFile(text) { path in
      let (read, _) = try Predictions.reading(path)
      #expect(read.ids == ["1", "2"] && read.labels == [true, false])
      #expect(read.scores == [0.5, 0.25])
      #expect(read.attributes == [Attribute("group", of: ["m", "f"])])
    }
  }

  @Test func `refusals name line and column, what was found and what was expected`() throws {
    #expect(try problem("") == "is empty: expected a header and rows")
    #expect(
      try problem("id,label,score\n")
        == "line 1: there is no column 'group' for the group; the columns are id, label, score")
    #expect(try problem("label,score,group,label\n") == "line 1: there are 2 columns 'label'")
    #expect(try problem("id,label,score,group\n") == "is empty below its header: expected rows")
    let head = "id,label,score,group\n1,1,0.5,m\n"
    #expect(try problem(head + "2,0,0.5\n") == "line 3: found 3 fields, expected 4")
    #expect(
      try problem(head + "2,0,1.5,m\n")
        == "line 3: column 'score': found '1.5', expected a score from 0 to 1")
    #expect(
      try problem(head + "2,maybe,1,m\n")
        == "line 3: column 'label': found 'maybe', expected a label such as 0 or 1")
    #expect(try problem(head + "2,0,\"0.5,m\n") == "line 3: a quote is left open")
    #expect(
      try problem(head + "2,0,\"0.5\"x,m\n")
        == "line 3: there is text after the closing quote of field 3")
    #expect(
      try problem(head + "2,0,0.5,m\"m\n")
        == "line 3: field 4 has a quote inside but does not start with one")
    #expect(
      try problem(head + "\"a\nb\",0,0.5,m\n3,0,x,m\n")
        == "line 5: column 'score': found 'x', expected a score from 0 to 1")
    #expect(
      try problem(head + "2,0,,m\n3,NaN,1,m\n4,0,,m\n5,0,,m\n6,1,null,m\n")
        == "4 rows lack a value in column 'score' (line 3, 5, 6, …); "
        + "1 row lacks a value in column 'label' (line 4)")
    var options = ReadingOptions()
    options.skipsMissing = true
    try withFile(head + "2,0,,m\n3,0,1,m\n") { path in
      let (read, skipped) = try Predictions.reading(path, options: options)
      #expect(read.ids == ["1", "3"] && skipped == 1)
    }
    #expect(
      try problem("id,label,score,group\n2,0,,m\n", options)
        == "is empty but for rows that lack a value (1)")
    options.positive = ["p"]
    options.negative = ["n"]
    #expect(
      try problem(head, options)
        == "line 2: column 'label': found '1', expected a label such as 0 or 1")
  }

  /// Property: a row's place in the file does not matter, wherever windows and pieces are cut.
  @Test(arguments: 0..<30 as Range<UInt64>)
  func `pieces of a window hold every row once`(seed: UInt64) {
    var random = SystemlessRandom(state: seed)
    var rows: [String] = []
    for i in 0..<Int(random.below(60)) {
      let quoted = random.below(3) == 0
      let body = (0..<random.below(9)).map { _ in
        String(["a", ",", quoted ? "\n" : "b", quoted ? "\"\"" : "c"][Int(random.below(4))])
      }.joined()
      rows.append(quoted ? "\(i),\"\(body)\"\n" : "\(i),\(body)\n")
    }
    let text = Array(rows.joined().utf8)
    text.withUnsafeBufferPointer { bytes in
      for whole in [false, true] {
        let ranges = RowWindows.cut(bytes, whole: whole)
        #expect(ranges.flatMap { Array(bytes[$0]) } == text)
        let starts = Set(rows.indices.map { rows[..<$0].reduce(0) { $0 + $1.utf8.count } })
        #expect(ranges.allSatisfy { starts.contains($0.lowerBound) })
      }
      for length in 0..<text.count {
        let part = UnsafeBufferPointer(rebasing: bytes[..<length])
        let ends = rows.indices.map { rows[...$0].reduce(0) { $0 + $1.utf8.count } }
        #expect(
          RowWindows.cut(part, whole: false).last?.upperBound
            == ends.last { $0 <= length })
      }
    }
  }

  /// Property: numbers are read as the standard library reads them, bit for bit.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func `numbers equal the standard library's`(seed: UInt64) {
    var random = SystemlessRandom(state: seed)
    for _ in 0..<20_000 {
      let bits = Double(random.next() >> 11) * 0x1p-53
      let digits = (0..<1 + random.below(21)).map { _ in "\(random.below(10))" }.joined()
      let small = "0.\(String(repeating: "0", count: Int(random.below(4))))\(digits)"
      for text in ["\(bits)", small, digits, "\(digits).\(digits)", "-\(bits)", "\(bits / 1e9)"] {
        let value = Array(text.utf8).withUnsafeBufferPointer { number($0, 0, $0.count) }
        #expect(value == Double(text), "\(text)")
      }
    }
    for text in ["", "-", ".", "+.", "1e", "nan", "inf", "0x1p3", "1.2.3", "1,5", "--1", "e5"] {
      let value = Array(text.utf8).withUnsafeBufferPointer { number($0, 0, $0.count) }
      #expect(value == nil, "\(text)")
    }
  }

  /// Property: counting a file equals reading it and counting its rows, to the last count.
  @Test func `counting without keeping rows equals counting rows`() throws {
    var random = SystemlessRandom(state: 1)
    var text = "id,label,score,sex,age\n"
    for i in 0..<40_000 {
      let score = Double(random.next() >> 11) * 0x1p-53
      let sex = ["m", "f"][Int(random.below(2))]
      let age = sex == "m" ? "old" : ["old", "young"][Int(random.below(2))]
      text += "\(i),\(random.below(2)),\(score),\(sex),\(age)\n"
    }
    try withFile(text) { path in
      var options = ReadingOptions()
      options.groups = ["sex", "age"]
      let (counts, _) = try AuditCounts.reading(path, options: options, threshold: 0.4)
      let (read, _) = try Predictions.reading(path, options: options)
      let direct = AuditCounts(read.outcomes, threshold: 0.4)
      #expect(counts.groups.map(\.name) == direct.groups.map(\.name))
      #expect(counts.groups.map(\.name).contains("m & young"))
      for (a, b) in zip(counts.groups, direct.groups) {
        #expect(a.counts == b.counts && a.rows == b.rows)
        #expect(a.positives == b.positives && a.negatives == b.negatives)
        #expect(abs(a.moments.positives.score - b.moments.positives.score) < 1e-8)
      }
    }
  }

  @Test func `rows are matched by id`() throws {
    let group = Attribute("group", of: ["m", "f", "m"])
    let first = Predictions(
      ids: ["a", "b", "c"], labels: [true, false, true], scores: [0, 0.5, 1], attributes: [group])
    let turned = Predictions(
      ids: ["c", "a", "b"], labels: [true, true, false], scores: [0.3, 0.1, 0.2],
      attributes: [Attribute("group", of: ["m", "m", "f"])])
    let matched = try first.matching(turned, from: "x")
    #expect(matched.ids == first.ids && matched.scores == [0.1, 0.2, 0.3])
    func problem(_ ids: [String], _ labels: [Bool]) -> String? {
      let other = Predictions(
        ids: ids, labels: labels, scores: ids.map { _ in 0 },
        attributes: [Attribute("group", of: ["m", "f", "m", "m"].prefix(ids.count).map { $0 })])
      do throws(FileError) {
        _ = try first.matching(other, from: "x")
        return nil
      } catch { return error.problem }
    }
    #expect(problem(["a", "b", "d"], [true, false, true]) == "lacks 1 id (c) of the other file")
    #expect(problem(["a", "a", "b"], [true, true, false]) == "1 id (a) more than once")
    #expect(
      problem(["a", "b", "c", "d"], [true, false, true, true])
        == "has 1 id (d) that the other file lacks")
    #expect(problem(["a", "b", "c"], [true, true, true]) == "has another label for 1 id (b)")
    #expect(problem(["b", "a", "c"], [false, true, true]) == "has another group for 2 ids (a, b)")
  }
}

/// A seeded generator for properties.
struct SystemlessRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }
}
