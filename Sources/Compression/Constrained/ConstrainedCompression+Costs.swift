extension ConstrainedCompression {
  /// The smallest predicted bytes with all limits and without each of them.
  ///
  /// Limits count as kept where `times` as many rows would show that they are.
  /// Those on the size of gaps, which tuning keeps or not, are left out.
  func costs(_ table: DeltaTable, overhead: Int, times: Double) -> [Cost] {
    let limits = self.limits.withoutGaps
    func least(_ limits: CompressionLimits) -> Int? {
      let sizes = table.units.map { $0.choices.map(\.bytes) }
      var low = sizes.reduce(0) { $0 + ($1.min() ?? 0) }
      var high = sizes.reduce(0) { $0 + ($1.max() ?? 0) }
      func keeps(_ budget: Int) -> Bool {
        var search = AllocationSearch(table, limits: limits, budget: budget)
        search.effort = 4000
        guard let best = search.best() else { return false }
        return search.use(search.margins(of: best.choices), shift: best.shift, times: times) <= 1
      }
      guard keeps(high) else { return nil }
      if keeps(low) { return low + overhead }
      while high - low > max(1000, high / 200) {
        let middle = (low + high) / 2
        if keeps(middle) { high = middle } else { low = middle }
      }
      return high + overhead
    }
    return [Cost(without: nil, bytes: least(limits))]
      + limits.single.map { Cost(without: $0.name, bytes: least(limits.without($0.name))) }
  }
}
