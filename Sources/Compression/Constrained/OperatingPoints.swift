extension AllocationSearch {
  /// About the shift that makes `positives` of the margins positive, by counting in narrow bins.
  static func shift(_ margins: [Float], positives: Int) -> Float {
    let bins = 2048
    let reach: Float = 8
    var counts = [Int32](repeating: 0, count: bins + 2)
    for margin in margins {
      let place = (min(max(margin, -reach), reach) + reach) * (Float(bins) / (2 * reach))
      counts[Int(place) + 1] &+= 1
    }
    var above = 0
    var bin = bins + 1
    while bin > 0 {
      let more = above + Int(counts[bin])
      if more >= positives {
        // The border that is nearer in rows.
        let edge = more - positives <= positives - above ? bin - 1 : bin
        return reach - Float(edge) * (2 * reach / Float(bins))
      }
      above = more
      bin -= 1
    }
    return reach
  }

  /// The one shift of real margins that uses up the least of the limits.
  ///
  /// None where the decisions do not show that the operating point has moved at all: gained and lost
  /// ones differ by no more than chance has them (McNemar's test at the limits' confidence). To follow
  /// chance would move it.
  func bestShift(_ margins: [Float]) -> Float {
    var (gained, lost) = (0.0, 0.0)
    for (before, after) in zip(table.margins, margins) {
      if before < 0 && after >= 0 { gained += 1 }
      if before >= 0 && after < 0 { lost += 1 }
    }
    guard abs(gained - lost) > quantile * (gained + lost).squareRoot() else { return 0 }
    let start = Self.shift(margins, positives: positives)
    guard !limits.isBudgetOnly else { return start }
    return sparing([start, 0] + Self.neighbours(of: start, margins), margins).min {
      use(margins, shift: $0) < use(margins, shift: $1)
    } ?? start
  }

  /// The shifts that leave accuracy within a point of the best one's, where the size of a gap is limited.
  ///
  /// Any gap shrinks where more of everybody is refused, which is no way to close one.
  private func sparing(_ shifts: [Float], _ margins: [Float]) -> [Float] {
    guard !(limits.maxGap ?? [:]).isEmpty else { return shifts }
    let right = shifts.map { shift in
      margins.indices.count { (margins[$0] + shift >= 0) == (table.cells[$0] & 1 == 1) }
    }
    let enough = Double(right.max() ?? 0) - 0.01 * Double(margins.count)
    return shifts.indices.filter { Double(right[$0]) >= enough }.map { shifts[$0] }
  }

  /// Shifts on either side of `shift`, up to half a standard deviation of the margins.
  static func neighbours(of shift: Float, _ margins: [Float]) -> [Float] {
    let spread = spread(margins)
    return (-25...25).map { shift + Float($0) * spread / 50 }
  }

  /// The standard deviation of margins.
  static func spread(_ margins: [Float]) -> Float {
    let count = Float(max(1, margins.count))
    let mean = margins.reduce(0, +) / count
    return (margins.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
  }

  /// The share of operating points within `reach` of 0 that `margin` is above.
  @inline(__always)
  static func share(_ margin: Float, reach: Float) -> Float {
    min(max(0.5 + margin / (2 * reach), 0), 1)
  }
}
