extension Random {
  /// The number of successes in `n` trials of probability `p`.
  ///
  /// Counts up the distribution when few successes are expected, otherwise transformed rejection
  /// (algorithm BTRS): the cost does not grow with `n`.
  ///
  /// Source: W. Hörmann, *The Generation of Binomial Random Variates*, Journal of Statistical
  /// Computation and Simulation 46 (1993) 101-110.
  mutating func binomial(_ n: Int, _ p: Double) -> Int {
    if n <= 0 || p <= 0 { return 0 }
    if p >= 1 { return n }
    if p > 0.5 { return n - binomial(n, 1 - p) }
    let trials = Double(n)
    if trials * p < 10 {
      let odds = p / (1 - p)
      var probability = exponential(trials * logarithmOnePlus(-p))
      var left = uniform()
      var k = 0
      while left > probability && k < n {
        left -= probability
        k += 1
        probability *= odds * (trials - Double(k) + 1) / Double(k)
      }
      return k
    }
    let spread = (trials * p * (1 - p)).squareRoot()
    let b = 1.15 + 2.53 * spread
    let a = -0.0873 + 0.0248 * b + 0.01 * p
    let centre = trials * p + 0.5
    let accept = 0.92 - 4.2 / b
    let mode = ((trials + 1) * p).rounded(.down)
    while true {
      let u = uniform() - 0.5
      let v = uniform()
      let edge = 0.5 - abs(u)
      let k = ((2 * a / edge + b) * u + centre).rounded(.down)
      if edge >= 0.07 && v <= accept { return Int(k) }
      if k < 0 || k > trials { continue }
      let alpha = (2.83 + 5.1 / b) * spread
      let height = logarithm(v * alpha / (a / (edge * edge) + b))
      let ratio = p / (1 - p)
      let bound =
        (mode + 0.5) * logarithm((mode + 1) / (ratio * (trials - mode + 1)))
        + (trials + 1) * logarithm((trials - mode + 1) / (trials - k + 1))
        + (k + 0.5) * logarithm(ratio * (trials - k + 1) / (k + 1))
        + Beta.stirlingError(mode + 1) + Beta.stirlingError(trials - mode + 1)
        - Beta.stirlingError(k + 1) - Beta.stirlingError(trials - k + 1)
      if height <= bound { return Int(k) }
    }
  }

  /// How `n` draws fall into cells, in proportion to `weights`.
  mutating func multinomial(_ n: Int, _ weights: [Double]) -> [Int] {
    var left = n
    var rest = weights.reduce(0, +)
    return weights.map { weight in
      let drawn = rest > 0 ? binomial(left, min(1, weight / rest)) : 0
      left -= drawn
      rest -= weight
      return drawn
    }
  }

  /// A number from the gamma distribution of `shape`, scale 1.
  ///
  /// Source: G. Marsaglia, W. W. Tsang, *A Simple Method for Generating Gamma Variables*, ACM TOMS
  /// 26 (2000) 363-372.
  mutating func gamma(_ shape: Double) -> Double {
    if shape <= 0 { return 0 }
    if shape < 1 {
      let u = 1 - uniform()
      return gamma(shape + 1) * exponential(logarithm(u) / shape)
    }
    let d = shape - 1 / 3.0
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal()
      let t = 1 + c * x
      guard t > 0 else { continue }
      let v = t * t * t
      let u = 1 - uniform()
      if logarithm(u) < 0.5 * x * x + d - d * v + d * logarithm(v) { return d * v }
    }
  }

  /// A Poisson number.
  ///
  /// Small means by counting up. A large mean is split: the number of arrivals up to a gamma
  /// distributed time is known, and before or after it are fewer (Ahrens and Dieter 1974).
  mutating func poisson(_ mean: Double) -> Int {
    var mean = mean
    var sum = 0
    while mean > 16 {
      let steps = (mean * 0.875).rounded(.down)
      let time = gamma(steps)
      if time > mean { return sum + binomial(Int(steps) - 1, mean / time) }
      sum += Int(steps)
      mean -= time
    }
    if mean <= 0 { return sum }
    var left = uniform()
    var probability = exponential(-mean)
    var k = 0
    while left >= probability && k < 200 {
      left -= probability
      k += 1
      probability *= mean / Double(k)
    }
    return sum + k
  }
}
