import Dispatch

/// The counts of every group: all that an audit of decisions needs to know about the rows.
public struct Tally: Hashable, Sendable {
  /// The names of the groups.
  public var names: [String]
  /// The counts of every group, in the order of ``names``.
  public var counts: [Counts]
  /// The number of rows of every group, whatever they weigh.
  public var rows: [Int]

  /// No row yet in any of `names`.
  public init(names: [String]) {
    self.names = names
    counts = .init(repeating: Counts(), count: names.count)
    rows = .init(repeating: 0, count: names.count)
  }

  /// Counts that come from elsewhere, every row counting 1.
  public init(_ groups: [(name: String, counts: Counts)]) {
    names = groups.map(\.name)
    counts = groups.map(\.counts)
    rows = groups.map { Int($0.counts.total) }
  }

  /// All groups together.
  public var overall: Counts {
    var sum = Counts()
    for part in counts { sum += part }
    return sum
  }

  /// Merges another part; groups are matched by name and new ones added at the end.
  public mutating func merge(_ other: Tally) {
    for (position, name) in other.names.enumerated() {
      if let own = names.firstIndex(of: name) {
        counts[own] += other.counts[position]
        rows[own] += other.rows[position]
      } else {
        names.append(name)
        counts.append(other.counts[position])
        rows.append(other.rows[position])
      }
    }
  }

  /// Counts `outcomes`: a row is called positive when its score is at least `threshold`.
  ///
  /// Rows are split over the machine's cores. Whole numbers are exact in any order; weights are
  /// summed in blocks of fixed size, so that the sum does not depend on the number of cores.
  ///
  /// - Complexity: O(*n*).
  public init(_ outcomes: Outcomes, threshold: Double = 0.5) {
    self.init(names: outcomes.groups.groups)
    if let weights = outcomes.weights {
      countWeighted(outcomes, weights, threshold)
      return
    }
    let width = names.count * 4
    let total = inBlocks(outcomes.count, zero: [Int](repeating: 0, count: width)) { range in
      countRows(outcomes, range, threshold: threshold, width: width)
    } merge: { sum, part in
      for i in sum.indices { sum[i] += part[i] }
    }
    for group in names.indices {
      let cells = SIMD4(
        Double(total[group * 4 + 3]), Double(total[group * 4 + 1]), Double(total[group * 4 + 2]),
        Double(total[group * 4]))
      counts[group].cells = cells
      counts[group].squares = cells
      rows[group] = total[group * 4..<group * 4 + 4].reduce(0, +)
    }
  }

  private mutating func countWeighted(
    _ outcomes: Outcomes, _ weights: [Double], _ threshold: Double
  ) {
    let names = names
    self = inBlocks(outcomes.count, zero: Tally(names: names)) { range in
      var part = Tally(names: names)
      for row in range {
        let group = Int(outcomes.groups.codes[row])
        part.counts[group].add(
          label: outcomes.labels[row], decision: outcomes.scores[row] >= threshold,
          weight: weights[row])
        part.rows[group] += 1
      }
      return part
    } merge: { sum, part in
      for group in sum.counts.indices {
        sum.counts[group] += part.counts[group]
        sum.rows[group] += part.rows[group]
      }
    }
  }
}

/// Counts one block of rows into `group * 4 + label * 2 + decision`.
private func countRows(
  _ outcomes: Outcomes, _ range: Range<Int>, threshold: Double, width: Int
) -> [Int] {
  // Two tables, filled in turn: two neighbouring rows of one cell do not wait for each other.
  var table = [Int](repeating: 0, count: 2 * width)
  outcomes.scores.withUnsafeBufferPointer { scores in
    outcomes.labels.withUnsafeBufferPointer { labels in
      outcomes.groups.codes.withUnsafeBufferPointer { codes in
        table.withUnsafeMutableBufferPointer { table in
          for row in range {
            let decision = scores[row] >= threshold ? 1 : 0
            let label = labels[row] ? 2 : 0
            table[(row & 1) &* width &+ Int(codes[row]) &* 4 &+ label &+ decision] &+= 1
          }
        }
      }
    }
  }
  return (0..<width).map { table[$0] + table[width + $0] }
}

/// Runs `work` on blocks of fixed size on all cores and merges their results in order.
func inBlocks<Part: Sendable>(
  _ count: Int, size: Int = 1 << 17, zero: Part, _ work: @Sendable (Range<Int>) -> Part,
  merge: (inout Part, Part) -> Void
) -> Part {
  let blocks = (count + size - 1) / size
  var sum = zero
  for part in onAllCores(blocks, { work($0 * size..<min(count, ($0 + 1) * size)) }) {
    merge(&sum, part)
  }
  return sum
}

/// The results of `work` for 0, 1, … `count - 1`, computed on all cores.
func onAllCores<Part: Sendable>(_ count: Int, _ work: @Sendable (Int) -> Part) -> [Part] {
  if count == 1 { return [work(0)] }
  let parts = [Part?](unsafeUninitializedCapacity: count) { buffer, initialized in
    nonisolated(unsafe) let slots = buffer
    // Every iteration writes a slot of its own, and all are done when this returns.
    DispatchQueue.concurrentPerform(iterations: count) { i in
      slots.initializeElement(at: i, to: work(i))
    }
    initialized = count
  }
  return parts.compactMap(\.self)
}
