/// Which weights of a layer stay so that every group keeps the part of it that was its own.
///
/// Each group has an importance for each weight. The weights that stay are taken one after the other:
/// each time the group whose share of the importance taken so far lies furthest below its share of
/// the whole layer's gets its most important weight that is left, and what that weight gives to the
/// others counts for them too.
///
/// Source: X. Lin, S. Kim, J. Joo, *FairGRAPE: Fairness-aware GRAdient Pruning mEthod for Face
/// Attribute Classification*, ECCV 2022, algorithm 1 <https://arxiv.org/abs/2207.10888>.
struct GroupShares {
  /// The importance of every weight for every group, none below zero; groups of equal length.
  let importance: [[Float]]

  /// Which `count` weights stay, at most as many as there are.
  ///
  /// Of groups as far behind, the first is served; of weights as important to it, the first is taken.
  func kept(_ count: Int) -> [Bool] {
    let size = importance.first?.count ?? 0
    let totals = importance.map { $0.reduce(0) { $0 + Double($1) } }
    let all = totals.reduce(0, +)
    let targets = totals.map { all > 0 ? $0 / all : 1 / Double(totals.count) }
    let orders = importance.map { own in
      own.indices.sorted { own[$0] != own[$1] ? own[$0] > own[$1] : $0 < $1 }
    }
    var next = [Int](repeating: 0, count: orders.count)
    var taken = [Double](repeating: 0, count: orders.count)
    var kept = [Bool](repeating: false, count: size)
    for _ in 0..<min(count, size) {
      let sum = taken.reduce(0, +)
      var (neediest, deficit) = (0, -Double.infinity)
      for group in taken.indices {
        let behind = targets[group] - (sum > 0 ? taken[group] / sum : 0)
        if behind > deficit { (neediest, deficit) = (group, behind) }
      }
      while kept[orders[neediest][next[neediest]]] { next[neediest] += 1 }
      let weight = orders[neediest][next[neediest]]
      kept[weight] = true
      for group in taken.indices { taken[group] += Double(importance[group][weight]) }
    }
    return kept
  }
}
