import ArgumentParser
import Fairness
import Files
import Foundation
import Predictions
import Reports

/// `equant gate`: compare for CI.
struct GateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gate",
    abstract: "Fail when compression crossed a declared limit, or when the rows cannot tell.",
    discussion: """
      Exits with status 0 when the confidence bound of every limited number keeps its limit, and \
      with status 2 when a limit is crossed. A limit that the rows cannot decide counts as failed \
      unless --allow-undecided is given. Limits come from flags, or from a policy in JSON: \
      {"maxDrift": {"equalOpportunity": 0.02}, "maxGap": {}, "minAccuracyChange": -0.01, \
      "minGroupAccuracyChange": -0.02, "allowUndecided": false}. Flags override the policy.
      """)

  @OptionGroup var pair: PairOptions

  @Option(help: ArgumentHelp("How much a gap may grow.", valueName: "gap=limit"))
  var maxDrift: [GapLimit] = []

  @Option(help: ArgumentHelp("How large a gap may be afterwards.", valueName: "gap=limit"))
  var maxGap: [GapLimit] = []

  @Option(
    parsing: .unconditional,
    help: "How much the accuracy may change; -0.01 allows the loss of a point.")
  var minAccuracyChange: Double?

  @Option(parsing: .unconditional, help: "How much the accuracy of every group may change.")
  var minGroupAccuracyChange: Double?

  @Flag(help: "Count a limit that the rows cannot decide as kept.")
  var allowUndecided = false

  @Option(help: "Read limits from a JSON file.", completion: .file(extensions: ["json"]))
  var policy: String?

  @Option(help: "Write the limits as JUnit test cases to an XML file.")
  var junit: String?

  @Option(help: "Write a Markdown summary, for a pull request, to a file.")
  var summary: String?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    let isEmpty =
      maxDrift.isEmpty && maxGap.isEmpty && minAccuracyChange == nil
      && minGroupAccuracyChange == nil && policy == nil
    if isEmpty {
      throw ValidationError("Give a limit: --max-drift, --max-gap, … or --policy.")
    }
  }

  func run() throws {
    for path in [junit, summary].compactMap(\.self) { try Files.checkWritable(path) }
    let policy = try combinedPolicy()
    let (_, after, comparison) = try pair.compared()
    var options = AuditOptions()
    options.threshold = comparison.thresholdAfter
    options.reference = pair.columns.reference
    options.confidence = 1 - 2 * (1 - pair.columns.confidence)
    options.scores = false
    let audit = try Audit(after.outcomes, options: options)
    let result = GateResult(comparison, after: audit, policy: policy)
    if let junit { try Files.replace(junit, with: result.junit) }
    if let summary {
      try Files.replace(
        summary, with: result.markdown + "\n" + comparison.report(.markdown))
    }
    try output.write(result) { result.text }
    for warning in comparison.warnings { remark("warning: \(warning)") }
    if !result.passed { throw ExitCode(2) }
  }

  private func combinedPolicy() throws -> GatePolicy {
    var combined = GatePolicy()
    if let policy {
      let bytes = try Files.read(policy)
      do {
        combined = try JSONDecoder().decode(GatePolicy.self, from: Data(bytes))
      } catch {
        throw FileError(policy, "is no policy: \(JSONProblem.describe(error, in: bytes))")
      }
    }
    for limit in maxDrift { combined.maxDrift[limit.kind] = limit.limit }
    for limit in maxGap { combined.maxGap[limit.kind] = limit.limit }
    if let minAccuracyChange { combined.minAccuracyChange = minAccuracyChange }
    if let minGroupAccuracyChange { combined.minGroupAccuracyChange = minGroupAccuracyChange }
    if allowUndecided { combined.allowUndecided = true }
    if let policy, combined.isEmpty { throw FileError(policy, "sets no limit") }
    return combined
  }
}

/// `equalOpportunity=0.02`.
struct GapLimit: ExpressibleByArgument {
  var kind: GapKind
  var limit: Double

  init?(argument: String) {
    let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2, let kind = GapKind(rawValue: String(parts[0])),
      GapKind.ofDecisions.contains(kind), let limit = Double(parts[1]), limit >= 0, limit <= 1
    else { return nil }
    self.kind = kind
    self.limit = limit
  }

  static var allValueStrings: [String] { GapKind.ofDecisions.map { "\($0.rawValue)=0.02" } }
}
