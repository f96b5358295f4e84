/// The scores of one group counted in bins of equal width over [0, 1].
struct BinnedScores: Sendable {
  /// The number of positives in every bin.
  var positives: [Double]
  /// The number of negatives in every bin.
  var negatives: [Double]

  mutating func merge(_ other: BinnedScores) {
    for bin in positives.indices {
      positives[bin] += other.positives[bin]
      negatives[bin] += other.negatives[bin]
    }
  }

  /// The area under the ROC curve, scores of one bin counting as ties, with DeLong's interval.
  func auc(confidence: Double) -> Rate {
    let (m, n) = (positives.reduce(0, +), negatives.reduce(0, +))
    guard m > 0, n > 0 else { return Rate(undefined: Measure.auc.emptyReason) }
    var (below, above, area) = (0.0, 0.0, 0.0)
    var (ofPositives, ofNegatives) = (0.0, 0.0)
    for bin in positives.indices {
      let placement = (below + negatives[bin] / 2) / n
      area += positives[bin] * placement / m
      ofPositives += positives[bin] * placement * placement / m
      let other = (m - above - positives[bin] / 2) / m
      ofNegatives += negatives[bin] * other * other / n
      below += negatives[bin]
      above += positives[bin]
    }
    let interval: Interval
    if area <= 0 || area >= 1 || m < 2 || n < 2 {
      interval = .wilson(area * min(m, n), of: min(m, n), confidence: confidence)
    } else {
      let variance =
        max(0, ofPositives - area * area) / (m - 1) + max(0, ofNegatives - area * area) / (n - 1)
      let half = Normal.reach(confidence) * variance.squareRoot() / (area * (1 - area))
      let logit = logarithm(area / (1 - area))
      func back(_ x: Double) -> Double { 1 / (1 + exponential(-x)) }
      interval = Interval(back(logit - half), back(logit + half))
    }
    return Rate(area, interval: interval, numerator: area * m * n, denominator: m * n)
  }

  /// The calibration error over ten bins of equally many rows, every score at its bin's middle.
  func calibrationError(bins: Int = 10, confidence: Double? = nil) -> Rate {
    let n = (positives + negatives).reduce(0, +)
    guard n > 0 else { return Rate(undefined: Measure.calibrationError.emptyReason) }
    var parts = CalibrationBins()
    var seen = 0.0
    var cut = 1.0
    for bin in positives.indices {
      let here = positives[bin] + negatives[bin]
      let middle = (Double(bin) + 0.5) / Double(positives.count)
      parts.add(rows: here, hits: positives[bin], sum: here * middle)
      seen += here
      if seen * Double(bins) >= cut * n {
        parts.close()
        while seen * Double(bins) >= cut * n && cut <= Double(bins) { cut += 1 }
      }
    }
    parts.close()
    return parts.rate(confidence: confidence)
  }
}
