/// What the thresholds of one group reach: the upper convex hull of the objective over a rate.
struct TradeOff: Sendable {
  /// A threshold and what it gives; a score above it is called positive.
  struct Corner: Sendable {
    var x: Double
    var y: Double
    var threshold: Double
  }

  /// The hull's corners, with `x` ascending from 0 to 1.
  var corners: [Corner]

  /// Tries every threshold between two scores of the group, and none and all.
  init(_ curve: ScoreCurve, _ options: GroupThresholdsOptions) {
    var points: [Corner] = []
    points.reserveCapacity(curve.points.count + 1)
    var (tp, fp) = (0.0, 0.0)
    func add(_ threshold: Double) {
      let (fn, tn) = (curve.positives - tp, curve.negatives - fp)
      let x: Double =
        switch options.parity {
        case .selectionRate: (tp + fp) / curve.total
        case .truePositiveRate: tp / curve.positives
        case .falsePositiveRate, .equalizedOdds: fp / curve.negatives
        case .trueNegativeRate: tn / curve.negatives
        case .falseNegativeRate: fn / curve.positives
        }
      let y: Double =
        if options.parity == .equalizedOdds {
          tp / curve.positives
        } else {
          switch options.objective {
          case .accuracy: (tp + tn) / curve.total
          case .balancedAccuracy: 0.5 * tp / curve.positives + 0.5 * tn / curve.negatives
          case .selectionRate: (tp + fp) / curve.total
          case .truePositiveRate: tp / curve.positives
          case .trueNegativeRate: tn / curve.negatives
          }
        }
      points.append(Corner(x: x, y: y, threshold: threshold))
    }
    add(.infinity)
    for (position, point) in curve.points.enumerated() {
      tp += point.positives
      fp += point.negatives
      let next = position + 1 < curve.points.count ? curve.points[position + 1].score : -.infinity
      add((point.score + next) / 2)
    }
    // Falling thresholds make `x` rise, except for the rates of negative decisions.
    let isReversed = [.trueNegativeRate, .falseNegativeRate].contains(options.parity)
    if isReversed { points.reverse() }
    corners = []
    var next = 0
    while next < points.count {
      // Of points above each other the highest. Equal ones differ in their threshold only: the
      // highest threshold stands for the curve's beginning, the lowest for all other places.
      var point = points[next]
      let prefersLater = corners.isEmpty == isReversed
      next += 1
      while next < points.count && points[next].x == point.x {
        let other = points[next]
        if other.y > point.y || (other.y == point.y && prefersLater) { point = other }
        next += 1
      }
      while corners.count > 1 {
        let (a, b) = (corners[corners.count - 2], corners[corners.count - 1])
        guard (b.y - a.y) * (point.x - a.x) <= (point.y - a.y) * (b.x - a.x) else { break }
        corners.removeLast()
      }
      corners.append(point)
    }
  }

  /// The corner at or before `x` from which the curve goes on to `x`.
  ///
  /// At a corner itself, except the first, it is the one before it.
  private func place(of x: Double, isFirst: Bool) -> Int {
    var (low, high) = (0, corners.count)
    while low < high {
      let middle = (low + high) / 2
      if corners[middle].x <= x { low = middle + 1 } else { high = middle }
    }
    var place = low - 1
    if !isFirst && place > 0 && corners[place].x == x { place -= 1 }
    return min(max(0, place), corners.count - 2)
  }

  /// The share of the left corner of the piece that `x` is on, and that corner's position.
  private func share(at x: Double, isFirst: Bool) -> (left: Double, place: Int) {
    guard corners.count > 1 else { return (1, 0) }
    let place = place(of: x, isFirst: isFirst)
    let (a, b) = (corners[place], corners[place + 1])
    return ((b.x - x) / (b.x - a.x), place)
  }

  /// The curve's height at every place of an ascending grid.
  func values(on grid: [Double]) -> [Double] {
    grid.indices.map { i in
      let (left, place) = share(at: grid[i], isFirst: i == 0)
      guard corners.count > 1 else { return corners[0].y }
      return left * corners[place].y + (1 - left) * corners[place + 1].y
    }
  }

  /// The lot between two thresholds that gives `x` on the curve.
  func choice(at x: Double, isFirst: Bool) -> ThresholdChoice {
    let (left, place) = share(at: x, isFirst: isFirst)
    let next = min(place + 1, corners.count - 1)
    return ThresholdChoice(
      first: (left, corners[place].threshold), second: (1 - left, corners[next].threshold))
  }
}
