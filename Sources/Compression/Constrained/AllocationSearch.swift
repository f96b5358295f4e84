import Fairness
import Tensors

/// Looks for the combination of choices that uses up the least of what the limits allow, within a
/// budget of bytes.
///
/// Few combinations are all tried. Otherwise those on the lower hull of error and bytes (a
/// Lagrangian sweep) are starting points; single changes and exchanges between two units are made
/// as long as they help, and the best combination is disturbed at random and improved again
/// (iterated local search, H. Lourenço, O. Martin and T. Stützle, *Handbook of Metaheuristics*,
/// 2003) until `effort` combinations were judged. The same table gives the same result. Every
/// combination is judged with the common shift of margins that restores the share of positive
/// decisions: an operating point that knows no groups. Flips are counted as the mean over operating
/// points nearby (``reach``): what flips at one point is a small sample, whose drift the best of many
/// combinations would be chosen to cancel.
struct AllocationSearch {
  let table: DeltaTable
  let limits: CompressionLimits
  /// The bytes that may be spent on choices.
  let budget: Int
  /// Added to predicted margins: what was found wrong with an earlier prediction.
  var correction: [Float]?
  /// The number of combinations judged before the best so far is taken.
  var effort = 16_000

  /// A combination, judged.
  struct Allocation: Hashable {
    var choices: [Int]
    /// What is added to every margin.
    var shift: Float
    /// The bytes of the choices.
    var bytes: Int
    /// How much of what the limits allow is used up; at most 1 where all are kept.
    var use: Double
    /// The mean squared change of margins.
    var error: Double

    /// Less is better; errors only decide between equals, and alone without limits.
    func isBetter(than other: Allocation) -> Bool {
      abs(use - other.use) > 1e-9 ? use < other.use : error < other.error
    }
  }

  let quantile: Double
  /// The rows that the float model decides positively.
  let positives: Int
  /// How far operating points to either side are averaged over: a quarter of the margins' standard
  /// deviation.
  let reach: Float
  /// The share of operating points nearby at which the float model decides for each row.
  private let shares: [Float]
  /// The rows of every cell.
  private let rows: [Double]
  /// The mean squared change of margins by every choice of every unit.
  private let errors: [[Double]]

  init(_ table: DeltaTable, limits: CompressionLimits, budget: Int, correction: [Float]? = nil) {
    self.table = table
    self.limits = limits
    self.budget = budget
    self.correction = correction
    quantile = Normal.quantile(limits.confidence)
    let reach = max(Self.spread(table.margins) / 4, 1e-6)
    self.reach = reach
    shares = table.margins.map { Self.share($0, reach: reach) }
    var rows = [Double](repeating: 0, count: table.groups * 2)
    for cell in table.cells { rows[Int(cell)] += 1 }
    self.rows = rows
    positives = table.margins.count { $0 >= 0 }
    errors = table.units.map { unit in
      unit.choices.map { choice in
        choice.deltas.reduce(0.0) { $0 + Double($1) * Double($1) }
          / Double(max(1, choice.deltas.count))
      }
    }
  }

  /// The best combination found; `nil` where even the smallest choices exceed the budget.
  func best() -> Allocation? {
    let sizes = table.units.map(\.choices.count)
    var combinations = 1
    for size in sizes where combinations <= 4096 { combinations *= size }
    if combinations <= 4096 { return exhaustive() }
    var starts = Set<[Int]>()
    for start in lagrangian() { starts.insert(filled(start)) }
    let judged = starts.sorted { $0.lexicographicallyPrecedes($1) }.map { judge($0) }
      .sorted { $0.isBetter(than: $1) }
    guard var best = judged.first else { return nil }
    var left = effort
    var random = SplitMix64(seed: 0xa110)
    for start in judged.prefix(3) {
      let found = improved(start, &left, &random)
      if found.isBetter(than: best) { best = found }
    }
    while left > 0 {
      let found = improved(judge(disturbed(best.choices, &random)), &left, &random)
      if found.isBetter(than: best) { best = found }
    }
    return refined(best)
  }

