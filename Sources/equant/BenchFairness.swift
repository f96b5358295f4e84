import ArgumentParser
import Fairness
import Files
import Foundation
import Predictions

/// `equant bench-fairness`: times audits and comparisons of rows in memory.
///
/// Hidden: `Benchmarks/fairness` runs it beside its peers.
struct BenchFairness: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-fairness", abstract: "Time audits and comparisons of rows in memory.",
    shouldDisplay: false)

  @Option(help: "Rows of the audits.")
  var rows = 10_000_000

  @Option(help: "Rows of the paired bootstrap.")
  var pairs = 1_000_000

  @Option(help: "Write a predictions file of this many megabytes instead.")
  var csvMegabytes: Int?

  @Argument(help: "The predictions file to write.")
  var path: String?

  func run() throws {
    if let csvMegabytes, let path { return try writeCSV(path, megabytes: csvMegabytes) }
    var results: [String: Double] = [:]
    for groups in [2, 50] {
      let outcomes = Self.outcomes(rows, groups: groups, seed: 1)
      var options = AuditOptions()
      options.scores = false
      results["audit_\(groups)_groups"] = try Self.best(of: 5) {
        _ = try Audit(outcomes, options: options)
      }
      if groups == 2 {
        results["audit_2_groups_with_scores"] = try Self.best(of: 1) { _ = try Audit(outcomes) }
      }
    }
    let before = Self.outcomes(pairs, groups: 2, seed: 1)
    let after = Outcomes(
      scores: before.scores.enumerated().map { $0 % 40 == 0 ? 1 - $1 : $1 },
      labels: before.labels, groups: before.groups)
    var options = ComparisonOptions()
    options.draws = 1000
    results["paired_bootstrap_1000"] = try Self.best(of: 3) {
      _ = try Comparison(before: before, after: after, options: options)
    }
    print(try prettyJSON(results))
  }

  static func best(of count: Int, _ body: () throws -> Void) rethrows -> Double {
    var best = Double.infinity
    for _ in 0..<count {
      let clock = ContinuousClock()
      let time = try clock.measure(body)
      best = min(best, time / .seconds(1))
    }
    return best
  }

  static func outcomes(_ count: Int, groups: Int, seed: UInt64) -> Outcomes {
    var state = seed
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 11
    }
    var scores: [Double] = []
    var labels: [Bool] = []
    var codes: [Int32] = []
    scores.reserveCapacity(count)
    labels.reserveCapacity(count)
    codes.reserveCapacity(count)
    for _ in 0..<count {
      scores.append(Double(next()) * 0x1p-53)
      labels.append(next() & 1024 == 0)
      codes.append(Int32((next() >> 20) % UInt64(groups)))
    }
    return Outcomes(
      scores: scores, labels: labels,
      groups: Attribute("g", groups: (0..<groups).map { "group \($0)" }, codes: codes))
  }

  private func writeCSV(_ path: String, megabytes: Int) throws {
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let file = FileHandle(forWritingAtPath: path)
    else { throw FileError(path, "could not be created") }
    let part = Self.outcomes(100_000, groups: 2, seed: 3)
    var written = 0
    var id = 0
    var header = "id,label,score,group\n"
    while written < megabytes * 1_000_000 {
      var text = header
      header = ""
      for row in 0..<part.count {
        id += 1
        let group = part.groups.groups[Int(part.groups.codes[row])]
        text += "\(id).jpg,\(part.labels[row] ? 1 : 0),\(part.scores[row]),\(group)\n"
      }
      let data = Data(text.utf8)
      try file.write(contentsOf: data)
      written += data.count
    }
    try file.close()
  }
}
