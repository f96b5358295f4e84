import Tensors
import Testing

@testable import Compression

@Suite struct CountingTests {
  /// The definition, one value at a time.
  private func plainCounts(
    _ values: [Float], from lower: Float, to upper: Float, bins: Int
  ) -> [UInt32] {
    var counts = [UInt32](repeating: 0, count: bins)
    for x in values where x >= lower && x <= upper {
      counts[min(Int((x - lower) * Float(bins) / (upper - lower)), bins - 1)] += 1
    }
    return counts
  }

  @Test(arguments: [0, 1, 7, 255, 256, 1031, 300_000])
  func `fast counting equals plain counting`(count: Int) {
    var random = SplitMix64(seed: UInt64(count))
    var values = (0..<count).map { _ in Float(random.normal()) }
    for i in stride(from: 0, to: count, by: 3) { values[i] = 0 }
    for i in stride(from: 5, to: count, by: 97) {
      values[i] = [.nan, .infinity, -.infinity][i % 3]
    }
    for (lower, upper, bins) in [(-1, 2, 2048), (0, 3.3, 100), (-4.2, 4.2, 1)]
      as [(Float, Float, Int)]
    {
      #expect(
        binCounts(of: values, from: lower, to: upper, bins: bins)
          == plainCounts(values, from: lower, to: upper, bins: bins))
    }
  }

  @Test(arguments: [1, 8, 13, 1000])
  func `the finite range leaves out what is not finite`(count: Int) {
    var random = SplitMix64(seed: UInt64(count))
    var values = (0..<count).map { _ in Float(random.uniform(2...3)) }
    let expected = ValueRange(values.min() ?? 0, values.max() ?? 0)
    #expect(finiteRange(of: values) == expected)
    #expect(allFinite(values))
    for odd in [Float.nan, .infinity, -.infinity] {
      let place = random.below(values.count + 1)
      values.insert(odd, at: place)
      #expect(finiteRange(of: values) == expected)
      #expect(!allFinite(values))
    }
    #expect(finiteRange(of: [.nan, .infinity]) == nil)
    #expect(finiteRange(of: []) == nil)
  }

  /// The best of the hundred candidates by brute force on the values themselves.
  @Test(arguments: [16, 256], 0..<4 as Range<UInt64>)
  func `the squared error observer finds nearly the best range`(levels: Int, seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let values = (0..<4000).map { _ in
      let x = Float(random.normal())
      return seed % 2 == 0 ? x * x * x : max(0, x)
    }
    func error(_ range: ValueRange) -> Double {
      let parameters = QuantizationParameters(affine: range, grid: 0...(levels - 1))
      return values.reduce(0) {
        let rounded = parameters.dequantize(parameters.quantize($1, limits: 0...(levels - 1)))
        return $0 + Double(($1 - rounded) * ($1 - rounded))
      }
    }
    var observer = SquaredErrorObserver()
    observer.observe(values)
    let found = try #require(observer.range(levels: levels))
    let all = try #require(finiteRange(of: values))
    let best = (1...100).map {
      error(ValueRange(all.lower * Float($0) / 100, all.upper * Float($0) / 100))
    }.min()
    #expect(error(found) <= (try #require(best)) * 1.03)
  }
}
