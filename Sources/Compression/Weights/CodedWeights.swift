import Graphs
public import Tensors

/// Weights as a file stores them: a code of a few bits for each, and what the codes stand for.
///
/// ``decoded`` is what any runtime makes of them, in the same `Float` arithmetic.
public struct CodedWeights: Hashable, Sendable {
  /// The shape of the weights, output channels first.
  public var shape: [Int]
  /// The width of a code, 1 to 8.
  public var bits: Int
  /// The codes, row-major; of the kept weights only, where some are not kept.
  public var codes: [UInt8]
  /// What the codes stand for.
  public var meaning: Meaning
  /// Which weights are not zero; `nil` where all have a code.
  public var kept: [Bool]?

  /// What codes stand for.
  public enum Meaning: Hashable, Sendable {
    /// An entry of a codebook.
    case codebook(Codebook)
    /// `(code - zero point) × scale`, one of each for every output channel.
    case affine(scales: [Float], zeroPoints: [UInt8])
    /// There are no codes: the kept weights themselves, in half precision.
    case halves(Tensor)
  }

  /// The values that weights of a tensor may take.
  public struct Codebook: Hashable, Sendable {
    /// The entries, shape `[groups, entries of each]`: `float32`, `float16` or `int8`.
    public var entries: Tensor
    /// What entries are multiplied with: one number, one for each output channel, or nothing.
    public var scales: [Float]?

    /// A codebook of the given centres, one list for each group of channels.
    ///
    /// Groups with fewer centres than `size` repeat their last. With `int8` entries, there always is
    /// a scale.
    public init(
      _ centers: [[Double]], size: Int, type: ClusteringSettings.Codebook, scales: [Float]?
    ) {
      let longest = min(size, max(1, centers.map(\.count).max() ?? 1))
      let all = centers.flatMap { list in
        (0..<longest).map { Float(list.isEmpty ? 0 : list[min($0, list.count - 1)]) }
      }
      let shape = [centers.count, longest]
      self.scales = scales
      switch type {
      case .float32: entries = Tensor(shape: shape, all)
      case .float16: entries = Tensor(halves: all, shape: shape)
      case .int8:
        let largest = all.reduce(0) { max($0, abs($1)) }
        let step = max(largest / 127, QuantizationParameters.smallestScale)
        entries = Tensor(
          shape: shape, all.map { Int8(clamping: Int(($0 / step).rounded(.toNearestOrEven))) })
        self.scales = scales.map { $0.map { $0 * step } } ?? [step]
        self.step = step
      }
    }

    /// What `int8` entries are multiplied with before the channels' scales.
    private var step: Float = 1

    /// The code of each of `weights`, row-major by output channel: the entry that is nearest once
    /// multiplied with its scale.
    func nearestCodes(of weights: [Float]) -> [UInt8] {
      let (groups, size, entries) = (self.entries.shape[0], self.entries.shape[1], numbers)
      var scaled = weights
      if let scales {
        let perScale = max(1, weights.count / scales.count)
        for i in scaled.indices {
          let scale = scales[min(i / perScale, scales.count - 1)]
          if scale != 0 { scaled[i] /= scale }
        }
      }
      let perGroup = max(1, weights.count / groups)
      return (0..<groups).flatMap { group in
        let last = group == groups - 1 ? weights.count : (group + 1) * perGroup
        return Compression.nearestCodes(
          of: scaled[group * perGroup..<last],
          in: Array(entries[group * size..<(group + 1) * size]))
      }
    }

    /// What is multiplied with ``scales``, as numbers.
    var numbers: [Float] {
      entries.elementType == .int8
        ? entries.values(as: Int8.self).map { Float($0) } : entries.widened?.floats ?? []
    }

    /// The entries as numbers, before the channels' scales.
    var values: [Float] {
      switch entries.elementType {
      case .int8: entries.values(as: Int8.self).map { Float($0) * step }
      default: entries.widened?.floats ?? []
      }
    }
  }

  /// The weights that the codes stand for.
  public var decoded: Tensor { Tensor(shape: shape, decodedElements) }

