import ArgumentParser
import Fairness
import Files
import Foundation
import Predictions

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
        summary, with: result.markdown + "\n\n" + comparison.report(.markdown) + "\n")
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
      } catch let error as DecodingError {
        throw FileError(policy, "is no policy: \(Self.reason(error))")
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

  private static func reason(_ error: DecodingError) -> String {
    switch error {
    case .dataCorrupted(let context):
      guard let under = context.underlyingError as NSError? else {
        return context.debugDescription
      }
      // Foundation tells line and column of broken JSON.
      return under.userInfo["NSDebugDescription"] as? String ?? context.debugDescription
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' is not a number"
    case .keyNotFound(let key, _): return "'\(key.stringValue)' is missing"
    @unknown default: return "it cannot be decoded"
    }
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

extension GateResult {
  /// One line a limit, then the verdict.
  var text: String {
    let rows = lines.map { line in
      let note = line.note.map { " (\($0))" } ?? ""
      return "\(mark(line)) \(line.name): \(sentence(line))\(note)"
    }
    return (rows + [passed ? "passed" : "failed"]).joined(separator: "\n")
  }

  private func mark(_ line: Line) -> String {
    switch line.status {
    case .kept: "kept     "
    case .crossed: "CROSSED  "
    case .undecided: "undecided"
    }
  }

  private func sentence(_ line: Line) -> String {
    guard let value = line.value, let bound = line.bound else {
      return "undefined, limit \(decimal(line.limit, 4))"
    }
    return "\(signed(value, 4)), bound \(signed(bound, 4)), limit \(signed(line.limit, 4))"
  }

  /// A table for a pull request.
  var markdown: String {
    let rows = lines.map { line in
      [
        line.name, signed(line.value, 4), signed(line.bound, 4), signed(line.limit, 4),
        line.status.rawValue, line.note ?? "",
      ]
    }
    let table = TextTable(
      title: passed ? "Fairness gate: passed" : "Fairness gate: failed",
      rows: [["limit", "value", "bound", "limit", "status", ""]] + rows)
    return table.written(.markdown)
  }

  /// A JUnit report: one test case a limit; crossed and undecided ones fail.
  var junit: String {
    let failed = lines.filter {
      $0.status == .crossed || $0.status == .undecided && !allowUndecided
    }
    let cases = lines.map { line in
      let head = "    <testcase classname=\"equant.gate\" name=\"\(xml(line.name))\""
      let text = xml(sentence(line) + (line.note.map { ", \($0)" } ?? ""))
      guard failed.contains(line) else { return head + "/>" }
      return """
        \(head)>
              <failure type="\(line.status.rawValue)" message="\(text)"/>
            </testcase>
        """
    }
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites>
        <testsuite name="equant gate" tests="\(lines.count)" failures="\(failed.count)">
      \(cases.joined(separator: "\n"))
        </testsuite>
      </testsuites>

      """
  }

  private func xml(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      default: scalar.value < 32 ? " " : String(scalar)
      }
    }.joined()
  }
}
