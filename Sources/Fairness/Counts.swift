/// How often each decision met each truth: the four cells that every rate is made of.
///
/// Counts are real numbers, because rows may carry weights. Merging two parts is adding them.
public struct Counts: Hashable, Sendable {
  /// The weight in every cell: true positives, false positives, false negatives, true negatives.
  public var cells: SIMD4<Double>
  /// The squared weights in every cell; equal to ``cells`` when every row counts 1.
  public var squares: SIMD4<Double>

  /// No row yet.
  public init() {
    cells = .zero
    squares = .zero
  }

  /// Rows that count 1 each.
  public init(
    truePositives: Int, falsePositives: Int, falseNegatives: Int, trueNegatives: Int
  ) {
    cells = SIMD4(
      Double(truePositives), Double(falsePositives), Double(falseNegatives),
      Double(trueNegatives))
    squares = cells
  }

  /// Positive rows that were called positive.
  public var truePositives: Double { cells[0] }
  /// Negative rows that were called positive.
  public var falsePositives: Double { cells[1] }
  /// Positive rows that were called negative.
  public var falseNegatives: Double { cells[2] }
  /// Negative rows that were called negative.
  public var trueNegatives: Double { cells[3] }
  /// All rows.
  public var total: Double { cells.sum() }
  /// Rows whose label is positive.
  public var positives: Double { cells[0] + cells[2] }
  /// Rows whose label is negative.
  public var negatives: Double { cells[1] + cells[3] }

  /// Adds one row of `weight`.
  public mutating func add(label: Bool, decision: Bool, weight: Double = 1) {
    let cell = (label ? 0 : 1) + (label == decision ? (label ? 0 : 2) : (label ? 2 : 0))
    cells[cell] += weight
    squares[cell] += weight * weight
  }

  /// Merges another part.
  public static func += (sum: inout Counts, part: Counts) {
    sum.cells += part.cells
    sum.squares += part.squares
  }
}

extension Counts: Codable {
  private enum Keys: String, CodingKey {
    case truePositives, falsePositives, falseNegatives, trueNegatives, squaredWeights
  }

  /// Reads what ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Keys.self)
    cells = SIMD4(
      try keyed.decode(Double.self, forKey: .truePositives),
      try keyed.decode(Double.self, forKey: .falsePositives),
      try keyed.decode(Double.self, forKey: .falseNegatives),
      try keyed.decode(Double.self, forKey: .trueNegatives))
    squares = try keyed.decodeIfPresent(SIMD4<Double>.self, forKey: .squaredWeights) ?? cells
  }

  /// Writes the four cells by name, and the squared weights when rows are weighted.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Keys.self)
    try keyed.encode(truePositives, forKey: .truePositives)
    try keyed.encode(falsePositives, forKey: .falsePositives)
    try keyed.encode(falseNegatives, forKey: .falseNegatives)
    try keyed.encode(trueNegatives, forKey: .trueNegatives)
    if squares != cells { try keyed.encode(squares, forKey: .squaredWeights) }
  }
}
