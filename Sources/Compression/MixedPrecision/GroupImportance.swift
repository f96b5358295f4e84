/// Widths by how much the group that depends on a tensor most depends on it.
///
/// The most important tensors are stored in 8 bits, the least important fifth in 2, those between in 4,
/// and the border between 8 and 4 bits is where the budget is spent; where not even 4 bits for all but a
/// fifth fit, more tensors have 2. FairQuant ranks channels, cuts at fixed shares (a fifth, two fifths,
/// two fifths) whatever the size comes to, and fits the weights to labels and to equal losses
/// afterwards: here widths are of whole tensors, and what comes afterwards is tuning.
///
/// Source: T. B. Woergaard, R. Selvan, *FairQuant: Fairness-Aware Mixed-Precision Quantization for
/// Medical Image Classification*, 2026 <https://arxiv.org/abs/2602.23192>.
enum GroupImportance {
  /// The width of every tensor.
  ///
  /// - Parameters:
  ///   - importance: That of every tensor.
  ///   - counts: The number of its weights.
  ///   - budget: The bits that all of them may take, at least 2 for each.
  /// - Returns: 2, 4 or 8 for each.
  static func widths(_ importance: [Double], counts: [Int], budget: Int) -> [Int] {
    let order = importance.indices.sorted {
      importance[$0] != importance[$1] ? importance[$0] > importance[$1] : $0 < $1
    }
    func widths(_ eight: Int, _ two: Int) -> [Int] {
      var widths = importance.map { _ in 4 }
      for i in order.prefix(eight) { widths[i] = 8 }
      for i in order.suffix(two) { widths[i] = 2 }
      return widths
    }
    func fits(_ widths: [Int]) -> Bool {
      zip(widths, counts).reduce(0) { $0 + $1.0 * $1.1 } <= budget
    }
    let fifth = importance.count / 5
    for eight in (0...importance.count - fifth).reversed() {
      let found = widths(eight, fifth)
      if fits(found) { return found }
    }
    for two in fifth..<importance.count {
      let found = widths(0, two)
      if fits(found) { return found }
    }
    return widths(0, importance.count)
  }

  /// How much the group that depends on a tensor most depends on it, as a mean over its weights.
  ///
  /// A weight matters to a group by its square times the mean square of the gradient on it, as a share
  /// of what all weights matter to that group.
  static func importance(_ squares: [[[Float]]], _ weights: [[Float]]) -> [Double] {
    func matters(_ square: Float, _ weight: Float) -> Double { Double(square * weight * weight) }
    let sums = squares.map { own in
      zip(own, weights).reduce(0) { sum, tensor in
        sum + zip(tensor.0, tensor.1).reduce(0) { $0 + matters($1.0, $1.1) }
      }
    }
    return weights.indices.map { tensor in
      var sum = 0.0
      for i in weights[tensor].indices {
        var largest = 0.0
        for group in squares.indices where sums[group] > 0 {
          let own = matters(squares[group][tensor][i], weights[tensor][i])
          largest = max(largest, own / sums[group])
        }
        sum += largest
      }
      return sum / Double(max(1, weights[tensor].count))
    }
  }
}
