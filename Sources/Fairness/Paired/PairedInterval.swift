/// How a share of the same rows changed: `(gained - lost) / rows`.
public struct PairedChange: Hashable, Sendable {
  /// Rows that counted before and do not after.
  public var lost: Double
  /// Rows that did not count before and do after.
  public var gained: Double
  /// All rows of the cell.
  public var rows: Double

  /// A change of a share of `rows` rows.
  ///
  /// - Precondition: flips are not negative and no more than rows, of which there are some.
  public init(lost: Double, gained: Double, rows: Double) {
    precondition(
      lost >= 0 && gained >= 0 && rows > 0 && lost + gained <= rows * (1 + 1e-12),
      "\(lost) lost and \(gained) gained of \(rows) rows")
    self.lost = lost
    self.gained = gained
    self.rows = rows
  }

  /// The change of the share.
  public var value: Double { (gained - lost) / rows }

  /// The change with Tango's interval; without a flip with the exact one.
  public func estimate(confidence: Double = 0.95) -> Estimate {
    guard lost + gained == 0 else { return Estimate(value, tango(confidence: confidence)) }
    let most = Self.mostWithoutFlips(rows, confidence: confidence)
    return Estimate(0, Interval(-most, most))
  }

  /// The largest share of flips of which `rows` rows would still show none with more than the
  /// probability of one tail: `1 - tail^(1/rows)`, by the rule of three about `3 / rows` for a tail
  /// of 5 % and `3.7 / rows` for one of 2.5 %.
  ///
  /// A share cannot have changed by more than it flipped.
  ///
  /// Source: C. Clopper, E. Pearson, *The Use of Confidence or Fiducial Limits Illustrated in the
  /// Case of the Binomial*, Biometrika 26 (1934) 404-413, for no success.
  static func mostWithoutFlips(_ rows: Double, confidence: Double) -> Double {
    1 - exponential(logarithm((1 - confidence) / 2) / rows)
  }

  /// Tango's score interval: the changes that a score test would not reject.
  ///
  /// Without a flip it reaches `z² / (rows + z²)` to each side, near the rule of three.
  ///
  /// Source: T. Tango, *Equivalence Test and Confidence Interval for the Difference in Proportions
  /// for the Paired-sample Design*, Statistics in Medicine 17 (1998) 891-908, equations 11 and 17.
  public func tango(confidence: Double = 0.95) -> Interval {
    let z = Normal.reach(confidence)
    /// The score statistic for a true change `d`; falls as `d` grows.
    func score(_ d: Double) -> Double {
      let a = 2 * rows
      let b = -gained - lost + (2 * rows - gained + lost) * d
      let c = -lost * d * (1 - d)
      let lostShare = ((max(0, b * b - 4 * a * c)).squareRoot() - b) / (2 * a)
      let variance = rows * (2 * lostShare + d * (1 - d))
      let distance = gained - lost - rows * d
      if variance <= 0 { return distance == 0 ? 0 : distance > 0 ? .infinity : -.infinity }
      return distance / variance.squareRoot()
    }
    /// Where the score falls to `target`, between two changes.
    func crossing(_ target: Double, _ from: Double, _ to: Double) -> Double {
      var (low, high) = (from, to)
      for _ in 0..<80 {
        let middle = (low + high) / 2
        if middle == low || middle == high { break }
        if score(middle) > target { low = middle } else { high = middle }
      }
      return (low + high) / 2
    }
    return Interval(crossing(z, -1, value), crossing(-z, value, 1))
  }

  /// Newcombe's paired interval (his method 10) for shares `before` and `before + value`.
  ///
  /// - Parameters:
  ///   - before: Rows that counted before, of them `lost` no longer do.
  ///   - confidence: The confidence of the interval.
  /// - Returns: The interval of the change.
  ///
  /// Source: R. G. Newcombe, *Improved Confidence Intervals for the Difference between Binomial
  /// Proportions Based on Paired Data*, Statistics in Medicine 17 (1998) 2635-2650, method 10.
  public func newcombe(before: Double, confidence: Double = 0.95) -> Interval {
    let both = before - lost
    let neither = rows - both - lost - gained
    let after = both + gained
    let first = Interval.wilson(after, of: rows, confidence: confidence)
    let second = Interval.wilson(before, of: rows, confidence: confidence)
    let margins = after * (rows - after) * before * (rows - before)
    var correlation = 0.0
    if margins > 0 {
      let cross = both * neither - lost * gained
      // Continuity-corrected towards 0 when positive.
      let corrected = cross > 0 ? max(0, cross - rows / 2) : cross
      correlation = corrected / margins.squareRoot()
    }
    func width(_ x: Double, _ y: Double) -> Double {
      max(0, x * x - 2 * correlation * x * y + y * y).squareRoot()
    }
    let (p1, p2) = (after / rows, before / rows)
    return Interval(
      value - width(p1 - first.low, second.high - p2),
      value + width(first.high - p1, p2 - second.low))
  }
}
