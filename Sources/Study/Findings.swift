import Fairness
import Foundation

/// A study's results in sentences: which differences are real, and who pays for them.
struct Findings {
  private let result: StudyResult
  /// A change of a gap from which on it is called large.
  private let large = 0.05
  /// A change of the accuracy up to which it is called almost unchanged.
  private let small = 0.01

  init(_ result: StudyResult) { self.result = result }

  /// One sentence or two for every pair of models.
  var sentences: [String] {
    var order: [[String]] = []
    for effect in result.effects ?? [] where !order.contains([effect.model, effect.base]) {
      order.append([effect.model, effect.base])
    }
    return order.flatMap { key in pair(key[0], key[1]) } + repairs
  }

  private func pair(_ model: String, _ base: String) -> [String] {
    func effect(_ measure: String) -> StudyResult.Effect? {
      result.effects?.first { $0.model == model && $0.base == base && $0.measure == measure }
    }
    guard let gap = effect("equalOpportunity"), let accuracy = effect("accuracy") else { return [] }
    let name = "\(title(model)), against \(title(base)): "
    guard let moved = gap.mean, let gained = accuracy.mean else {
      return [name + "the change of EO is undefined."]
    }
    let seeds = gap.seeds > 1 ? " over \(gap.seeds) seeds" : ""
    let change =
      "EO \(points(moved))\(range(gap))\(seeds), accuracy \(points(gained))\(range(accuracy))"
    if gap.isReal, abs(moved) >= large, abs(gained) <= small {
      let verb = moved > 0 ? "moved the groups apart" : "brought the groups closer"
      return [
        name + change + ". It \(verb) while the accuracy hardly changed: accuracy alone would not "
          + "have shown it.\(whoPays(model, base))"
      ]
    }
    let verdict: String
    if gap.isReal {
      verdict =
        moved > 0
        ? "EO really grew"
        : "EO really shrank"
          + (levelsDown(model, base) ? ", by levelling down: no group gained" : "")
    } else {
      verdict = unsettled(model, base, gap)
    }
    return [name + change + ". " + verdict + "." + (gap.isReal ? whoPays(model, base) : "")]
  }

  /// Whether the gap shrank in every seed only because groups lost.
  private func levelsDown(_ model: String, _ base: String) -> Bool {
    let pairs = result.comparisons.filter { $0.model == model && $0.base == base }
    return !pairs.isEmpty
      && pairs.allSatisfy { $0.comparison.drift[.equalOpportunity]?.levellingDown == true }
  }

  /// What can be said when the interval holds 0.
  private func unsettled(_ model: String, _ base: String, _ gap: StudyResult.Effect) -> String {
    if gap.seeds > 1 { return "Over these seeds no difference of EO can be told from none" }
    let drift = result.comparisons.first { $0.model == model && $0.base == base }?
      .comparison.drift[.equalOpportunity]
    if drift?.verdict == .preserved {
      let margin = result.comparisons.first { $0.model == model }?.comparison.margin ?? 0
      return "EO is shown to be preserved within ±\(points(margin).dropFirst())"
    }
    let rows = drift?.rowsNeeded.map { ", about \($0) would" } ?? ""
    return "These test rows cannot tell whether EO changed\(rows)"
  }

  /// The rates that fell or rose by more than a point, of the mean over the seeds.
  private func whoPays(_ model: String, _ base: String) -> String {
    guard let before = result.summary?.first(where: { $0.model == base }),
      let after = result.summary?.first(where: { $0.model == model })
    else { return "" }
    let changes = after.groups.flatMap { group in
      [(Measure.truePositiveRate, "TPR"), (.falsePositiveRate, "FPR")].compactMap {
        measure, name -> String? in
        guard let old = before.groups.first(where: { $0.name == group.name })?.rates[measure]?.mean,
          let new = group.rates[measure]?.mean, abs(new - old) >= 0.01
        else { return nil }
        return "\(group.name) \(name) \(decimal(old)) to \(decimal(new))"
      }
    }
    return changes.isEmpty ? "" : " " + changes.joined(separator: ", ") + "."
  }

  /// What repairs need, and whether they reached their aim.
  private var repairs: [String] {
    var order: [String] = []
    for row in result.rows where row.repair != nil && !order.contains(row.model) {
      order.append(row.model)
    }
    return order.compactMap { model in
      guard let row = result.rows.first(where: { $0.model == model }), let repair = row.repair
      else { return nil }
      let notes = repair.notes.joined(separator: "; ")
      return "\(row.title), on the validation rows of seed \(row.seed): \(notes)."
    }
  }

  private func title(_ model: String) -> String {
    result.rows.first { $0.model == model }?.title ?? model
  }

  private func points(_ value: Double) -> String {
    (value < 0 ? "" : "+") + String(format: "%.1f points", 100 * value)
  }

  private func range(_ effect: StudyResult.Effect) -> String {
    guard let low = effect.low, let high = effect.high else { return "" }
    return String(format: " (%+.1f to %+.1f)", 100 * low, 100 * high)
  }

  private func decimal(_ value: Double) -> String { String(format: "%.3f", value) }
}
