/// How two models' decisions on the same people compare, for every group and label.
///
/// All that a comparison of decisions needs to know about the rows. Merging is adding.
public struct PairedTally: Hashable, Sendable {
  /// What weighted rows leave behind beside the sums of their weights.
  public struct Weights: Hashable, Sendable {
    /// The number of rows in every cell.
    public var rows: [Cell]
    /// The sum of squared weights in every cell.
    public var squares: [Cell]
  }

  /// The rows of one group and one label by decision before and after.
  ///
  /// The cells are: no and no, no and yes, yes and no, yes and yes.
  public typealias Cell = SIMD4<Double>

  /// The names of the groups.
  public var names: [String]
  /// For every group the rows labelled negative, then those labelled positive, by weight.
  public var cells: [Cell]
  /// The numbers and squared weights of rows; nil when every row counts 1.
  public var weights: Weights?

  /// No row yet in any of `names`.
  public init(names: [String]) {
    self.names = names
    cells = .init(repeating: .zero, count: 2 * names.count)
  }

  /// Counts two models' outcomes on the same rows.
  ///
  /// - Throws: ``FairnessError/mismatch(_:)`` when rows, labels, groups or weights differ.
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
    guard before.weights == after.weights else {
      throw .mismatch("the weights before and after differ")
    }
    self.init(names: before.groups.groups)
    let width = names.count * 8
    let second = thresholdAfter ?? threshold
    if let weights = before.weights {
      countWeighted(before, after.scores, weights, (threshold, second))
      return
    }
    let total = inBlocks(before.count, zero: [Int](repeating: 0, count: width)) { range in
      countPairs(before, after.scores, range, (threshold, second), width: width)
    } merge: { sum, part in
      for i in sum.indices { sum[i] += part[i] }
    }
    for i in cells.indices {
      for j in 0..<4 { cells[i][j] = Double(total[i * 4 + j]) }
    }
  }

  private mutating func countWeighted(
    _ before: Outcomes, _ after: [Double], _ weights: [Double], _ thresholds: (Double, Double)
  ) {
    let none = self
    self = inBlocks(before.count, zero: none) { range in
      var part = none
      var extra = Weights(rows: none.cells, squares: none.cells)
      for row in range {
        let cell =
          (before.scores[row] >= thresholds.0 ? 2 : 0) + (after[row] >= thresholds.1 ? 1 : 0)
        let place = 2 * Int(before.groups.codes[row]) + (before.labels[row] ? 1 : 0)
        part.cells[place][cell] += weights[row]
        extra.rows[place][cell] += 1
        extra.squares[place][cell] += weights[row] * weights[row]
      }
      part.weights = extra
      return part
    } merge: { sum, part in
      for i in sum.cells.indices { sum.cells[i] += part.cells[i] }
      guard let extra = part.weights else { return }
      if sum.weights == nil { sum.weights = extra; return }
      for i in sum.cells.indices {
        sum.weights?.rows[i] += extra.rows[i]
        sum.weights?.squares[i] += extra.squares[i]
      }
    }
  }

  /// The number of rows, whatever they weigh.
  public var rows: Int { Int((weights?.rows ?? cells).reduce(.zero, +).sum()) }

  /// The number of rows of a group and label, whatever they weigh.
  public func rowCell(_ group: Int, label: Bool) -> Cell {
    (weights?.rows ?? cells)[2 * group + (label ? 1 : 0)]
  }

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
    guard let weights else { return tally }
    for (part, isRows) in [(weights.rows, true), (weights.squares, false)] {
      var plain = PairedTally(names: names)
      plain.cells = part
      let counts = plain.tally(after: after).counts
      for group in names.indices {
        if isRows {
          tally.rows[group] = Int(counts[group].total)
        } else {
          tally.counts[group].squares = counts[group].cells
        }
      }
    }
    return tally
  }

  /// The same rows with the first model's decisions turned round.
  ///
  /// The change from a turned rate to the second is the *sum* of the two rates, less 1: what paired
  /// intervals say of a change they thereby say of a sum.
  var turned: PairedTally {
    var turned = self
    for i in cells.indices { turned.cells[i] = Self.turned(cells[i]) }
    turned.weights = weights.map {
      Weights(rows: $0.rows.map(Self.turned), squares: $0.squares.map(Self.turned))
    }
    return turned
  }

  /// A cell with the decision before turned round.
  static func turned(_ cell: Cell) -> Cell { Cell(cell[2], cell[3], cell[0], cell[1]) }

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

  /// How much a group's weighted change is thinned out so that Tango's interval fits it.
  ///
  /// The factor makes the variance of independent rows as large as that of the weighted change, a
  /// quarter of a flipped row of any weight added to both, as in
  /// ``PairedClusters/thinning(_:group:most:)``; without a flip it is that of Kish's effective number
  /// of rows. It is above 1 where weights are small, but never makes more rows of them than there are.
  func thinning(_ measure: Measure, group: Int) -> Double {
    let (no, yes) = (2 * group, 2 * group + 1)
    guard let weights,
      let sums = Self.change(measure, no: cells[no], yes: cells[yes]), sums.rows > 0,
      let squares = Self.change(measure, no: weights.squares[no], yes: weights.squares[yes]),
      let rows = Self.change(measure, no: weights.rows[no], yes: weights.rows[yes])
    else { return 1 }
    let change = (sums.gained - sums.lost) / sums.rows
    let rest = squares.rows - squares.lost - squares.gained
    let weighted =
      squares.gained * (1 - change) * (1 - change) + squares.lost * (1 + change) * (1 + change)
      + max(0, rest) * change * change
    let independent = max(0, sums.lost + sums.gained - change * change * sums.rows)
    let added = PairedClusters.added / rows.rows
    return min(
      rows.rows / sums.rows,
      (independent + added * sums.rows) / (weighted + added * squares.rows))
  }

  /// All groups as one.
  public var merged: PairedTally {
    var one = PairedTally(names: ["all"])
    for (i, cell) in cells.enumerated() { one.cells[i % 2] += cell }
    guard let weights else { return one }
    var extra = Weights(rows: one.cells, squares: one.cells)
    (extra.rows, extra.squares) = ([.zero, .zero], [.zero, .zero])
    for i in cells.indices {
      extra.rows[i % 2] += weights.rows[i]
      extra.squares[i % 2] += weights.squares[i]
    }
    one.weights = extra
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