  /// The same, row-major.
  var decodedElements: [Float] {
    let stored: [Float]
    switch meaning {
    case .affine(let scales, let zeroPoints):
      let perChannel = codes.count / max(1, scales.count)
      stored = Self.made(codes) { codes, values in
        for channel in scales.indices {
          let (scale, zero) = (scales[channel], Float(zeroPoints[channel]))
          for i in channel * perChannel..<(channel + 1) * perChannel {
            values[i] = (Float(codes[i]) - zero) * scale
          }
        }
      }
    case .codebook(let codebook): stored = lookedUp(in: codebook)
    case .halves(let tensor): stored = tensor.widened?.floats ?? []
    }
    guard let kept else { return stored }
    return [Float](unsafeUninitializedCapacity: kept.count) { values, count in
      var next = 0
      for i in kept.indices {
        values.initializeElement(at: i, to: kept[i] ? stored[next] : 0)
        if kept[i] { next += 1 }
      }
      count = kept.count
    }
  }

  private func lookedUp(in codebook: Codebook) -> [Float] {
    let (groups, size) = (codebook.entries.shape[0], codebook.entries.shape[1])
    let entries = codebook.numbers
    let perGroup = max(1, codes.count / groups)
    var found = Self.made(codes) { codes, values in
      entries.withUnsafeBufferPointer { entries in
        for group in 0..<groups {
          let end = group == groups - 1 ? codes.count : (group + 1) * perGroup
          for i in group * perGroup..<end { values[i] = entries[group * size + Int(codes[i])] }
        }
      }
    }
    guard let scales = codebook.scales else { return found }
    let perScale = max(1, codes.count / scales.count)
    for (number, scale) in scales.enumerated() {
      let end = number == scales.count - 1 ? codes.count : (number + 1) * perScale
      for i in number * perScale..<end { found[i] *= scale }
    }
    return found
  }

  /// As many numbers as codes, filled by `fill`.
  private static func made(
    _ codes: [UInt8],
    fill: (UnsafeBufferPointer<UInt8>, UnsafeMutableBufferPointer<Float>) -> Void
  ) -> [Float] {
    [Float](unsafeUninitializedCapacity: codes.count) { values, count in
      values.update(repeating: 0)
      codes.withUnsafeBufferPointer { fill($0, values) }
      count = codes.count
    }
  }

  /// Multiplies every output channel with a factor, by way of the scales that are stored.
  ///
  /// - Precondition: All weights are kept.
  mutating func scale(by factors: [Float]) {
    precondition(kept == nil, "sparse weights have no scales of channels")
    switch meaning {
    case .affine(let scales, let zeroPoints):
      meaning = .affine(scales: zip(scales, factors).map { $0 * $1 }, zeroPoints: zeroPoints)
    case .codebook(var codebook):
      let scales = codebook.scales ?? [1]
      codebook.scales = factors.indices.map {
        factors[$0] * scales[scales.count == 1 ? 0 : $0]
      }
      meaning = .codebook(codebook)
    case .halves: break
    }
  }

  /// What whole numbers are multiplied with, one or one for each output channel; `nil` for other weights.
  var wholeScales: [Float]? {
    guard isWhole else { return nil }
    switch meaning {
    case .affine(let scales, _): return scales
    case .codebook(let codebook): return codebook.scales
    case .halves: return nil
    }
  }

  /// Whether the weights are whole numbers with scales, as kernels for int8 want them.
  var isWhole: Bool {
    guard kept == nil else { return false }
    switch meaning {
    case .affine: return true
    case .codebook(let codebook): return codebook.entries.elementType == .int8
    case .halves: return false
    }
  }
}

extension Tensor {
  /// `values` rounded to half precision.
  init(halves values: [Float], shape: [Int]) {
    let bytes = values.flatMap { value -> [UInt8] in
      let bits = Float16(value).bitPattern
      return [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)]
    }
    self.init(shape: shape, elementType: .float16, bytes: bytes)
  }
}