  /// Tries everything.
  func exhaustive() -> Allocation? {
    var choices = table.units.map { _ in 0 }
    var best: Allocation?
    while true {
      if table.bytes(of: choices) <= budget {
        let found = judge(choices)
        if best.map({ found.isBetter(than: $0) }) ?? true { best = found }
      }
      var unit = choices.count - 1
      while unit >= 0 {
        choices[unit] += 1
        if choices[unit] < table.units[unit].choices.count { break }
        choices[unit] = 0
        unit -= 1
      }
      if unit < 0 { return best.map(refined) }
    }
  }

  /// The combinations within the budget that a price on bytes gives.
  private func lagrangian() -> [[Int]] {
    var found: [[Int]] = []
    for power in stride(from: -60.0, through: 20, by: 0.5) {
      var price = 1.0
      for _ in 0..<Int(abs(power) * 2) { price *= power < 0 ? 0.707_106_8 : 1.414_213_6 }
      let choices = table.units.indices.map { unit in
        let options = table.units[unit].choices
        return options.indices.min {
          errors[unit][$0] + price * Double(options[$0].bytes)
            < errors[unit][$1] + price * Double(options[$1].bytes)
        } ?? 0
      }
      if table.bytes(of: choices) <= budget, found.last != choices { found.append(choices) }
    }
    let smallest = table.units.map { unit in
      unit.choices.indices.min { unit.choices[$0].bytes < unit.choices[$1].bytes } ?? 0
    }
    if table.bytes(of: smallest) <= budget { found.append(smallest) }
    return found
  }

  /// Spends what is left of the budget where it removes most error for a byte.
  private func filled(_ start: [Int]) -> [Int] {
    var choices = start
    while true {
      let left = budget - table.bytes(of: choices)
      var best: (gain: Double, unit: Int, choice: Int)?
      for unit in table.units.indices {
        let now = table.units[unit].choices[choices[unit]]
        for (i, option) in table.units[unit].choices.enumerated() {
          let more = option.bytes - now.bytes
          guard more > 0, more <= left else { continue }
          let gain = (errors[unit][choices[unit]] - errors[unit][i]) / Double(more)
          if gain > 0, best.map({ gain > $0.gain }) ?? true { best = (gain, unit, i) }
        }
      }
      guard let best else { return choices }
      choices[best.unit] = best.choice
    }
  }

  /// Another combination within the budget: three units at random, then smaller choices.
  private func disturbed(_ start: [Int], _ random: inout SplitMix64) -> [Int] {
    var choices = start
    for _ in 0..<3 {
      let unit = random.below(choices.count)
      choices[unit] = random.below(table.units[unit].choices.count)
    }
    while table.bytes(of: choices) > budget {
      let unit = random.below(choices.count)
      choices[unit] = max(0, choices[unit] - 1)
    }
    return choices
  }

  /// Changes one unit, or two at once, as long as that helps and `left` allows.
  private func improved(
    _ start: Allocation, _ left: inout Int, _ random: inout SplitMix64
  ) -> Allocation {
    var best = start
    let changes = table.units.indices.flatMap { unit in
      table.units[unit].choices.indices.map { (unit: unit, choice: $0) }
    }
    // Single changes come first, since there are few.
    var moves = changes.map { [$0] }
    var pairs = changes.indices.flatMap { a in
      (a + 1..<changes.count).compactMap { b in
        changes[a].unit == changes[b].unit ? nil : [changes[a], changes[b]]
      }
    }
    for i in pairs.indices.dropFirst().reversed() { pairs.swapAt(i, random.below(i + 1)) }
    moves += pairs
    var margins = self.margins(of: best.choices)
    var (position, sinceBetter) = (0, 0)
    while sinceBetter < moves.count, left > 0 {
      let move = moves[position]
      position = (position + 1) % moves.count
      sinceBetter += 1
      guard move.allSatisfy({ $0.choice != best.choices[$0.unit] }) else { continue }
      var bytes = best.bytes
      for (unit, choice) in move {
        let options = table.units[unit].choices
        bytes += options[choice].bytes - options[best.choices[unit]].bytes
      }
      guard bytes <= budget else { continue }
      left -= 1
      var choices = best.choices
      var moved = margins
      for (unit, choice) in move {
        Self.exchange(
          &moved, table.units[unit].choices[best.choices[unit]].deltas,
          table.units[unit].choices[choice].deltas)
        choices[unit] = choice
      }
      let found = judge(choices, moved)
      if found.isBetter(than: best) {
        (best, margins, sinceBetter) = (found, moved, 0)
      }
    }
    return best
  }

