/// The best clustering of numbers into `k` groups: no other has a smaller squared error.
///
/// In one dimension the groups of a best clustering are runs of the sorted values, so dynamic
/// programming finds it: `D[j][m] = min_s D[j-1][s] + error(s, m)` over where the last group
/// starts. The errors are a Monge matrix, so the best starts rise with `m`, and divide and conquer
/// needs O(n log n) errors for each group. Most starts are ruled out beforehand: a coarse
/// clustering over a few thousand buckets gives a cost that can be had, and the same recursion with
/// the bucket around every border left out gives a cost that no clustering with a border in that
/// bucket can go below. Only buckets whose bound is under the cost are searched, so the result is
/// exact and the search touches a fraction of the values.
///
/// Source: A. Grønlund and others, *Fast Exact k-Means, k-Medians and Bregman Divergence Clustering
/// in 1D*, 2017, sections 2.1 and 2.2 <https://arxiv.org/abs/1701.07204>; the bounds are ours.
public struct OptimalKMeans: Hashable, Sendable {
  /// The centre of every group, ascending; fewer than `k` where there are fewer different values.
  public var centers: [Double]
  /// The weighted squared error of all values from the centre of their group.
  public var cost: Double

  /// Clusters `values`.
  ///
  /// Ties between clusterings are broken in favour of earlier borders. A value of weight zero has
  /// no say; it belongs to the nearest centre, as every value does.
  ///
  /// - Parameters:
  ///   - values: Finite numbers, in any order.
  ///   - weights: How much each value counts, not negative and finite; `nil` counts each once.
  ///   - k: The largest number of groups, 1 or more.
  /// - Complexity: O(*n* + *k* *m* log *m*) for *n* values of which *m* are near a border.
  /// - Precondition: There are at most 2³² - 1 values.
  public init(_ values: some Collection<Float>, weights: [Float]? = nil, k: Int) {
    precondition(k >= 1, "\(k) clusters")
    precondition(values.count < 1 << 32, "\(values.count) values")
    self.init(SortedPoints(values, weights: weights), k: k)
  }

  init(_ points: SortedPoints, k: Int, buckets: Int = 2048) {
    guard points.count > k else {
      centers = points.values.map(Double.init)
      cost = 0
      return
    }
    let borders = points.withSums { sums in
      BorderSearch(sums: sums, k: k).borders(buckets: max(buckets, 8 * k))
    }
    let ends = [0] + borders + [points.count]
    centers = zip(ends, ends.dropFirst()).map { points.mean($0, $1) }
    cost = zip(ends, ends.dropFirst()).reduce(0) { $0 + points.error($1.0, $1.1) }
  }
}

/// Where groups of sorted values begin, found from the prefix sums of the values.
struct BorderSearch {
  let sums: UnsafeBufferPointer<SIMD4<Double>>
  let k: Int

  /// The number of values.
  private var count: Int { sums.count - 1 }

  /// The first value of every group but the first in a best clustering; `k - 1` positions.
  func borders(buckets: Int) -> [Int] {
    guard k > 1 else { return [] }
    return exact(within: count <= 4 * buckets ? everywhere : candidates(buckets: buckets))
  }

  /// All positions, for every border.
  private var everywhere: [ClosedRange<Int>] {
    (1..<k).map { $0...(count - (k - $0)) }
  }

  /// A best clustering whose borders lie in the given ranges, by dynamic programming.
  func exact(within ranges: [ClosedRange<Int>]) -> [Int] {
    var costs = ranges[0].map { squaredError(sums[0], sums[$0]) }
    var choices: [[Int32]] = []
    for layer in 1..<k {
      let targets = layer < k - 1 ? ranges[layer] : count...count
      let (next, chosen) = step(from: ranges[layer - 1], costs, to: targets)
      costs = next
      choices.append(chosen)
    }
    var borders: [Int] = []
    var position = 0
    for layer in (0..<k - 1).reversed() {
      let offset = Int(choices[layer][position])
      borders.append(ranges[layer].lowerBound + offset)
      position = offset
    }
    return borders.reversed()
  }

  /// One layer of the recursion: for every target the least cost and the start that gives it.
  private func step(
    from starts: ClosedRange<Int>, _ costs: [Double], to targets: ClosedRange<Int>
  ) -> (costs: [Double], choices: [Int32]) {
    var result = [Double](repeating: .infinity, count: targets.count)
    var choices = [Int32](repeating: 0, count: targets.count)
    costs.withUnsafeBufferPointer { costs in
      result.withUnsafeMutableBufferPointer { result in
        choices.withUnsafeMutableBufferPointer { choices in
          // (targets, starts) still to do, as offsets into their ranges.
          var pending = [(0, targets.count - 1, 0, starts.count - 1)]
          while let (first, last, low, high) = pending.popLast() {
            guard first <= last else { continue }
            let middle = (first + last) / 2
            let end = targets.lowerBound + middle
            // A group has a value at least.
            let top = min(high, end - 1 - starts.lowerBound)
            let total = sums[end]
            var best = (cost: Double.infinity, start: low)
            if low <= top {
              for start in low...top {
                let cost = costs[start] + squaredError(sums[starts.lowerBound + start], total)
                if cost < best.cost { best = (cost, start) }
              }
            }
            result[middle] = best.cost
            choices[middle] = Int32(truncatingIfNeeded: best.start)
            pending.append((first, middle - 1, low, best.start))
            pending.append((middle + 1, last, best.start, high))
          }
        }
      }
    }
    return (result, choices)
  }
}

