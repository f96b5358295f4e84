/// Rates of several groups, each drawn towards the others as far as its own rows leave it open.
///
/// A group of eight rows with five hits is likelier near what other groups of its kind have than at
/// 0.63. Every group's rate is taken as drawn from one beta distribution, whose mean and spread
/// follow from all groups; a large group keeps its own rate, a small one moves to the mean.
/// Pooled rates are for looking at many small groups at once: gaps and verdicts are never formed
/// from them.
///
/// How far rates differ among groups, as a share of the most that they could, has a uniform prior:
/// with few groups, priors on how much is borrowed draw small groups in too far. For every such
/// spread the mean is integrated over on the logit scale at three points. The interval is that of the
/// mixture of beta distributions which this leaves for a group.
///
/// Source: A. Gelman, *Prior Distributions for Variance Parameters in Hierarchical Models*, Bayesian
/// Analysis 1 (2006) 515-534, section 5.2 (uniform prior on the standard deviation); A. Gelman et
/// al., *Bayesian Data Analysis*, 3rd edition 2013, section 5.3 (beta-binomial model).
enum PartialPooling {
  /// The measures that are pooled: shares whose complements say no more.
  static let measures: [Measure] = [
    .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate, .precision,
  ]

  /// One group: how many of its rows hit.
  struct Group: Sendable {
    var hits: Double
    var trials: Double
  }

  /// One beta distribution that rates may be drawn from.
  private struct Component {
    var mean: Double
    var rows: Double
    var weight: Double
  }

  /// The pooled rates of groups that have rows; nil for fewer than three.
  static func estimates(_ groups: [Group], confidence: Double) -> [Estimate]? {
    guard groups.count >= 3, groups.allSatisfy({ $0.trials > 0 }) else { return nil }
    let components = components(groups)
    let tail = (1 - confidence) / 2
    return groups.map { group in
      let mixture = BetaMixture(
        parts: components.map { component in
          let (hits, misses) = (group.hits, group.trials - group.hits)
          return BetaMixture.Part(
            a: hits + component.mean * component.rows,
            b: misses + (1 - component.mean) * component.rows, weight: component.weight)
        })
      return Estimate(
        mixture.mean, Interval(mixture.quantile(tail), mixture.quantile(1 - tail)))
    }
  }

  /// The distributions that the groups' rates may come from, with their weights.
  private static func components(_ groups: [Group]) -> [Component] {
    let steps = 20
    var components: [(component: Component, evidence: Double)] = []
    for step in 0..<steps {
      // The standard deviation of rates with mean m is spread * (m (1 - m))^(1/2).
      let spread = (Double(step) + 0.5) / Double(steps)
      let rows = 1 / (spread * spread) - 1
      func evidence(_ logit: Double) -> Double {
        likelihood(groups, mean: 1 / (1 + exponential(-logit)), rows: rows)
      }
      let best = maximum(evidence, from: -14, to: 14)
      let height = evidence(best)
      let step = 0.1
      let bend = (evidence(best - step) + evidence(best + step) - 2 * height) / (step * step)
      let error = min(2, (1 / max(-bend, 0.01)).squareRoot())
      // Gauss and Hermite's three points.
      let reach = 1.7320508075688772
      for (place, weight) in [(-reach, 1 / 6.0), (0, 2 / 3.0), (reach, 1 / 6.0)] {
        let mean = 1 / (1 + exponential(-best - place * error))
        components.append(
          (Component(mean: mean, rows: rows, weight: weight * error), height))
      }
    }
    let highest = components.map(\.evidence).max() ?? 0
    var weighted = components.map { part in
      var component = part.component
      component.weight *= exponential(part.evidence - highest)
      return component
    }
    let largest = weighted.map(\.weight).max() ?? 0
    weighted.removeAll { $0.weight < 1e-4 * largest }
    let total = weighted.reduce(0) { $0 + $1.weight }
    for i in weighted.indices { weighted[i].weight /= total }
    return weighted
  }

  /// The logarithm of the beta-binomial likelihood, but for a constant.
  private static func likelihood(_ groups: [Group], mean: Double, rows: Double) -> Double {
    let (a, b) = (mean * rows, (1 - mean) * rows)
    let whole = Beta.logGamma(rows) - Beta.logGamma(a) - Beta.logGamma(b)
    return groups.reduce(0) { sum, group in
      sum + whole + Beta.logGamma(a + group.hits) + Beta.logGamma(b + group.trials - group.hits)
        - Beta.logGamma(rows + group.trials)
    }
  }

  /// Where a function with one hill is highest, by golden sections.
  private static func maximum(
    _ value: (Double) -> Double, from: Double, to: Double
  ) -> Double {
    let ratio = 0.6180339887498949
    var (low, high) = (from, to)
    var (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
    var (atLeft, atRight) = (value(left), value(right))
    for _ in 0..<20 {
      if atLeft < atRight {
        (low, left, atLeft) = (left, right, atRight)
        right = low + ratio * (high - low)
        atRight = value(right)
      } else {
        (high, right, atRight) = (right, left, atLeft)
        left = high - ratio * (high - low)
        atLeft = value(left)
      }
    }
    return (low + high) / 2
  }
}
