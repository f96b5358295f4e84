extension ScoreCalibration {
  /// Fits a calibration to rows; nil when `kind` is ``Kind/none``.
  ///
  /// - Throws: ``RepairError/cannotFit(_:)`` when the rows are of one label.
  static func fitted(
    _ kind: Kind, to curve: ScoreCurve, group: String
  ) throws(RepairError) -> ScoreCalibration? {
    guard kind != .none else { return nil }
    guard curve.positives > 0, curve.negatives > 0 else {
      throw .cannotFit("group \(group) has rows of one label only: scores cannot be calibrated")
    }
    switch kind {
    case .none: return nil
    case .temperature: return temperature(curve)
    case .platt: return platt(curve)
    case .isotonic: return isotonic(curve)
    }
  }

  /// Temperature scaling: the slope of greatest likelihood, from 0.001 to 1000.
  ///
  /// Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, *On Calibration of Modern Neural Networks*,
  /// ICML 2017, section 4.2. <https://arxiv.org/abs/1706.04599>
  private static func temperature(_ curve: ScoreCurve) -> ScoreCalibration {
    let odds = curve.points.map { logit($0.score) }
    // The slope of the convex loss; its root is bracketed by halving, which cannot overshoot.
    func derivative(_ slope: Double) -> Double {
      var sum = 0.0
      for (point, x) in zip(curve.points, odds) {
        let p = sigmoid(slope * x)
        sum += x * (point.negatives * p - point.positives * (1 - p))
      }
      return sum
    }
    var (low, high) = (0.001, 1000.0)
    if derivative(low) >= 0 { return .logistic(slope: low, bias: 0) }
    if derivative(high) <= 0 { return .logistic(slope: high, bias: 0) }
    while (high - low) > 1e-13 * high {
      let middle = (low * high).squareRoot()
      guard middle > low, middle < high else { break }
      if derivative(middle) > 0 { high = middle } else { low = middle }
    }
    return .logistic(slope: (low + high) / 2, bias: 0)
  }

  /// Platt's scaling with his softened labels, by Newton's method with halved steps.
  ///
  /// Source: J. Platt, *Probabilistic Outputs for Support Vector Machines*, 1999; H.-T. Lin,
  /// C.-J. Lin, R. Weng, *A Note on Platt's Probabilistic Outputs for Support Vector Machines*,
  /// Machine Learning 68 (2007) 267-276.
  private static func platt(_ curve: ScoreCurve) -> ScoreCalibration {
    let odds = curve.points.map { logit($0.score) }
    let high = (curve.positives + 1) / (curve.positives + 2)
    let low = 1 / (curve.negatives + 2)
    // A point's rows count as `soft` positives and the rest as negatives.
    let soft = curve.points.map { high * $0.positives + low * $0.negatives }
    func loss(_ a: Double, _ b: Double) -> Double {
      var sum = 0.0
      for i in odds.indices {
        let z = a * odds[i] + b
        let all = curve.points[i].positives + curve.points[i].negatives
        // ln(1 + e^z) without overflow.
        let soften = max(z, 0) + logarithmOnePlus(exponential(-abs(z)))
        sum += all * soften - soft[i] * z
      }
      return sum
    }
    var (a, b) = (1.0, 0.0)
    var value = loss(a, b)
    for _ in 0..<100 {
      var (ga, gb, haa, hab, hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12)
      for i in odds.indices {
        let all = curve.points[i].positives + curve.points[i].negatives
        let p = sigmoid(a * odds[i] + b)
        let (g, h) = (all * p - soft[i], all * p * (1 - p))
        ga += g * odds[i]
        gb += g
        haa += h * odds[i] * odds[i]
        hab += h * odds[i]
        hbb += h
      }
      let determinant = haa * hbb - hab * hab
      guard determinant > 0 else { break }
      let (da, db) = (
        -(hbb * ga - hab * gb) / determinant, -(haa * gb - hab * ga) / determinant
      )
      var step = 1.0
      while step > 1e-10 {
        let (na, nb) = (a + step * da, b + step * db)
        let next = loss(na, nb)
        if next < value + 1e-4 * step * (ga * da + gb * db) {
          (a, b, value) = (na, nb, next)
          break
        }
        step /= 2
      }
      if step <= 1e-10 || abs(da) + abs(db) < 1e-12 * (abs(a) + abs(b) + 1) { break }
    }
    // Scores that rank the wrong way round have nothing to keep: all become the base rate.
    return .logistic(slope: max(a, 1e-6), bias: b)
  }

  /// Isotonic regression by pooling adjacent violators; a line joins the ends of its levels.
  ///
  /// Source: R. Barlow, D. Bartholomew, J. Bremner, H. Brunk, *Statistical Inference under Order
  /// Restrictions*, Wiley 1972, section 1.2.
  private static func isotonic(_ curve: ScoreCurve) -> ScoreCalibration {
    var levels: [(first: Double, last: Double, positives: Double, all: Double)] = []
    for point in curve.points.reversed() {
      let all = point.positives + point.negatives
      guard all > 0 else { continue }
      levels.append((point.score, point.score, point.positives, all))
      while levels.count > 1 {
        let (above, below) = (levels[levels.count - 1], levels[levels.count - 2])
        guard below.positives * above.all >= above.positives * below.all else { break }
        levels.removeLast(2)
        levels.append(
          (below.first, above.last, below.positives + above.positives, below.all + above.all))
      }
    }
    var (scores, values): ([Double], [Double]) = ([], [])
    for level in levels {
      let value = level.positives / level.all
      scores.append(level.first)
      values.append(value)
      if level.last > level.first {
        scores.append(level.last)
        values.append(value)
      }
    }
    return .isotonic(scores: scores, values: values)
  }
}
