/// Which part of a data set an image belongs to.
public enum Split: Int, CaseIterable, Hashable, Codable, Sendable {
  /// For fitting weights.
  case train
  /// For choices: epochs, thresholds, bit widths.
  case validation
  /// For the numbers that are reported.
  case test

  /// The number of rows of each split in CelebA's proportions: of 202 599 rows, the first 162 770
  /// train, the next 19 867 validate and the last 19 962 test.
  public static func officialCounts(of count: Int) -> [Int] {
    let whole = Double(max(0, count)) / 202_599
    let train = Int((162_770 * whole).rounded())
    let tuned = Int((182_637 * whole).rounded())
    return [train, tuned - train, max(0, count) - tuned]
  }

  /// The split of row `row` of `count` in CelebA's proportions.
  public static func official(row: Int, of count: Int) -> Split {
    of(row: row, counts: officialCounts(of: count))
  }

  /// The split of row `row` when `counts` rows train, then validate, then test.
  static func of(row: Int, counts: [Int]) -> Split {
    row < counts[0] ? .train : row < counts[0] + counts[1] ? .validation : .test
  }

  /// The split that people write as `text`: a name, or CelebA's 0, 1 or 2.
  init?(text: String) {
    switch text.lowercased() {
    case "0", "train", "training": self = .train
    case "1", "validation", "valid", "val", "dev": self = .validation
    case "2", "test", "testing": self = .test
    default: return nil
    }
  }
}

extension Split: CustomStringConvertible {
  /// `train`, `validation` or `test`.
  public var description: String {
    switch self {
    case .train: "train"
    case .validation: "validation"
    case .test: "test"
    }
  }
}
