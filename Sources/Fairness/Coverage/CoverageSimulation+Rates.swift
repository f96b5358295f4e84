extension CoverageSimulation {
  /// The coverage of 95 % intervals of one rate.
  public func rates() -> [Line] {
    let settings: [(Int, Double)] = [
      (12, 0.58), (30, 0.1), (30, 0.9), (100, 0.02), (1914, 0.65), (7984, 0.86), (7984, 0.001),
    ]
    return settings.flatMap { n, p in
      ["Wilson", "Jeffreys"].map { method in
        share("rate \(p) of \(n)", method, simulations) { random in
          let k = Double(random.binomial(n, p))
          let interval =
            method == "Wilson"
            ? Interval.wilson(k, of: Double(n)) : Interval.jeffreys(k, of: Double(n))
          return interval.contains(p)
        }
      }
    }
  }

  /// The coverage of 95 % intervals of a gap between two groups, and of the widest among four.
  public func gaps() -> [Line] { pairs() + widest() }

  private func pairs() -> [Line] {
    let settings: [(Int, Double, Int, Double)] = [
      (12, 0.58, 40, 0.8), (30, 0.1, 300, 0.1), (100, 0.02, 100, 0.05), (1914, 0.65, 7984, 0.86),
      (500, 0.999, 500, 0.99),
    ]
    return settings.map { m, p, n, q in
      share("gap of \(p) in \(m) and \(q) in \(n)", "Newcombe", simulations) { random in
        let estimates = [(m, p), (n, q)].map { size, rate in
          let k = Double(random.binomial(size, rate))
          return Estimate(k / Double(size), .wilson(k, of: Double(size)))
        }
        return Estimate.difference(from: estimates[0], to: estimates[1]).interval
          .contains(q - p)
      }
    }
  }

  /// The size of the widest gap among four groups, also where all are alike.
  private func widest() -> [Line] {
    let rows = [1000, 300, 300, 100]
    let settings = [
      [0.8, 0.8, 0.8, 0.8], [0.8, 0.6, 0.6, 0.8], [0.9, 0.8, 0.7, 0.6], [0.99, 0.98, 0.99, 0.97],
    ]
    return settings.flatMap { shares in
      [GapKind.equalOpportunity, .predictiveParity].map { kind in
        let truth = (shares.max() ?? 0) - (shares.min() ?? 0)
        let cells = zip(shares, rows).map { "\($0) of \($1)" }.joined(separator: ", ")
        return share("widest gap of \(kind.title), \(cells)", "Newcombe, Bonferroni", simulations) {
          random in
          let counts = zip(shares, rows).map { share, rows -> Counts in
            // The shares are TPRs, or precisions of as many positive calls.
            let hits = random.binomial(rows, share)
            return kind == .equalOpportunity
              ? Counts(
                truePositives: hits, falsePositives: 0, falseNegatives: rows - hits,
                trueNegatives: rows)
              : Counts(
                truePositives: hits, falsePositives: rows - hits, falseNegatives: rows / 2,
                trueNegatives: rows)
          }
          let maker = GapMaker(names: rows.indices.map { "g\($0)" }, confidence: 0.95) {
            counts[$0].rate($1, confidence: $2)
          }
          return maker.gap(kind).absoluteInterval?.contains(truth)
        }
      }
    }
  }
}
