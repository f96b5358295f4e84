/// Which part of a data set an image belongs to.
public enum Split: Int, CaseIterable, Hashable, Codable, Sendable {
  /// For fitting weights.
  case train
  /// For choices: epochs, thresholds, bit widths.
  case validation
  /// For the numbers that are reported.
  case test

  /// The split of row `row` of `count` in CelebA's proportions: the first 162 770 of 202 599 rows
  /// train, the next 19 867 validate, the last 19 962 test.
  public static func official(row: Int, of count: Int) -> Split {
    let place = Double(row) + 0.5
    let whole = Double(count) / 202_599
    return place < 162_770 * whole ? .train : place < 182_637 * whole ? .validation : .test
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
