/// How two models' decisions on the same people compare, for every group and label.
///
/// All that a comparison of decisions needs to know about the rows. Merging is adding.
public struct PairedTally: Hashable, Sendable {
  /// The rows of one group and one label by decision before and after.
  ///
  /// The cells are: no and no, no and yes, yes and no, yes and yes.
  public typealias Cell = SIMD4<Double>

  /// The names of the groups.
  public var names: [String]
  /// For every group the rows labelled negative, then those labelled positive.
  public var cells: [Cell]

  /// No row yet in any of `names`.
  public init(names: [String]) {
    self.names = names
    cells = .init(repeating: .zero, count: 2 * names.count)
  }

  /// Counts two models' outcomes on the same rows.
  ///
  /// - Throws: ``FairnessError/mismatch(_:)`` when rows, labels or groups differ.
  public init(
    before: Outcomes, after: Outcomes, threshold: Double = 0.5, thresholdAfter: Double? = nil
  ) throws(FairnessError) {
    guard before.count == after.count else {
      throw .mismatch("\(before.count) rows before and \(after.count) after")
    }
    guard before.labels == after.labels else {
      throw .mismatch("the labels before and after differ")
    }
    guard before.groups.groups == after.groups.groups,
      before.groups.codes == after.groups.codes
    else { throw .mismatch("the groups before and after differ") }
    guard before.weights == nil, after.weights == nil else {
      throw .mismatch("two models are compared row by row: weights are not supported")
    }
    self.init(names: before.groups.groups)
    let width = names.count * 8
    let second = thresholdAfter ?? threshold
    let total = inBlocks(before.count, zero: [Int](repeating: 0, count: width)) { range in
      countPairs(before, after.scores, range, (threshold, second), width: width)
    } merge: { sum, part in
      for i in sum.indices { sum[i] += part[i] }
    }
    for i in cells.indices {
      for j in 0..<4 { cells[i][j] = Double(total[i * 4 + j]) }
    }
  }

  /// The number of rows.
  public var rows: Int { Int(cells.reduce(.zero, +).sum()) }

  /// The cell of a group and label.
  public func cell(_ group: Int, label: Bool) -> Cell { cells[2 * group + (label ? 1 : 0)] }

  /// Every group's counts for one of the models.
  public func tally(after: Bool) -> Tally {
    var tally = Tally(names: names)
    for group in names.indices {
      let (no, yes) = (cells[2 * group], cells[2 * group + 1])
      let positive = after ? 1 : 2
      tally.counts[group].cells = SIMD4(
        yes[positive] + yes[3], no[positive] + no[3], yes[0] + yes[3 - positive],
        no[0] + no[3 - positive])
      tally.counts[group].squares = tally.counts[group].cells
      tally.rows[group] = Int(tally.counts[group].total)
    }
    return tally
  }

  /// How a share changed within one group, for the measures whose denominator does not change.
  ///
  /// Nil for the others (precision and its like) and for an empty denominator.
  public func change(_ measure: Measure, group: Int) -> PairedChange? {
    let sums = Self.change(measure, no: cells[2 * group], yes: cells[2 * group + 1])
    guard let sums, sums.rows > 0 else { return nil }
    return PairedChange(lost: sums.lost, gained: sums.gained, rows: sums.rows)
  }

  /// The flips and rows of a measure in a cell of each label.
  static func change(
    _ measure: Measure, no: Cell, yes: Cell
  ) -> (lost: Double, gained: Double, rows: Double)? {
    switch measure {
    case .truePositiveRate: (yes[2], yes[1], yes.sum())
    case .falseNegativeRate: (yes[1], yes[2], yes.sum())
    case .falsePositiveRate: (no[2], no[1], no.sum())
    case .trueNegativeRate: (no[1], no[2], no.sum())
    case .selectionRate: (yes[2] + no[2], yes[1] + no[1], yes.sum() + no.sum())
    case .accuracy: (yes[2] + no[1], yes[1] + no[2], yes.sum() + no.sum())
    case .errorRate: (yes[1] + no[2], yes[2] + no[1], yes.sum() + no.sum())
    default: nil
    }
  }

  /// All groups as one.
  public var merged: PairedTally {
    var one = PairedTally(names: ["all"])
    for (i, cell) in cells.enumerated() { one.cells[i % 2] += cell }
    return one
  }
}

/// Counts one block of rows into `group * 8 + label * 4 + before * 2 + after`.
private func countPairs(
  _ before: Outcomes, _ after: [Double], _ range: Range<Int>, _ thresholds: (Double, Double),
  width: Int
) -> [Int] {
  var table = [Int](repeating: 0, count: 2 * width)
  before.scores.withUnsafeBufferPointer { first in
    after.withUnsafeBufferPointer { second in
      before.labels.withUnsafeBufferPointer { labels in
        before.groups.codes.withUnsafeBufferPointer { codes in
          table.withUnsafeMutableBufferPointer { table in
            for row in range {
              let decisions =
                (first[row] >= thresholds.0 ? 2 : 0) + (second[row] >= thresholds.1 ? 1 : 0)
              let place = Int(codes[row]) &* 8 &+ (labels[row] ? 4 : 0) &+ decisions
              table[(row & 1) &* width &+ place] &+= 1
            }
          }
        }
      }
    }
  }
  return (0..<width).map { table[$0] + table[width + $0] }
}
