extension CoverageSimulation {
  /// The coverage of intervals of the calibration error, for scores that are calibrated or not.
  public func calibration() -> [Line] {
    let shapes: [(name: String, truth: @Sendable (Double) -> Double)] = [
      ("calibrated", { $0 }), ("scores 0.05 too high", { max(0, $0 - 0.05) }),
      ("scores too extreme", { 0.1 + 0.8 * $0 }), ("scores far too high", { $0 * $0 }),
    ]
    return [300, 2000, 20000].flatMap { rows in
      shapes.map { shape in
        let truth = Self.calibrationError(shape.truth)
        return share(
          "calibration error of \(rows) rows, \(shape.name)", "inverted bootstrap tests",
          resampled
        ) { random in
          var parts = (positives: [Double](), negatives: [Double]())
          for _ in 0..<rows {
            let score = random.uniform()
            if random.uniform() < shape.truth(score) {
              parts.positives.append(score)
            } else {
              parts.negatives.append(score)
            }
          }
          return RankedScores(
            positives: parts.positives.sorted(), negatives: parts.negatives.sorted()
          ).calibrationError(confidence: 0.95).interval?.contains(truth)
        }
      }
    }
  }

  /// The error over ten bins of evenly spread scores, by fine sums.
  private static func calibrationError(_ truth: (Double) -> Double) -> Double {
    let fine = 20_000
    return (0..<10).reduce(0.0) { sum, bin in
      let distance = (0..<fine / 10).reduce(0.0) { sum, i in
        let score = (Double(bin * fine / 10 + i) + 0.5) / Double(fine)
        return sum + truth(score) - score
      }
      return sum + abs(distance) / Double(fine)
    }
  }
}