extension BorderSearch {
  /// For every border a range that certainly holds it in every best clustering.
  func candidates(buckets: Int) -> [ClosedRange<Int>] {
    let edges = (0...buckets).map { count * $0 / buckets }
    // A cost that can be had: the best clustering with borders at edges, then moved to where
    // neighbouring means meet, which never makes it worse.
    let coarse = sums.withEdges(edges) { BorderSearch(sums: $0, k: k).exactOverAll() }
    let reachable = refinedCost(of: coarse.map { edges[$0] })
    let limit = reachable * (1 + 1e-9) + sums[count][2] * 1e-13

    let edgeSums = edges.map { sums[$0] }
    let forward = bounds(edgeSums)
    let backward = bounds(edgeSums.reversed().map { sums[count] - $0 })
    return (1..<k).map { border in
      var first = buckets
      var last = -1
      for bucket in 0..<buckets {
        let bound = forward[border - 1][bucket] + backward[k - border - 1][buckets - bucket - 1]
        if bound <= limit {
          first = min(first, bucket)
          last = max(last, bucket)
        }
      }
      guard first <= last else { return border...(count - (k - border)) }
      let lower = max(border, edges[first])
      return lower...max(lower, min(count - (k - border), edges[last + 1]))
    }
  }

  private func exactOverAll() -> [Int] { exact(within: everywhere) }

  /// For 1 to `k - 1` groups and every edge, a cost that no clustering of the values before that
  /// edge can go below, wherever its borders are.
  ///
  /// Where the last group starts inside a bucket, that bucket is left out of the sum.
  private func bounds(_ edges: [SIMD4<Double>]) -> [[Double]] {
    let buckets = edges.count - 1
    var layers = [edges.map { squaredError(edges[0], $0) }]
    for _ in 1..<max(1, k - 1) {
      let costs = layers[layers.count - 1]
      var result = [Double](repeating: 0, count: edges.count)
      var pending = [(1, buckets, 0, buckets - 1)]
      while let (first, last, low, high) = pending.popLast() {
        guard first <= last else { continue }
        let middle = (first + last) / 2
        let total = edges[middle]
        var best = (cost: Double.infinity, start: low)
        for bucket in low...max(low, min(high, middle - 1)) {
          let cost =
            costs[bucket]
            + (bucket + 1 < middle ? squaredError(edges[bucket + 1], total) : 0)
          if cost < best.cost { best = (cost, bucket) }
        }
        result[middle] = best.cost
        pending.append((first, middle - 1, low, best.start))
        pending.append((middle + 1, last, best.start, high))
      }
      layers.append(result)
    }
    return layers
  }

  /// The cost after a few rounds of moving every border to where it is nearest to both means.
  private func refinedCost(of borders: [Int]) -> Double {
    var ends = [0] + borders + [count]
    for _ in 0..<8 {
      let means = zip(ends, ends.dropFirst()).map { from, to in
        let part = sums[to] - sums[from]
        return part[1] / max(part[0], .leastNormalMagnitude)
      }
      for border in 1..<k {
        let meeting = (means[border - 1] + means[border]) / 2
        var (low, high) = (ends[border - 1] + 1, ends[border + 1] - 1)
        while low < high {
          let middle = (low + high) / 2
          let point = sums[middle + 1] - sums[middle]
          if point[1] < meeting * point[0] { low = middle + 1 } else { high = middle }
        }
        ends[border] = low
      }
    }
    let refined = zip(ends, ends.dropFirst()).reduce(0) {
      $0 + squaredError(sums[$1.0], sums[$1.1])
    }
    let plain = [0] + borders + [count]
    return min(
      refined,
      zip(plain, plain.dropFirst()).reduce(0) { $0 + squaredError(sums[$1.0], sums[$1.1]) })
  }
}

extension UnsafeBufferPointer<SIMD4<Double>> {
  /// The prefix sums at some positions only: those of buckets.
  fileprivate func withEdges<Result>(
    _ edges: [Int], _ body: (UnsafeBufferPointer<SIMD4<Double>>) -> Result
  ) -> Result {
    edges.map { self[$0] }.withUnsafeBufferPointer(body)
  }
}
