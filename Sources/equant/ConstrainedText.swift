import Compression
import Foundation

extension ConstrainedCompression.Outcome {
  /// The outcome for people.
  func text(
    out: String, limits: CompressionLimits, closest: String?, isTuned: Bool
  ) -> String {
    var lines = [
      isFeasible
        ? "feasible: \(out) is \(bytes) bytes, \(String(format: "%.1f", ratio)) times smaller"
        : "infeasible: \(binding ?? "a limit") cannot be kept in \(limits.bytes) bytes; \(out) was not written",
      "",
    ]
    if !isFeasible {
      lines.append(
        "the closest point found has \(bytes) bytes (\(String(format: "%.1f", ratio)) times smaller)"
          + (closest.map { ": \($0), without a certificate" } ?? ""))
      if !isTuned {
        lines.append("with --tune 1 it is fitted to the float model's answers, which may keep them")
      }
    }
    lines += selection.table("on the rows of choice")
    lines += verification.table("on rows that no choice has seen")
    lines += allocation.lines
    lines.append(
      String(
        format:
          "adding layers up predicted %.1f %% of the decisions (margins off by %.3f, moved by %.3f)",
        100 * additivity.decisionsPredicted, additivity.residual, additivity.change))
    lines.append(
      String(
        format: "searched in %.2f s%@", searchSeconds, tableWasCached ? ", from the kept table" : ""
      ))
    lines += costs?.lines ?? []
    return lines.joined(separator: "\n")
  }
}

extension SchemeUnderLimits.Outcome {
  /// The outcome for people.
  func text(scheme: String, out: String, closest: String?) -> String {
    let way = attempts[chosen]
    var lines = [
      isFeasible
        ? "limits kept: \(out) is \(report.bytes) bytes, "
          + "\(String(format: "%.1f", report.ratio)) times smaller"
        : "infeasible: \(binding ?? "a limit") cannot be kept by \(scheme); \(out) was not written",
      isFeasible && chosen == 0
        ? "\(scheme) keeps every limit as it is; nothing more was done"
        : "\(isFeasible ? "how" : "the closest point"): \(scheme), \(way.name)"
          + (isFeasible ? "" : closest.map { ", is \($0), without a certificate" } ?? ""),
      "",
    ]
    for attempt in attempts {
      lines += attempt.selection.table("\(attempt.name), rows of choice").dropLast()
      let share = attempt.use.map { String(format: "%.0f %%", 100 * $0) } ?? "an undefined share"
      lines += ["  on as many rows as decide, the bounds would use up \(share) of the limits", ""]
    }
    lines += verification.table("on rows that no choice has seen")
    if way.shift != 0 {
      lines.append(
        String(format: "operating point: %+.3f on the margin of class 1, for everybody", way.shift))
    }
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines.joined(separator: "\n")
  }
}

extension ConstrainedCompression.Prediction {
  /// The prediction for people.
  func text(limits: CompressionLimits) -> String {
    let share = use.map { String(format: "%.0f %%", 100 * $0) } ?? "an undefined share"
    var lines = [
      "predicted, not run: \(bytes) bytes, \(String(format: "%.1f", ratio)) times smaller",
      "bounds on the \(verificationCount) rows that decide would use up \(share) of the limits: "
        + (keepsLimits ? "kept" : "not kept"),
      "",
    ]
    lines += checks.table("on the rows of choice, predicted")
    lines += allocation.lines
    lines.append(
      String(
        format: "searched in %.2f s%@", searchSeconds, tableWasCached ? ", from the kept table" : ""
      ))
    lines += costs?.lines ?? []
    return lines.joined(separator: "\n")
  }
}

extension [LimitCheck] {
  /// Found, bound and limit in points, a line each.
  fileprivate func table(_ title: String) -> [String] {
    guard !isEmpty else { return [] }
    func percent(_ value: Double?) -> String {
      value.map { String(format: "%7.2f", 100 * $0) } ?? "      -"
    }
    return ["\(title), in points:      found   bound   limit"]
      + map { check in
        "  " + check.name.padding(toLength: 32, withPad: " ", startingAt: 0)
          + percent(check.value) + " " + percent(check.bound) + " " + percent(check.limit)
          + (check.isKept ? "  kept" : "  NOT KEPT")
      } + [""]
  }
}

extension Certificate.Allocation {
  /// The operating point, and which tensors are stored in which way.
  fileprivate var lines: [String] {
    let groups = Dictionary(grouping: tensors, by: \.value).sorted { $0.key < $1.key }
    let point = String(format: "%+.3f", shift)
    return ["operating point: \(point) on the margin of class 1, for everybody"]
      + (activationBits.map { ["  activations: \($0) bits"] } ?? [])
      + groups.map { step, tensors in
        "  \(step): \(tensors.map(\.key).sorted().joined(separator: ", "))"
      }
  }
}

extension [ConstrainedCompression.Cost] {
  /// What every limit costs in bytes.
  fileprivate var lines: [String] {
    ["", "smallest file as predicted on the rows of choice:"]
      + map { cost in
        let name = cost.without.map { "without the limit on \($0)" } ?? "with all limits"
        return "  " + name.padding(toLength: 48, withPad: " ", startingAt: 0)
          + (cost.bytes.map { "\($0) bytes" } ?? "none keeps them")
      }
  }
}
