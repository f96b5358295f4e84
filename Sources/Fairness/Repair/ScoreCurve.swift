/// The rows of one group by score: what thresholds and calibrations are fitted to.
struct ScoreCurve: Sendable {
  /// The weight of positives and negatives at one score.
  struct Point: Sendable {
    var score: Double
    var positives: Double
    var negatives: Double
  }

  /// Every distinct score, in descending order.
  var points: [Point]
  /// The weight of all positives.
  var positives: Double
  /// The weight of all negatives.
  var negatives: Double
  /// The weight of all rows.
  var total: Double { positives + negatives }

  /// The curve of every group of `outcomes`, in the order of its groups.
  static func curves(of outcomes: Outcomes) -> [ScoreCurve] {
    let groups = outcomes.groups.groups.count
    if let weights = outcomes.weights {
      var rows = [[(Double, Double, Bool)]](repeating: [], count: groups)
      for row in 0..<outcomes.count {
        rows[Int(outcomes.groups.codes[row])].append(
          (outcomes.scores[row], weights[row], outcomes.labels[row]))
      }
      let gathered = rows
      return onAllCores(groups) { group in
        ScoreCurve(
          gathered[group].sorted { $0.0 > $1.0 }.map {
            Point(score: $0, positives: $2 ? $1 : 0, negatives: $2 ? 0 : $1)
          })
      }
    }
    // Plain numbers sort much faster than rows: each label is sorted by itself, then merged.
    var parts = [[Double]](repeating: [], count: 2 * groups)
    for row in 0..<outcomes.count {
      parts[2 * Int(outcomes.groups.codes[row]) + (outcomes.labels[row] ? 1 : 0)]
        .append(outcomes.scores[row])
    }
    let gathered = parts
    let sorted = onAllCores(2 * groups) { gathered[$0].sorted() }
    return onAllCores(groups) {
      ScoreCurve(negatives: sorted[2 * $0], positives: sorted[2 * $0 + 1])
    }
  }

  /// Merges points of equal score.
  ///
  /// - Precondition: scores descend.
  init(_ ordered: [Point]) {
    points = []
    (positives, negatives) = (0, 0)
    for point in ordered {
      positives += point.positives
      negatives += point.negatives
      if let last = points.last, last.score == point.score {
        points[points.count - 1].positives += point.positives
        points[points.count - 1].negatives += point.negatives
      } else {
        points.append(point)
      }
    }
  }

  /// Merges two ascending lists of scores, every one counting 1.
  init(negatives low: [Double], positives high: [Double]) {
    points = []
    points.reserveCapacity(low.count + high.count)
    (positives, negatives) = (Double(high.count), Double(low.count))
    var (i, j) = (high.count, low.count)
    while i > 0 || j > 0 {
      let score = max(i > 0 ? high[i - 1] : -.infinity, j > 0 ? low[j - 1] : -.infinity)
      var point = Point(score: score, positives: 0, negatives: 0)
      while i > 0 && high[i - 1] == score {
        point.positives += 1
        i -= 1
      }
      while j > 0 && low[j - 1] == score {
        point.negatives += 1
        j -= 1
      }
      points.append(point)
    }
  }

  /// The weights of positives and negatives whose score is above `threshold`.
  ///
  /// - Complexity: O(log *n*) after ``Sums`` was made.
  struct Sums: Sendable {
    private let scores: [Double]
    private let positives: [Double]
    private let negatives: [Double]

    init(_ curve: ScoreCurve) {
      scores = curve.points.map(\.score)
      var (p, n) = (0.0, 0.0)
      var (ps, ns): ([Double], [Double]) = ([0], [0])
      for point in curve.points {
        p += point.positives
        n += point.negatives
        ps.append(p)
        ns.append(n)
      }
      (positives, negatives) = (ps, ns)
    }

    func above(_ threshold: Double) -> (positives: Double, negatives: Double) {
      var (low, high) = (0, scores.count)
      while low < high {
        let middle = (low + high) / 2
        if scores[middle] > threshold { low = middle + 1 } else { high = middle }
      }
      return (positives[low], negatives[low])
    }
  }
}
