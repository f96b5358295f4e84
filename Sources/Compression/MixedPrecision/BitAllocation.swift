/// The choices, one for each tensor, that make a sum of errors smallest within a budget.
///
/// Tensors are added one after the other; of all combinations so far those stay that no other beats in
/// both size and error (the multiple-choice knapsack's dominance, H. Kellerer, U. Pferschy,
/// D. Pisinger, *Knapsack Problems*, 2004, section 11.4), so the best combination is found. Where more
/// than ``widest`` stay, only the least error of as many ranges of sizes is gone on with.
struct BitAllocation {
  /// The size of every tensor with every choice.
  let sizes: [[Int]]
  /// Its error.
  let errors: [[Double]]
  /// How many combinations are gone on with.
  var widest = 100_000

  private struct State {
    var size: Int
    var error: Double
    /// The state of the tensors before it, and the choice for the last.
    var before: Int
    var choice: Int
  }

  /// The best choices; `nil` where even the smallest are larger than `budget`.
  func best(within budget: Int) -> [Int]? {
    // What the tensors that are still to come need at least.
    var least = [0]
    for own in sizes.reversed() { least.append((least.last ?? 0) + (own.min() ?? 0)) }
    var levels: [[State]] = []
    var states = [State(size: 0, error: 0, before: -1, choice: -1)]
    for tensor in sizes.indices {
      let room = budget - least[sizes.count - tensor - 1]
      var next: [State] = []
      for (number, state) in states.enumerated() {
        for choice in sizes[tensor].indices {
          let size = state.size + sizes[tensor][choice]
          if size <= room {
            next.append(
              State(
                size: size, error: state.error + errors[tensor][choice], before: number,
                choice: choice))
          }
        }
      }
      next.sort { $0.size != $1.size ? $0.size < $1.size : $0.error < $1.error }
      var kept: [State] = []
      for state in next where kept.last.map({ state.error < $0.error }) ?? true {
        kept.append(state)
      }
      states = thinned(kept)
      levels.append(states)
    }
    guard var last = states.indices.last, sizes.isEmpty || !states.isEmpty else { return nil }
    var choices: [Int] = []
    for level in levels.reversed() {
      choices.append(level[last].choice)
      last = level[last].before
    }
    return choices.reversed()
  }

  /// The last, least erroneous state of every one of ``widest`` ranges of sizes.
  private func thinned(_ states: [State]) -> [State] {
    guard states.count > widest, let low = states.first?.size, let high = states.last?.size else {
      return states
    }
    let width = (high - low) / widest + 1
    return states.indices.filter { i in
      i + 1 == states.count || (states[i].size - low) / width != (states[i + 1].size - low) / width
    }.map { states[$0] }
  }
}