  /// Takes `old` from margins and adds `new`.
  private static func exchange(_ margins: inout [Float], _ old: [Float], _ new: [Float]) {
    for i in margins.indices { margins[i] += new[i] - old[i] }
  }

  func margins(of choices: [Int]) -> [Float] {
    var margins = table.margins(of: choices)
    if let correction { for i in margins.indices { margins[i] += correction[i] } }
    return margins
  }

  func judge(_ choices: [Int]) -> Allocation { judge(choices, margins(of: choices)) }

  private func judge(_ choices: [Int], _ margins: [Float]) -> Allocation {
    let shift = Self.shift(margins, positives: positives)
    return Allocation(
      choices: choices, shift: shift, bytes: table.bytes(of: choices),
      use: use(margins, shift: shift), error: error(margins, shift: shift))
  }

  /// The best of a few shifts around the one that restores the share of positive decisions.
  private func refined(_ allocation: Allocation) -> Allocation {
    var best = allocation
    let margins = margins(of: allocation.choices)
    for shift in Self.neighbours(of: allocation.shift, margins) {
      var found = allocation
      found.shift = shift
      found.use = use(margins, shift: shift)
      found.error = error(margins, shift: shift)
      if found.isBetter(than: best) { best = found }
    }
    return best
  }

  private func error(_ margins: [Float], shift: Float) -> Double {
    var sum: Float = 0
    for i in margins.indices {
      let change = margins[i] + shift - table.margins[i]
      sum += change * change
    }
    return Double(sum) / Double(max(1, margins.count))
  }

  /// How much of the limits is used up when `shift` is added to `margins`, were there `times` as many
  /// rows like these.
  func use(_ margins: [Float], shift: Float, times: Double = 1) -> Double {
    guard !limits.isBudgetOnly else { return 0 }
    return flips(margins, shift: shift).times(times).use(of: limits, quantile: quantile)
  }

  /// How much of the limits is used up by what is found at this operating point alone, chance left out.
  func usedHere(_ margins: [Float], shift: Float) -> Double {
    var cells = rows.map { (rows: $0, gained: 0.0, lost: 0.0, selected: 0.0) }
    for (row, margin) in margins.enumerated() {
      let (before, after) = (table.margins[row] >= 0, margin + shift >= 0)
      let cell = Int(table.cells[row])
      if after { cells[cell].selected += 1 }
      if after && !before { cells[cell].gained += 1 }
      if before && !after { cells[cell].lost += 1 }
    }
    return FlipCounts(cells: cells).use(of: limits, quantile: 0)
  }

  /// The flips when `shift` is added to `margins`: the mean over operating points nearby, which are
  /// those of both models.
  func flips(_ margins: [Float], shift: Float) -> FlipCounts {
    // Of every cell the sum of changes, of their sizes and of decisions; float sums of some thousand
    // parts suffice.
    var sums = [SIMD4<Float>](repeating: .zero, count: table.groups * 2)
    sums.withUnsafeMutableBufferPointer { sums in
      margins.withUnsafeBufferPointer { margins in
        shares.withUnsafeBufferPointer { shares in
          table.cells.withUnsafeBufferPointer { cells in
            for i in margins.indices {
              let after = Self.share(margins[i] + shift, reach: reach)
              let change = after - shares[i]
              sums[Int(cells[i])] += SIMD4(change, abs(change), after, 0)
            }
          }
        }
      }
    }
    let cells = zip(rows, sums).map { rows, sum in
      (
        rows: rows, gained: Double(sum[1] + sum[0]) / 2, lost: Double(sum[1] - sum[0]) / 2,
        selected: Double(sum[2])
      )
    }
    return FlipCounts(cells: cells)
  }
}
