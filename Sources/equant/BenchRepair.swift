import ArgumentParser
import Fairness
import Foundation

/// `equant bench-repair`: times repairs of rows in memory.
///
/// Hidden: `Benchmarks/fairness/repair` runs it.
struct BenchRepair: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-repair", abstract: "Time repairs of rows in memory.", shouldDisplay: false)

  @Option(help: "Rows that are repaired.")
  var rows = 10_000_000

  @Option(help: "Rows that repairs are fitted on.")
  var fitted = 20_000

  func run() throws {
    let outcomes = BenchFairness.outcomes(rows, groups: 2, seed: 1)
    let ids = (0..<rows).map { "\($0).jpg" }
    let few = BenchFairness.outcomes(fitted, groups: 2, seed: 2)
    var results: [String: Double] = [:]
    for method in Repair.Method.allCases {
      let name = method.rawValue
      var repair: Repair?
      results["\(name)_fit_\(fitted)"] = try BenchFairness.best(of: 3) {
        repair = try Self.fit(method, few)
      }
      results["\(name)_fit_\(rows)"] = try BenchFairness.best(of: 1) {
        _ = try Self.fit(method, outcomes)
      }
      guard let repair else { continue }
      results["\(name)_apply_\(rows)"] = try BenchFairness.best(of: 3) {
        let probabilities = try repair.probabilities(
          scores: outcomes.scores, groups: outcomes.groups)
        _ = Repair.decisions(probabilities, ids: ids, seed: 0)
      }
    }
    print(try prettyJSON(results))
  }

  private static func fit(_ method: Repair.Method, _ outcomes: Outcomes) throws -> Repair {
    switch method {
    case .calibratedEqualizedOdds: try .calibratedEqualizedOdds(outcomes)
    case .equalizedOdds: try .equalizedOdds(outcomes)
    case .thresholds: try .groupThresholds(outcomes)
    case .rejectOption: try .rejectOption(outcomes)
    case .groupBlind: try .groupBlind(outcomes, options: GroupBlindOptions(target: 0.4))
    }
  }
}
