extension CoverageSimulation {
  /// Scores of two models whose ranks are known: with normal `z` of mean `distance` for positives and
  /// minus that for negatives, and the same people's `z` correlated between the models.
  private struct Scored: Sendable {
    var rows: [Int]
    var before: [Double]
    var after: [Double]
    var correlation = 0.95

    var name: String {
      func areas(_ distances: [Double]) -> String {
        distances.map { written(Self.value(.auc, $0), decimals: 2) }.joined(separator: ", ")
      }
      return "\(rows.map(String.init).joined(separator: " and ")) rows, AUC of \(areas(before)) "
        + "to \(areas(after))"
    }

    /// The truth for a group; scores are the normal distribution's share below `z`.
    static func value(_ measure: Measure, _ distance: Double) -> Double {
      switch measure {
      case .auc: Normal.cumulative(distance * 2.0.squareRoot())
      default: Normal.cumulative(-distance / 2.0.squareRoot())
      }
    }

    func truth(_ kind: GapKind) -> (before: Double, after: Double) {
      let table = GapTable(groups: rows.count)
      let sides = [before, after].map { distances in
        table.value(
          kind, kind.measures.map { measure in distances.map { Self.value(measure, $0) } })
      }
      return (sides[0], sides[1])
    }

    func draw(_ random: inout Random) -> ScoreDrifts {
      var (first, second): ([Double], [Double]) = ([], [])
      var (labels, codes): ([Bool], [Int32]) = ([], [])
      let rest = (1 - correlation * correlation).squareRoot()
      for group in rows.indices {
        for row in 0..<rows[group] {
          let sign: Double = row % 2 == 0 ? 1 : -1
          let z = random.normal()
          let other = correlation * z + rest * random.normal()
          first.append(Normal.cumulative(sign * before[group] + z))
          second.append(Normal.cumulative(sign * after[group] + other))
          labels.append(row % 2 == 0)
          codes.append(Int32(group))
        }
      }
      let groups = Attribute("g", groups: rows.indices.map { "g\($0)" }, codes: codes)
      return ScoreDrifts(
        Outcomes(scores: first, labels: labels, groups: groups),
        Outcomes(scores: second, labels: labels, groups: groups), reference: nil,
        options: ComparisonOptions())
    }
  }

  private static let scored = [
    Scored(rows: [2000, 500], before: [1, 0.8], after: [1, 0.75]),
    Scored(rows: [200, 60], before: [1, 0.8], after: [1, 0.75]),
    Scored(rows: [2000, 500], before: [0.8, 0.8], after: [0.8, 0.8]),
    Scored(rows: [1000, 300, 300, 100], before: [1, 0.7, 0.7, 0.8], after: [1, 0.65, 0.7, 0.75]),
    Scored(
      rows: [1000, 300, 300, 100], before: [0.8, 0.8, 0.8, 0.8], after: [0.8, 0.8, 0.8, 0.8]),
    Scored(rows: [1000, 300, 300, 100], before: [1, 0.7, 0.8, 0.8], after: [1, 1, 1, 1]),
  ]

  /// The coverage of the drift of gaps of scores, also of the widest among four groups.
  public func scoreDrifts() -> [Line] {
    Self.scored.flatMap { setting in
      [GapKind.auc, .generalizedEqualizedOdds].map { kind in
        let truth = setting.truth(kind)
        return share(
          "drift of \(kind.title), \(setting.name)", "normal and MOVER by cases", resampled
        ) { random in
          setting.draw(&random).drift(kind).interval?.contains(truth.after - truth.before)
        }
      }
    }
  }
}
