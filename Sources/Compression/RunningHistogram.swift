/// A histogram over a range that grows with the data.
///
/// Counts are kept in `Float` and the range grows by redistribution, step for step as PyTorch's
/// `HistogramObserver` does it, so that the ranges found from it are PyTorch's. Values that are
/// not finite are left out.
public struct RunningHistogram: Sendable {
  /// The number of bins, equally wide over ``range``.
  public static let bins = 2048
  /// How finely an old bin is split when the range grows.
  private static let splits = 16

  /// The mass of every bin; fractional once the range has grown.
  public private(set) var counts = [Float](repeating: 0, count: bins)
  /// The smallest and largest value seen; `nil` before the first.
  public private(set) var range: ValueRange?

  /// The width of one bin.
  var binWidth: Double {
    guard let range else { return 0 }
    return (Double(range.upper) - Double(range.lower)) / Double(Self.bins)
  }

  /// A histogram of nothing.
  public init() {}

  /// Counts a batch of values; infinities and not-a-numbers are ignored.
  public mutating func add(_ values: [Float]) {
    guard let found = finiteRange(of: values) else { return }
    guard let old = range else {
      range = found
      counts = Self.count(values, over: found)
      return
    }
    let grown = ValueRange(min(old.lower, found.lower), max(old.upper, found.upper))
    var added = Self.count(values, over: grown)
    let moved = grown == old ? counts : redistributed(from: old, to: grown)
    for i in 0..<Self.bins { added[i] += moved[i] }
    counts = added
    range = grown
  }

  private static func count(_ values: [Float], over range: ValueRange) -> [Float] {
    var (lower, upper) = (range.lower, range.upper)
    // A single value gets a bin in the middle of an interval around it.
    if lower == upper {
      lower -= 1
      upper += 1
    }
    return binCounts(of: values, from: lower, to: upper, bins: bins).map { Float($0) }
  }

  /// The counts over `old`, each bin split into equal parts that go where their middle lies.
  private func redistributed(from old: ValueRange, to new: ValueRange) -> [Float] {
    var result = [Float](repeating: 0, count: Self.bins)
    if old.lower == old.upper {
      let total = counts.reduce(0, +)
      let position = (old.lower - new.lower) * Float(Self.bins) / (new.upper - new.lower)
      result[min(Int(position), Self.bins - 1)] = total
      return result
    }
    let parts = Self.bins * Self.splits
    let partWidth = (old.upper - old.lower) / Float(parts)
    let boundaries = Evenly(from: new.lower, to: new.upper, count: Self.bins + 1)
    let starts = Evenly(from: old.lower, to: old.upper, count: parts + 1)
    var bin = 0
    for part in 0..<parts {
      let middle = starts[part] + 0.5 * partWidth
      // Middles rise with `part`, so the search goes on from the last bin.
      while bin < Self.bins - 1 && boundaries[bin + 1] <= middle { bin += 1 }
      result[bin] += counts[part / Self.splits] / Float(Self.splits)
    }
    return result
  }
}

/// Numbers at equal distances, rounded as PyTorch's `linspace` does: from the nearer end.
private struct Evenly {
  let start: Float
  let end: Float
  let count: Int
  let step: Float

  init(from start: Float, to end: Float, count: Int) {
    self.start = start
    self.end = end
    self.count = count
    step = (end - start) / Float(count - 1)
  }

  subscript(i: Int) -> Float {
    i < count / 2 ? start + step * Float(i) : end - step * Float(count - i - 1)
  }
}
