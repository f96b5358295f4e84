import ArgumentParser
import Fairness
import Foundation
import Reports

/// `equant poster-account`: which of the poster's differences one test pass could have shown.
///
/// Hidden: its output is part of the documentation.
struct PosterAccount: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "poster-account",
    abstract: "Hold the poster's tables against the size of the test split.",
    shouldDisplay: false)

  func run() throws {
    print(Self.gaps)
    print(Self.drifts, terminator: "")
  }

  /// Official CelebA test split, `Attractive` by `Male`: positives and negatives.
  private static let cells = (female: (7984, 4263), male: (1914, 5801))

  private struct Row {
    var name: String
    /// Male and female, as printed in table 3.
    var tpr: (male: Double, female: Double)
    var fpr: (male: Double, female: Double)
  }

  /// Table 3 of the poster.
  private static let rows = [
    Row(name: "Fine-tuned", tpr: (0.65, 0.86), fpr: (0.13, 0.33)),
    Row(name: "Quantized", tpr: (0.59, 0.80), fpr: (0.10, 0.27)),
    Row(name: "FairALM, before", tpr: (0.74, 0.92), fpr: (0.18, 0.43)),
    Row(name: "FairALM, quantized", tpr: (0.66, 0.86), fpr: (0.13, 0.34)),
    Row(name: "Calibrated EO, before", tpr: (0.65, 0.86), fpr: (0.13, 0.33)),
    Row(name: "Calibrated EO, quantized", tpr: (0.61, 0.81), fpr: (0.11, 0.28)),
  ]

  private static func rate(_ share: Double, _ rows: Int) -> Estimate {
    Estimate(share, .wilson(share * Double(rows), of: Double(rows)))
  }

  /// The gap that a row of table 3 implies, male minus female, with Newcombe's interval.
  private static func gap(_ row: Row, positives: Bool) -> Estimate {
    let (pair, female, male) =
      positives
      ? (row.tpr, cells.female.0, cells.male.0) : (row.fpr, cells.female.1, cells.male.1)
    return .difference(from: rate(pair.female, female), to: rate(pair.male, male))
  }

  private static var gaps: String {
    var table = Table(
      "Gaps of table 3, male minus female, with 95 % intervals",
      columns: ["model", "TPR gap", "interval", "FPR gap", "interval"])
    for row in rows {
      let (tpr, fpr) = (gap(row, positives: true), gap(row, positives: false))
      table.rows.append([
        row.name, signed(tpr.value), range(tpr.interval.low, tpr.interval.high, signs: true),
        signed(fpr.value), range(fpr.interval.low, fpr.interval.high, signs: true),
      ])
    }
    return table.rendered(as: .markdown)
  }

  private static var drifts: String {
    var table = Table(
      "Drift of the gaps by quantization",
      columns: [
        "model", "gap", "drift", "unpaired interval", "least flips", "best paired interval",
        "rounding alone", "what one pass shows",
      ])
    for pair in [(0, 1), (2, 3), (4, 5)] {
      for positives in [true, false] {
        table.rows.append(drift(rows[pair.0], rows[pair.1], positives: positives))
      }
    }
    return table.rendered(as: .markdown)
  }

  /// The drift between two rows: compared as strangers, and as the same people at best.
  ///
  /// The fewest flips that explain two printed rates are all in one direction; every other pair of
  /// models with these rates flipped more, and its paired interval is wider.
  private static func drift(_ before: Row, _ after: Row, positives: Bool) -> [String] {
    let first = gap(before, positives: positives)
    let second = gap(after, positives: positives)
    let unpaired = Estimate.difference(from: first, to: second)
    func change(_ from: Double, _ to: Double, _ rows: Int) -> PairedChange {
      let flips = abs(to - from) * Double(rows)
      return PairedChange(
        lost: to < from ? flips : 0, gained: to > from ? flips : 0, rows: Double(rows))
    }
    let (sizes, one, two) =
      positives
      ? ((cells.female.0, cells.male.0), before.tpr, after.tpr)
      : ((cells.female.1, cells.male.1), before.fpr, after.fpr)
    let female = change(one.female, two.female, sizes.0)
    let male = change(one.male, two.male, sizes.1)
    let paired = Estimate.difference(from: female.estimate(), to: male.estimate())
    let flips = female.lost + female.gained + male.lost + male.gained
    // Four rates rounded to 0.01 may be off by 0.005 each.
    let rounding = 0.02
    let shown: String
    if abs(unpaired.value) <= rounding + 1e-9 {
      shown = "nothing: rounding alone can make or hide it"
    } else if min(abs(unpaired.interval.low), abs(unpaired.interval.high)) > rounding
      && !unpaired.interval.contains(0)
    {
      shown = "a drift, even between strangers"
    } else if !unpaired.interval.contains(0) {
      shown = "a drift, unless rounding made it"
    } else if !paired.interval.contains(0) {
      shown = "a drift, if few decisions flipped; the poster does not say"
    } else {
      shown = "nothing"
    }
    return [
      "\(before.name) to \(after.name)", positives ? "TPR" : "FPR", signed(unpaired.value),
      range(unpaired.interval.low, unpaired.interval.high, signs: true),
      "\(Int(flips.rounded()))",
      range(paired.interval.low, paired.interval.high, signs: true), "±\(decimal(rounding))",
      shown,
    ]
  }
}
