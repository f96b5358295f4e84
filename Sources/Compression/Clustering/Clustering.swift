import OneDNN
public import Tensors

/// How weights are clustered.
public struct ClusteringSettings: Hashable, Codable, Sendable {
  /// What the values of a codebook are stored as.
  public enum Codebook: String, Hashable, Codable, Sendable, CaseIterable {
    case float32, float16, int8
  }

  /// How many values the weights of a tensor, or of a group of its channels, may take: 2 to 256.
  public var clusters: Int
  /// How many output channels share a codebook; `nil` gives the whole tensor one.
  ///
  /// Where it does not divide a tensor's channels, that tensor gets one codebook.
  public var groupSize: Int?
  /// Whether every output channel is divided by its root mean square before it is clustered, and
  /// multiplied by it again when the weights are unpacked.
  public var hasChannelScales: Bool
  /// What the values of a codebook are stored as.
  public var codebook: Codebook

  /// Settings as given.
  public init(
    clusters: Int, groupSize: Int? = nil, hasChannelScales: Bool = false,
    codebook: Codebook = .float16
  ) {
    self.clusters = clusters
    self.groupSize = groupSize
    self.hasChannelScales = hasChannelScales
    self.codebook = codebook
  }
}

/// Replaces weights by codes into a small codebook, with the least squared error there is.
public struct Clustering: Sendable {
  /// How.
  public var settings: ClusteringSettings

  /// A clustering with `settings`.
  public init(_ settings: ClusteringSettings) { self.settings = settings }

  /// The codes and codebooks of `weights`, whose first axis is the output channel.
  ///
  /// - Parameters:
  ///   - weights: A `float32` tensor.
  ///   - importance: How much the error of each weight counts; `nil` counts all alike.
  ///   - kept: Which weights are stored; the others are zero. One codebook then serves all.
  /// - Returns: The codebooks, and for each stored weight the number of its centroid.
  /// - Precondition: The tensor has an axis and 2 to 256 clusters are asked for.
  public func code(
    _ weights: Tensor, importance: [Float]? = nil, kept: [Bool]? = nil
  ) -> CodedWeights {
    precondition(2...256 ~= settings.clusters, "\(settings.clusters) clusters")
    let values = weights.floats
    let channels = max(1, weights.shape.first ?? 1)
    let perChannel = max(1, values.count / channels)
    if let kept { return sparse(weights.shape, values, importance, kept) }
    var scaled = values
    var counts = importance
    var scales: [Float]?
    if settings.hasChannelScales {
      let found = Self.rootMeanSquares(values, perChannel: perChannel)
      scales = found
      // An error of a scaled weight counts as much as it is after scaling back.
      var squares = importance ?? [Float](repeating: 1, count: values.count)
      for i in values.indices {
        scaled[i] /= found[i / perChannel]
        squares[i] *= found[i / perChannel] * found[i / perChannel]
      }
      counts = squares
    }
    var groups = 1
    if let size = settings.groupSize, size > 0, channels % size == 0 { groups = channels / size }
    let perGroup = values.count / groups
    let books = Self.inParallel(groups) { group in
      let members = group * perGroup..<(group + 1) * perGroup
      let kMeans = OptimalKMeans(
        scaled[members], weights: counts.map { Array($0[members]) }, k: settings.clusters)
      return kMeans.centers
    }
    let codebook = CodedWeights.Codebook(
      books, size: settings.clusters, type: settings.codebook, scales: scales)
    let entries = codebook.values
    let size = entries.count / groups
    let codes = Self.inParallel(groups) { group in
      nearestCodes(
        of: scaled[group * perGroup..<(group + 1) * perGroup],
        in: Array(entries[group * size..<(group + 1) * size]))
    }
    return CodedWeights(
      shape: weights.shape, bits: Self.bits(for: settings.clusters),
      codes: codes.count == 1 ? codes[0] : Array(codes.joined()), meaning: .codebook(codebook))
  }

