import Foundation
import Graphs
import Tensors

/// The numbers behind one tensor that tuning moves, and how they become the weights of the file.
///
/// - Of a codebook, the entries: the gradient of an entry is the sum over its weights. Where codes
///   move too, there is a real weight behind each: the forward pass sees the nearest entry, and
///   gradients pass straight through.
/// - Of an even grid, a real weight for each code: the forward pass sees the nearest point of the
///   grid, and gradients pass straight through where the weight is inside the grid. Its scales may
///   move too; see ``LearnedSteps``.
/// - Of weights that are stored as they are, those weights.
///
/// Source: S. Han, H. Mao, W. Dally, *Deep Compression*, ICLR 2016, section 3.3 (entries);
/// Y. Bengio, N. Léonard, A. Courville, *Estimating or Propagating Gradients Through Stochastic
/// Neurons*, 2013 (straight through).
struct LatentWeights: Sendable {
  /// The numbers that move: entries of codebooks, else real weights.
  private(set) var values: [Float]
  /// The real weights behind codes into a codebook; `nil` where codes stay.
  private(set) var behind: [Float]?
  /// How the tensor is stored; `nil` for one that stays real.
  private(set) var coded: CodedWeights?
  private let shape: [Int]
  private let isAffine: Bool
  private let limits: ClosedRange<Int>?
  private let size: Float
  private let entrySize: Float
  private var steps: LearnedSteps?
  private var adam: Adam
  private var adamBehind: Adam

  /// The numbers behind `tensor`.
  ///
  /// - Parameters:
  ///   - tensor: The float weights.
  ///   - coded: How they are stored; `nil` for a tensor that stays real.
  ///   - isAffine: Whether the lowest code of an even grid is used.
  ///   - limits: The numbers of steps from zero that an even grid has, where its width does not say.
  ///   - movesCodes: Whether a weight may come to another entry of its codebook.
  ///   - dropsGradually: Whether weights that are dropped are still known, so that they may come back.
  ///   - movesScales: Whether the scales of an even grid move.
  init(
    _ tensor: Tensor, coded: CodedWeights?, isAffine: Bool, limits: ClosedRange<Int>? = nil,
    movesCodes: Bool = false, dropsGradually: Bool = false, movesScales: Bool = false
  ) {
    self.coded = coded
    shape = tensor.shape
    let weights = tensor.floats
    self.isAffine = isAffine
    self.limits = limits
    if movesScales, case .affine(let scales, _) = coded?.meaning { steps = LearnedSteps(scales) }
    switch coded?.meaning {
    case nil, .affine: values = weights
    case .codebook(let codebook):
      values = codebook.numbers
      if movesCodes {
        behind =
          coded?.kept.map { kept in weights.indices.filter { kept[$0] }.map { weights[$0] } }
          ?? weights
      }
    case .halves(let stored):
      values = stored.widened?.floats ?? []
      if dropsGradually { behind = weights }
    }
    size = max(Self.rootMeanSquare(weights), 1e-6)
    // Entries are as large as weights are before their scales.
    entrySize = size / Self.size(ofScalesOf: coded)
    adam = Adam(count: values.count)
    adamBehind = Adam(count: behind?.count ?? 0)
  }

  /// The real weights, dropped ones too where they are still known.
  var real: Tensor { Tensor(shape: shape, behind ?? values) }

  /// The weights as any runtime will see them.
  var decoded: Tensor { Tensor(shape: shape, decodedElements) }

  /// The same, row-major.
  var decodedElements: [Float] { coded?.decodedElements ?? values }

  /// The gradient of every latent number, given that of every weight.
  func gradients(of weights: [Float]) -> [Float] {
    guard let coded else { return weights }
    switch coded.meaning {
    case .affine(let scales, let zeroPoints):
      var result = weights
      let perChannel = weights.count / max(1, scales.count)
      for channel in scales.indices {
        let grid = grid(zeroPoint: zeroPoints[channel])
        let (low, high) = (grid.lowerBound * scales[channel], grid.upperBound * scales[channel])
        for i in channel * perChannel..<(channel + 1) * perChannel
        where values[i] < low || values[i] > high { result[i] = 0 }
      }
      return result
    case .halves: return kept(weights)
    case .codebook(let codebook):
      let members = kept(weights)
      let (groups, entries) = (codebook.entries.shape[0], codebook.entries.shape[1])
      let perGroup = max(1, members.count / groups)
      let scales = codebook.scales ?? [1]
      let perScale = max(1, members.count / scales.count)
      var sums = [Double](repeating: 0, count: groups * entries)
      // A sum for each scale's weights first: the scale is common to them.
      let run = min(perScale, perGroup)
      for start in stride(from: 0, to: members.count, by: run) {
        let scale = Double(scales[min(start / perScale, scales.count - 1)])
        Self.add(
          members, coded.codes, start..<min(start + run, members.count), scale,
          to: &sums, at: start / perGroup * entries)
      }
      return sums.map { Float($0) }
    }
  }

