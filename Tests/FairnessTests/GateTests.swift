import Foundation
import Testing

@testable import Fairness

@Suite struct GateTests {
  private func result(_ policy: GatePolicy) throws -> GateResult {
    let tally = ComparisonTests.tally
    var options = AuditOptions()
    options.confidence = 0.9
    return GateResult(
      try Comparison(tally), after: try Audit(tally.tally(after: true), options: options),
      policy: policy)
  }

  @Test func `a limit is kept, crossed or undecided`() throws {
    var policy = GatePolicy()
    policy.maxDrift = [.equalOpportunity: 0.02, .fprDifference: 0.02, .accuracy: 0.04]
    policy.minAccuracyChange = -0.02
    let lines = try result(policy).lines
    #expect(
      lines.map(\.name) == [
        "maxDrift equalOpportunity", "maxDrift fprDifference", "maxDrift accuracy",
        "minAccuracyChange",
      ])
    // TPR drift 0.07 is above 0.02; no negative flipped; accuracy drift is 0.035 with an interval.
    #expect(lines.map(\.status) == [.crossed, .kept, .undecided, .kept])
    #expect(lines[2].note?.hasPrefix("about ") == true)
    #expect(isClose(lines[0].value, 0.07) && isClose(lines[3].value, -25.0 / 2000))
  }

  @Test func `undecided fails unless it is allowed`() throws {
    var policy = GatePolicy()
    policy.maxDrift = [.accuracy: 0.04]
    #expect(try !result(policy).passed)
    policy.allowUndecided = true
    #expect(try result(policy).passed)
    policy.maxDrift = [.accuracy: 0.03]
    #expect(try !result(policy).passed)
    policy.maxDrift = [:]
    policy.maxGap = [.auc: 0.5]
    policy.allowUndecided = false
    #expect(try result(policy).lines[0].status == .undecided)
  }

  @Test func `a policy reads back and misspelt limits are refused`() throws {
    let text = #"{"maxDrift": {"equalOpportunity": 0.02}, "minAccuracyChange": -0.01}"#
    let policy = try JSONDecoder().decode(GatePolicy.self, from: Data(text.utf8))
    #expect(policy.maxDrift == [.equalOpportunity: 0.02] && policy.minAccuracyChange == -0.01)
    let again = try JSONDecoder().decode(GatePolicy.self, from: JSONEncoder().encode(policy))
    #expect(again == policy)
    for bad in [
      #"{"maxdrift": {}}"#, #"{"maxDrift": {"tpr": 0.1}}"#, #"{"maxDrift": {"auc": -1}}"#, "[]",
      #"{"minAccuracyChange": "x"}"#, "{",
    ] {
      #expect(throws: DecodingError.self) {
        try JSONDecoder().decode(GatePolicy.self, from: Data(bad.utf8))
      }
    }
  }

  /// Property: no text crashes the policy reader.
  @Test func `policies of any kind are read or refused`() {
    var random = Random(seed: 4)
    let words = [
      "{", "}", "\"maxDrift\"", ":", ",", "\"equalOpportunity\"", "0.02", "-1", "1e999", "null",
      "[", "]", "\"allowUndecided\"", "true", "\"", "\\u00", "NaN",
    ]
    for _ in 0..<5000 {
      let text = (0..<random.below(12)).map { _ in words[random.below(words.count)] }.joined()
      do {
        _ = try JSONDecoder().decode(GatePolicy.self, from: Data(text.utf8))
      } catch { #expect(error is DecodingError) }
    }
  }
}
