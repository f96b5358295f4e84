import Faces

/// What rounding a block is judged by: how far its result is from the float model's, where the loss
/// notices, and what that does to the gaps.
///
/// With `d` the difference of the block's result on an image from the float model's and `F` the squares
/// of the loss's gradient on that result, it is
///
///     s mean_r Σ F d² + p Σ_y Σ_g (m_gy - m_y)²
///
/// where `m_gy` is the mean of `u · d` over the rows of group `g` and label `y`, `m_y` that over all of
/// label `y`, and `u` the gradient of the probability of class 1: to first order, how much further the
/// groups' soft rates have come apart.
///
/// Source: Y. Li and others, *BRECQ: Pushing the Limit of Post-Training Quantization by Block
/// Reconstruction*, ICLR 2021, equation 10 <https://arxiv.org/abs/2102.05426>, for the first term.
struct BlockObjective: Sendable {
  /// The float model's result, `[rows, size]`.
  let target: [Float]
  /// `F`, in the same shape.
  let importance: [Float]
  /// `u`, in the same shape; empty where gaps do not count.
  let slopes: [Float]
  /// The group and label of every row.
  let cells: [(group: Int32, label: Int32)]
  /// `s`.
  var scale = 1.0
  /// `p`.
  var penalty = 0.0

  /// The number of numbers a row.
  var size: Int { target.count / max(1, cells.count) }

  /// The objective of the given rows, and its gradient on what was found for them.
  ///
  /// - Parameters:
  ///   - found: The block's result, row-major, at least as many rows.
  ///   - rows: Which rows of the arrays they are.
  /// - Returns: The objective, and its gradient in the shape of `found`.
  func evaluate(
    _ found: UnsafeBufferPointer<Float>, rows: [Int]
  ) -> (value: Double, gradient: [Float]) {
    let size = size
    var gradient = [Float](repeating: 0, count: found.count)
    var value = 0.0
    let share = scale / Double(max(1, rows.count))
    var moved = [Double](repeating: 0, count: rows.count)
    for (place, row) in rows.enumerated() {
      var (error, along) = (0.0, 0.0)
      for i in 0..<size {
        let difference = found[place * size + i] - target[row * size + i]
        let weighed = importance[row * size + i] * difference
        error += Double(weighed * difference)
        if penalty > 0 { along += Double(slopes[row * size + i] * difference) }
        gradient[place * size + i] = Float(2 * share) * weighed
      }
      value += share * error
      moved[place] = along
    }
    guard penalty > 0 else { return (value, gradient) }
    let (drift, forces) = drift(moved, rows: rows)
    value += penalty * drift
    for (place, row) in rows.enumerated() where forces[place] != 0 {
      let force = Float(penalty * forces[place])
      for i in 0..<size { gradient[place * size + i] += force * slopes[row * size + i] }
    }
    return (value, gradient)
  }

  /// `Σ_y Σ_g (m_gy - m_y)²`, and its gradient on what moved in every row.
  private func drift(_ moved: [Double], rows: [Int]) -> (value: Double, forces: [Double]) {
    var forces = [Double](repeating: 0, count: rows.count)
    var value = 0.0
    for members in Dictionary(grouping: rows.indices, by: { cells[rows[$0]].label }).values {
      let mean = members.reduce(0) { $0 + moved[$1] } / Double(members.count)
      var sum = 0.0
      for own in Dictionary(grouping: members, by: { cells[rows[$0]].group }).values {
        let distance = own.reduce(0) { $0 + moved[$1] } / Double(own.count) - mean
        value += distance * distance
        sum += distance
        for place in own { forces[place] += 2 * distance / Double(own.count) }
      }
      for place in members { forces[place] -= 2 * sum / Double(members.count) }
    }
    return (value, forces)
  }

  /// The mean over rows of `Σ F d²`, and of `(u · d)²`.
  func errors(of found: [Float]) -> (weighed: Double, moved: Double) {
    var (weighed, moved) = (0.0, 0.0)
    for row in cells.indices {
      var along = 0.0
      for i in row * size..<(row + 1) * size {
        let difference = Double(found[i] - target[i])
        weighed += Double(importance[i]) * difference * difference
        if !slopes.isEmpty { along += Double(slopes[i]) * difference }
      }
      moved += along * along
    }
    let count = Double(max(1, cells.count))
    return (weighed / count, moved / count)
  }
}