  private static func add(
    _ values: [Float], _ codes: [UInt8], _ range: Range<Int>, _ scale: Double,
    to sums: inout [Double], at first: Int
  ) {
    // Four sums of each entry: one would have to wait for its last term every time.
    let parts = 4
    var own = [Double](repeating: 0, count: parts * 256)
    own.withUnsafeMutableBufferPointer { own in
      values.withUnsafeBufferPointer { values in
        codes.withUnsafeBufferPointer { codes in
          let whole = range.lowerBound + range.count / parts * parts
          for i in stride(from: range.lowerBound, to: whole, by: parts) {
            for part in 0..<parts {
              own[part * 256 + Int(codes[i + part])] += Double(values[i + part])
            }
          }
          for i in whole..<range.upperBound { own[Int(codes[i])] += Double(values[i]) }
        }
      }
    }
    for entry in 0..<min(256, sums.count - first) {
      sums[first + entry] += scale * (0..<parts).reduce(0) { $0 + own[$1 * 256 + entry] }
    }
  }

  private func kept(_ weights: [Float]) -> [Float] {
    guard let kept = coded?.kept else { return weights }
    return [Float](unsafeUninitializedCapacity: weights.count) { values, count in
      for i in weights.indices where kept[i] {
        values.initializeElement(at: count, to: weights[i])
        count += 1
      }
    }
  }

  /// Takes one step of Adam, as large as `rate` times the size of the tensor's weights at most.
  ///
  /// - Parameters:
  ///   - gradient: That of the objective on every weight as stored.
  ///   - rate: The largest step, as a share of the root mean square of the weights.
  ///   - number: Counts steps from 1.
  mutating func step(_ gradient: [Float], rate: Float, number: Int) {
    if case .halves = coded?.meaning, let dense = behind, let kept = coded?.kept {
      // The dropped ones stay as they are.
      var weights = dense
      behind = nil
      adamBehind.step(&weights, gradient, rate: rate * size, number: number)
      for i in weights.indices where !kept[i] { weights[i] = dense[i] }
      behind = weights
      encode()
      return
    }
    let ofScales = scaleGradients(of: gradient)
    adam.step(&values, gradients(of: gradient), rate: rate * entrySize, number: number)
    if let ofScales { steps?.step(ofScales, rate: rate, number: number) }
    if var weights = behind {
      behind = nil
      adamBehind.step(&weights, kept(gradient), rate: rate * size, number: number)
      behind = weights
    }
    encode()
  }

  /// The gradient of every scale that moves; `nil` where none does.
  private func scaleGradients(of weights: [Float]) -> [Float]? {
    guard steps != nil, case .affine(let scales, let zeroPoints) = coded?.meaning else {
      return nil
    }
    let perChannel = values.count / max(1, scales.count)
    return scales.indices.map { channel in
      let members = channel * perChannel..<(channel + 1) * perChannel
      return LearnedSteps.gradient(
        weights[members], behind: values[members], scale: scales[channel],
        grid: grid(zeroPoint: zeroPoints[channel]))
    }
  }

  /// How large the numbers are that entries of a codebook are multiplied with.
  private static func size(ofScalesOf coded: CodedWeights?) -> Float {
    guard case .codebook(let codebook) = coded?.meaning, let scales = codebook.scales else {
      return 1
    }
    return max(rootMeanSquare(scales), 1e-20)
  }

  private static func rootMeanSquare(_ values: [Float]) -> Float {
    let sum = values.reduce(0) { $0 + Double($1) * Double($1) }
    return Float((sum / Double(max(1, values.count))).squareRoot())
  }

  /// The least and the greatest number of steps from zero of a channel's even grid.
  private func grid(zeroPoint: UInt8) -> ClosedRange<Float> {
    if let limits { return Float(limits.lowerBound)...Float(limits.upperBound) }
    // Symmetric grids leave the lowest code out; a channel of zeros has zero as its lowest.
    let bottom = isAffine || zeroPoint == 0 ? 0 : 1
    let top = 1 << (coded?.bits ?? 1) - 1
    return Float(bottom - Int(zeroPoint))...Float(top - Int(zeroPoint))
  }

  /// Drops all weights but some, where dropped ones are still known.
  mutating func keep(_ kept: [Bool]) {
    coded?.kept = kept
    encode()
  }

  /// Makes the stored form follow the latent numbers.
  private mutating func encode() {
    guard var coded else { return }
    switch coded.meaning {
    case .affine(let old, let zeroPoints):
      let scales = steps?.scales ?? old
      let perChannel = values.count / max(1, scales.count)
      for channel in scales.indices {
        let (inverse, zero) = (1 / scales[channel], Float(zeroPoints[channel]))
        let grid = grid(zeroPoint: zeroPoints[channel])
        for i in channel * perChannel..<(channel + 1) * perChannel {
          let count = (values[i] * inverse).rounded(.toNearestOrEven)
          coded.codes[i] = UInt8(min(max(count, grid.lowerBound), grid.upperBound) + zero)
        }
      }
      coded.meaning = .affine(scales: scales, zeroPoints: zeroPoints)
    case .codebook(var codebook):
      let shape = codebook.entries.shape
      switch codebook.entries.elementType {
      case .float16: codebook.entries = Tensor(halves: values, shape: shape)
      case .int8:
        codebook.entries = Tensor(
          shape: shape, values.map { Int8(min(max($0.rounded(.toNearestOrEven), -127), 127)) })
      default: codebook.entries = Tensor(shape: shape, values)
      }
      if let behind { coded.codes = codebook.nearestCodes(of: behind) }
      coded.meaning = .codebook(codebook)
    case .halves:
      if let behind {
        values = behind.indices.filter { coded.kept?[$0] ?? true }.map { behind[$0] }
      }
      coded.meaning = .halves(Tensor(halves: values, shape: [values.count]))
    }
    self.coded = coded
  }
}
