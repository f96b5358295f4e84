import Fairness

/// How decisions changed in every group and label: what limits are judged by while searching.
struct FlipCounts {
  /// For group `g` and label `y`, at `g * 2 + y`: rows, decisions gained, decisions lost, and
  /// positive decisions in the end.
  var cells: [(rows: Double, gained: Double, lost: Double, selected: Double)]

  /// As many flips among `factor` times as many rows.
  func times(_ factor: Double) -> FlipCounts {
    FlipCounts(
      cells: cells.map {
        ($0.rows * factor, $0.gained * factor, $0.lost * factor, $0.selected * factor)
      })
  }

  /// The change of a rate whose flips are the given ones, and its variance.
  private func change(_ rows: Double, up: Double, down: Double) -> SIMD2<Double> {
    guard rows > 0 else { return SIMD2(0, 1) }
    let value = (up - down) / rows
    // One flip more than was seen, so that no flips are not taken for certainty.
    return SIMD2(value, ((up + down + 1) / rows - value * value) / rows)
  }

  /// The change of a measure in one group.
  private func change(_ kind: GapKind, _ group: Int) -> SIMD2<Double> {
    let (negative, positive) = (cells[2 * group], cells[2 * group + 1])
    switch kind {
    case .equalOpportunity:
      return change(positive.rows, up: positive.gained, down: positive.lost)
    case .fprDifference:
      return change(negative.rows, up: negative.gained, down: negative.lost)
    case .demographicParity:
      return change(
        negative.rows + positive.rows, up: negative.gained + positive.gained,
        down: negative.lost + positive.lost)
    default:
      return change(
        negative.rows + positive.rows, up: positive.gained + negative.lost,
        down: positive.lost + negative.gained)
    }
  }

  /// A rate of one group in the end, and its variance.
  private func rate(_ kind: GapKind, _ group: Int) -> SIMD2<Double> {
    let (negative, positive) = (cells[2 * group], cells[2 * group + 1])
    let (rows, hits) =
      switch kind {
      case .equalOpportunity: (positive.rows, positive.selected)
      case .fprDifference: (negative.rows, negative.selected)
      case .demographicParity:
        (negative.rows + positive.rows, negative.selected + positive.selected)
      default:
        (
          negative.rows + positive.rows, positive.selected + negative.rows - negative.selected
        )
      }
    guard rows > 0 else { return SIMD2(0, 1) }
    // One of each more than was seen, so that a rate of 0 or 1 is not taken for certainty.
    let smooth = (hits + 1) / (rows + 2)
    return SIMD2(hits / rows, smooth * (1 - smooth) / rows)
  }

  /// How much of what the limits allow the upper bounds use up: at most 1 where all are kept.
  func use(of limits: CompressionLimits, quantile: Double) -> Double {
    var worst = 0.0
    let groups = cells.count / 2
    func widest(_ changes: [SIMD2<Double>]) -> Double {
      var largest = 0.0
      for a in 0..<groups {
        for b in a + 1..<max(groups, a + 1) {
          let bound =
            abs(changes[a][0] - changes[b][0])
            + quantile * (changes[a][1] + changes[b][1]).squareRoot()
          largest = max(largest, bound)
        }
      }
      return largest
    }
    func parts(_ kind: GapKind) -> [GapKind] {
      kind == .equalizedOdds ? [.equalOpportunity, .fprDifference] : [kind]
    }
    for (kind, limit) in limits.maxDrift {
      for part in parts(kind) {
        worst = max(worst, widest((0..<groups).map { change(part, $0) }) / max(limit, 1e-9))
      }
    }
    for (kind, limit) in limits.maxGap ?? [:] {
      for part in parts(kind) {
        worst = max(worst, widest((0..<groups).map { rate(part, $0) }) / max(limit, 1e-9))
      }
    }
    if let limit = limits.maxAccuracyDrop {
      var (rows, up, down) = (0.0, 0.0, 0.0)
      for group in 0..<groups {
        let (negative, positive) = (cells[2 * group], cells[2 * group + 1])
        rows += negative.rows + positive.rows
        up += positive.gained + negative.lost
        down += positive.lost + negative.gained
      }
      let all = change(rows, up: up, down: down)
      worst = max(worst, (quantile * all[1].squareRoot() - all[0]) / max(limit, 1e-9))
    }
    if let limit = limits.maxGroupDrop {
      for group in 0..<groups {
        let one = change(.accuracy, group)
        worst = max(worst, (quantile * one[1].squareRoot() - one[0]) / max(limit, 1e-9))
      }
    }
    return worst
  }
}
