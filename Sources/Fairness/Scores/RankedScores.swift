/// The scores of one group in order, by label: what ranking and calibration are read from.
struct RankedScores: Sendable {
  /// The scores of the positives, ascending.
  var positives: [Double]
  /// The scores of the negatives, ascending.
  var negatives: [Double]

  /// The area under the ROC curve with DeLong's interval on the logit scale.
  ///
  /// At an area of 0 or 1 DeLong's variance is 0; the interval is then the one that Wilson's gives
  /// for the smaller of the two labels, all of whose rows were ranked right.
  ///
  /// Source: E. DeLong, D. DeLong, D. Clarke-Pearson, *Comparing the Areas under Two or More
  /// Correlated ROC Curves*, Biometrics 44 (1988) 837-845.
  func auc(confidence: Double) -> Rate {
    guard !positives.isEmpty, !negatives.isEmpty else {
      return Rate(undefined: Measure.auc.emptyReason)
    }
    let parts = Placements(positives: positives, negatives: negatives)
    let area = parts.area
    let pairs = Double(positives.count) * Double(negatives.count)
    let interval: Interval
    if area <= 0 || area >= 1 {
      let least = Double(min(positives.count, negatives.count))
      interval = .wilson(area * least, of: least, confidence: confidence)
    } else {
      let error = parts.variance.squareRoot() / (area * (1 - area))
      let half = Normal.reach(confidence) * error
      let odds = area / (1 - area)
      func back(_ x: Double) -> Double { 1 / (1 + exponential(-x)) }
      interval = Interval(back(logarithm(odds) - half), back(logarithm(odds) + half))
    }
    return Rate(area, interval: interval, numerator: area * pairs, denominator: pairs)
  }

  /// The expected calibration error over `bins` of equally many rows.
  ///
  /// Rows in order of score are cut at every `n/bins`-th; rows of equal score stay in one bin. The
  /// error is the mean over rows of the distance, in the row's bin, of mean score and share of
  /// positives. That of a well calibrated score is above 0, and ``Rate/expectedIfCalibrated`` says by
  /// how much; the interval is that of the true error.
  ///
  /// - Parameters:
  ///   - bins: The number of bins.
  ///   - confidence: The confidence of the interval; nil gives none.
  /// - Returns: The error.
  ///
  /// Source: K. Nguyen, B. O'Connor, *Posterior Calibration and Exploratory Analysis for Natural
  /// Language Processing Models*, EMNLP 2015, section 2 (adaptive bins).
  func calibrationError(bins: Int = 10, confidence: Double? = nil) -> Rate {
    let n = positives.count + negatives.count
    var (i, j) = (0, 0)
    var parts = CalibrationBins()
    var bin = 1
    while i < positives.count || j < negatives.count {
      let score = min(
        i < positives.count ? positives[i] : .infinity,
        j < negatives.count ? negatives[j] : .infinity)
      while i < positives.count && positives[i] == score {
        parts.add(rows: 1, hits: 1, sum: score)
        i += 1
      }
      while j < negatives.count && negatives[j] == score {
        parts.add(rows: 1, hits: 0, sum: score)
        j += 1
      }
      if (i + j) * bins >= bin * n {
        parts.close()
        while (i + j) * bins >= bin * n { bin += 1 }
      }
    }
    parts.close()
    return parts.rate(confidence: confidence)
  }
}

/// For every row the share of rows of the other label that it is ranked right against.
struct Placements {
  /// Of the positives, in the order given.
  var positives: [Double]
  /// Of the negatives, in the order given.
  var negatives: [Double]

  /// The placements of ascending scores.
  init(positives high: [Double], negatives low: [Double]) {
    let (m, n) = (Double(high.count), Double(low.count))
    positives = .init(repeating: 0, count: high.count)
    negatives = .init(repeating: 0, count: low.count)
    var (below, upTo) = (0, 0)
    for (i, score) in high.enumerated() {
      while below < low.count && low[below] < score { below += 1 }
      upTo = max(upTo, below)
      while upTo < low.count && low[upTo] == score { upTo += 1 }
      positives[i] = (Double(below) + Double(upTo - below) / 2) / n
    }
    (below, upTo) = (0, 0)
    for (j, score) in low.enumerated() {
      while below < high.count && high[below] < score { below += 1 }
      upTo = max(upTo, below)
      while upTo < high.count && high[upTo] == score { upTo += 1 }
      negatives[j] = (m - Double(below) - Double(upTo - below) / 2) / m
    }
  }

  /// The area under the ROC curve.
  var area: Double { positives.reduce(0, +) / Double(positives.count) }

  /// DeLong's variance of the area.
  var variance: Double { Self.covariance(self, self) }

  /// DeLong's covariance of the areas of two models over the same rows in the same order.
  static func covariance(_ a: Placements, _ b: Placements) -> Double {
    func part(_ x: [Double], _ y: [Double]) -> Double {
      guard x.count > 1 else { return 0 }
      let (mx, my) = (x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count))
      var sum = 0.0
      for i in x.indices { sum += (x[i] - mx) * (y[i] - my) }
      return sum / Double(x.count - 1) / Double(x.count)
    }
    return part(a.positives, b.positives) + part(a.negatives, b.negatives)
  }
}
