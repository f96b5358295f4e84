/// Counts of rows and of wrong decisions by cell of group and label.
///
/// Cell `2 * group + label`; a row is called positive when the logit of class 1 is at least that of
/// class 0, which is a score of at least one half.
struct CellTally: Hashable, Sendable {
  /// The number of rows of each cell; not whole where older rows have faded.
  var rows: [Double]
  /// How many of them were decided wrongly.
  var errors: [Double]

  /// A tally of nothing.
  init(groups: Int) {
    rows = [Double](repeating: 0, count: groups * 2)
    errors = rows
  }

  /// Adds the rows of a batch of two classes.
  mutating func add(_ batch: LabelledLogits) {
    for row in 0..<batch.count {
      let cell = batch.cell(row)
      rows[cell] += 1
      if batch.isPositive(row) != (batch.labels[row] == 1) { errors[cell] += 1 }
    }
  }

  /// Lets all counts shrink to the given share.
  mutating func fade(to share: Double) {
    for cell in rows.indices {
      rows[cell] *= share
      errors[cell] *= share
    }
  }

  /// The error rate of each cell; `nil` with fewer rows than `minimum`.
  func rates(minimum: Double = 1) -> [Double?] {
    zip(rows, errors).map { $0 >= minimum ? $1 / $0 : nil }
  }
}

extension LabelledLogits {
  /// The cell of group and label that a row is in.
  func cell(_ row: Int) -> Int { 2 * Int(groups[row]) + Int(labels[row]) }

  /// How a row of two classes is decided.
  func isPositive(_ row: Int) -> Bool { logits[2 * row + 1] >= logits[2 * row] }

  /// The mean of `values`, one for each row, over every cell; `nil` with fewer rows than `minimum`.
  func cellMeans(_ values: [Double], groups: Int, minimum: Int = 1) -> (
    rows: [Int], means: [Double?]
  ) {
    var rows = [Int](repeating: 0, count: groups * 2)
    var sums = [Double](repeating: 0, count: groups * 2)
    for row in 0..<count {
      rows[cell(row)] += 1
      sums[cell(row)] += values[row]
    }
    return (rows, zip(rows, sums).map { $0 >= minimum ? $1 / Double($0) : nil })
  }

  /// The softmax's probability of the class that is not the label, for every row of two classes.
  var wrongProbabilities: [Double] {
    (0..<count).map { row in
      let right = Int(labels[row])
      return Softmax.positive(logits[2 * row + right], logits[2 * row + 1 - right])
    }
  }
}
