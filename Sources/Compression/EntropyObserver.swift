import Foundation

/// The symmetric range whose quantized distribution tells the most about the original one.
///
/// For every clipping magnitude, the histogram of magnitudes with its outliers moved into the last
/// bin (P) is compared with itself requantized to 128 levels (Q); the magnitude with the smallest
/// Kullback-Leibler divergence of Q from P is kept. The range never exceeds what was seen, so a
/// tensor without negative values keeps 0 as its lower end. The first bin takes its neighbour's
/// mass: zeros are represented exactly whatever the range, and the many that a ReLU leaves would
/// drown the rest.
///
/// Source: S. Migacz, *8-bit Inference with TensorRT*, GTC 2017.
public struct EntropyObserver: Observer {
  private static let levels = 128
  private var histogram = RunningHistogram()

  /// An estimator that has seen nothing.
  public init() {}

  /// Adds `values` to the histogram.
  public mutating func observe(_ values: [Float]) { histogram.add(values) }

  /// The range found, whatever the number of levels.
  public func range(levels: Int) -> ValueRange? {
    guard let seen = histogram.range else { return nil }
    guard seen.lower < seen.upper else { return seen }
    let masses = magnitudes(over: seen)
    let kept = Self.bestClip(masses)
    let limit = Float(Double(kept) * histogram.binWidth)
    return ValueRange(max(seen.lower, -limit), min(seen.upper, limit))
  }

  /// The mass of every magnitude, in bins as wide as the histogram's.
  private func magnitudes(over seen: ValueRange) -> [Double] {
    let width = histogram.binWidth
    let largest = max(abs(Double(seen.lower)), abs(Double(seen.upper)))
    let bins = max(Self.levels, Int((largest / width).rounded(.up)))
    var masses = [Double](repeating: 0, count: bins)
    for (i, count) in histogram.counts.enumerated() where count > 0 {
      // A folded bin may straddle two magnitude bins: it is shared by overlap.
      let low = Double(seen.lower) / width + Double(i)
      let (from, to) = low + 1 <= 0 ? (-low - 1, -low) : (max(low, 0), low + 1)
      if low < 0 && low + 1 > 0 { masses[0] += Double(count) * min(-low, 1) }
      let first = min(Int(from), bins - 1)
      let split = min(to, Double(first + 1))
      masses[first] += Double(count) * (split - from)
      if to > split { masses[min(first + 1, bins - 1)] += Double(count) * (to - split) }
    }
    masses[0] = masses[1]
    return masses
  }

  /// The number of leading bins to keep.
  static func bestClip(_ masses: [Double]) -> Int {
    var best = (divergence: Double.infinity, kept: masses.count)
    let total = masses.reduce(0, +)
    var inside = masses.prefix(levels - 1).reduce(0, +)
    for kept in levels...max(levels, masses.count) {
      inside += masses[kept - 1]
      let outside = max(0, total - inside)
      guard inside > 0 else { continue }
      let divergence = divergence(masses[..<kept], total: total, inside: inside, outside: outside)
      if divergence < best.divergence { best = (divergence, kept) }
    }
    return best.kept
  }

  /// The divergence in nats when all after `masses` is clipped.
  private static func divergence(
    _ masses: ArraySlice<Double>, total: Double, inside: Double, outside: Double
  ) -> Double {
    var sum = 0.0
    for level in 0..<levels {
      let bins = level * masses.count / levels..<(level + 1) * masses.count / levels
      var (mass, live) = (0.0, 0)
      for i in bins where masses[i] > 0 {
        mass += masses[i]
        live += 1
      }
      let q = live > 0 ? mass / Double(live) / inside : 0
      for i in bins {
        let isLast = i == masses.count - 1
        let p = (masses[i] + (isLast ? outside : 0)) / total
        if p > 0 { sum += p * log(p / max(masses[i] > 0 ? q : 0, 1e-10)) }
      }
    }
    return sum
  }
}
