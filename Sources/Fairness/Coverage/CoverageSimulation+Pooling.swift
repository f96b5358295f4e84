extension CoverageSimulation {
  /// Groups whose rates are drawn from one beta distribution with mean 0.6.
  struct Pooled: Sendable {
    var groups: Int
    /// How many rows the distribution is worth: the more, the more alike rates are.
    var rows: Double

    static let all = [(4, 20.0), (12, 20), (12, 400), (50, 20), (50, 100)].map {
      Self(groups: $0.0, rows: $0.1)
    }

    var name: String {
      "smallest of \(groups) groups of 8 to 200 rows, rates spread by "
        + "\(written((0.24 / (rows + 1)).squareRoot(), decimals: 2))"
    }

    /// The true rate of the smallest group, and all groups' counts of which it is the first.
    func draw(_ random: inout Random) -> (truth: Double, groups: [PartialPooling.Group]) {
      var (truth, drawn): (Double, [PartialPooling.Group]) = (0, [])
      for group in 0..<groups {
        let (a, b) = (random.gamma(0.6 * rows), random.gamma(0.4 * rows))
        let trials = group == 0 ? 8 : 8 + random.below(193)
        let rate = a / (a + b)
        if group == 0 { truth = rate }
        drawn.append(
          .init(hits: Double(random.binomial(trials, rate)), trials: Double(trials)))
      }
      return (truth, drawn)
    }
  }

  /// The coverage of pooled rates beside plain ones, over groups whose rates are drawn too, and how
  /// often the pooled rate is the nearer one.
  public func pooling() -> [Line] {
    Pooled.all.flatMap { setting in
      [
        share(setting.name, "Wilson", resampled) { random in
          let (truth, groups) = setting.draw(&random)
          return Interval.wilson(groups[0].hits, of: groups[0].trials).contains(truth)
        },
        coverage(setting),
        share(setting.name, "pooled is nearer than plain", resampled) { random in
          let (truth, groups) = setting.draw(&random)
          let plain = groups[0].hits / groups[0].trials
          return PartialPooling.estimates(groups, confidence: 0.95).map {
            abs($0[0].value - truth) < abs(plain - truth)
          }
        },
      ]
    }
  }

  /// The coverage of the pooled interval of the smallest group.
  func coverage(_ setting: Pooled) -> Line {
    share(setting.name, "partially pooled", resampled) { random in
      let (truth, groups) = setting.draw(&random)
      return PartialPooling.estimates(groups, confidence: 0.95).map {
        $0[0].interval.contains(truth)
      }
    }
  }
}