  /// Clusters the weights that are kept.
  private func sparse(
    _ shape: [Int], _ values: [Float], _ importance: [Float]?, _ kept: [Bool]
  ) -> CodedWeights {
    let members = values.indices.filter { kept[$0] }
    let stored = members.map { values[$0] }
    let kMeans = OptimalKMeans(
      stored, weights: importance.map { all in members.map { all[$0] } }, k: settings.clusters)
    let codebook = CodedWeights.Codebook(
      [kMeans.centers], size: settings.clusters, type: settings.codebook, scales: nil)
    return CodedWeights(
      shape: shape, bits: Self.bits(for: settings.clusters),
      codes: nearestCodes(of: stored[...], in: codebook.values), meaning: .codebook(codebook),
      kept: kept)
  }

  /// The width of codes for so many clusters.
  static func bits(for clusters: Int) -> Int {
    max(1, Int.bitWidth - (clusters - 1).leadingZeroBitCount)
  }

  private static func rootMeanSquares(_ values: [Float], perChannel: Int) -> [Float] {
    (0..<values.count / perChannel).map { channel in
      var sum = 0.0
      for i in channel * perChannel..<(channel + 1) * perChannel {
        sum += Double(values[i]) * Double(values[i])
      }
      return max(Float((sum / Double(perChannel)).squareRoot()), 1e-12)
    }
  }

  /// `body` of every number below `count`, on all threads.
  static func inParallel<Value: Sendable>(_ count: Int, _ body: (Int) -> Value) -> [Value] {
    inParallel([Int](repeating: 1, count: count), body)
  }

  /// `body` of the index of every size, on all threads, each of which gets about as much to do.
  static func inParallel<Value: Sendable>(_ sizes: [Int], _ body: (Int) -> Value) -> [Value] {
    let shares = evenShares(sizes, among: Parallel.threadCount)
    var results = [Value?](repeating: nil, count: sizes.count)
    results.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let slots = buffer  // each piece writes its own elements
      Parallel.pieces(shares.count) { share in
        for i in shares[share] { slots[i] = body(i) }
      }
    }
    return results.compactMap(\.self)
  }

  /// Indices dealt out so that their sizes add up to about the same for everyone: the largest
  /// first, each to who has least.
  static func evenShares(_ sizes: [Int], among count: Int) -> [[Int]] {
    var shares = [[Int]](repeating: [], count: max(1, count))
    var sums = [Int](repeating: 0, count: shares.count)
    for i in sizes.indices.sorted(by: { (-sizes[$0], $0) < (-sizes[$1], $1) }) {
      let least = sums.indices.min { (sums[$0], $0) < (sums[$1], $1) } ?? 0
      shares[least].append(i)
      sums[least] += sizes[i]
    }
    return shares
  }
}

/// For each value the index of the nearest entry; of two equally near ones, the lower.
///
/// Entries may come in any order and repeat.
func nearestCodes(of values: ArraySlice<Float>, in entries: [Float]) -> [UInt8] {
  let order = entries.indices.sorted { (entries[$0], $0) < (entries[$1], $1) }
  let ascending = order.map { entries[$0] }
  // Between two entries the border is where both are equally far.
  let borders = zip(ascending, ascending.dropFirst()).map {
    Float((Double($0.0) + Double($0.1)) / 2)
  }
  let codes = order.map { UInt8(truncatingIfNeeded: $0) }
  return [UInt8](unsafeUninitializedCapacity: values.count) { result, count in
    count = values.count
    values.withUnsafeBufferPointer { values in
      borders.withUnsafeBufferPointer { borders in
        if borders.count < 16 {
          // Few borders: count those below, all values of a block beside one another.
          for start in stride(from: 0, to: values.count, by: 4096) {
            let block = start..<min(start + 4096, values.count)
            for i in block { result[i] = 0 }
            for border in borders {
              for i in block { result[i] &+= values[i] > border ? 1 : 0 }
            }
            for i in block { result[i] = codes[Int(result[i])] }
          }
          return
        }
        for i in 0..<values.count {
          let value = values[i]
          var (low, high) = (0, borders.count)
          while low < high {
            let middle = (low &+ high) &>> 1
            if borders[middle] < value { low = middle &+ 1 } else { high = middle }
          }
          result[i] = codes[low]
        }
      }
    }
  }
}
