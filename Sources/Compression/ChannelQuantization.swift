public import Tensors

/// Weights as 8-bit integers with one scale per output channel and no zero point.
public struct ChannelQuantization: Hashable, Sendable {
  /// Which integers symmetric weights use.
  public enum Grid: String, Hashable, Codable, Sendable, CaseIterable {
    /// From -127 to 127; the largest magnitude of a channel is represented exactly.
    case narrow
    /// From -128 to 127 with 127.5 steps on either side, as PyTorch's observers have it; the
    /// largest positive weight of a channel is clipped by half a step.
    case full
    /// From -64 to 64: two products with 8-bit activations fit 16 bits, so that the sums are exact
    /// on every processor and in every runtime, at the price of a bit. ONNX Runtime's
    /// `reduce_range`.
    case reduced

    /// The scale of a channel is its largest magnitude over this.
    var stepsPerSide: Float {
      switch self {
      case .narrow: 127
      case .full: 127.5
      case .reduced: 64
      }
    }

    /// The integers that may be used.
    var limits: ClosedRange<Int> {
      switch self {
      case .narrow: -127...127
      case .full: -128...127
      case .reduced: -64...64
      }
    }
  }

  /// The shape of the weights, output channels first.
  public var shape: [Int]
  /// The integers, row-major.
  public var integers: [Int8]
  /// The scale of every output channel.
  public var scales: [Float]

  /// Quantizes weights whose first axis is the output channel, rounding to the nearest integer.
  ///
  /// A channel of zeros gets the smallest scale.
  ///
  /// - Precondition: `weights` holds `float32` and has at least one axis.
  public static func symmetric(_ weights: Tensor, grid: Grid) -> ChannelQuantization {
    precondition(!weights.shape.isEmpty, "a scalar has no channels")
    let values = weights.floats
    let channels = weights.shape[0]
    let perChannel = channels == 0 ? 0 : values.count / channels
    var integers = [Int8](repeating: 0, count: values.count)
    var scales = [Float](repeating: 0, count: channels)
    for channel in 0..<channels {
      let members = channel * perChannel..<(channel + 1) * perChannel
      let range = finiteRange(of: Array(values[members]))
      let largest = max(-(range?.lower ?? 0), range?.upper ?? 0)
      let scale = max(largest / grid.stepsPerSide, QuantizationParameters.smallestScale)
      scales[channel] = scale
      let parameters = QuantizationParameters(scale: scale, zeroPoint: 0)
      for i in members {
        integers[i] = Int8(parameters.quantize(values[i], limits: grid.limits))
      }
    }
    return ChannelQuantization(shape: weights.shape, integers: integers, scales: scales)
  }

  /// The real weights that the integers stand for.
  public var dequantized: Tensor {
    let perChannel = scales.isEmpty ? 0 : integers.count / scales.count
    let values = integers.indices.map { Float(integers[$0]) * scales[$0 / max(perChannel, 1)] }
    return Tensor(shape: shape, values)
  }
}

extension ChannelQuantization {
  /// The integers of codes that are 128 above them.
  ///
  /// - Precondition: `coded` is an even grid of 8 bits with 128 for zero.
  init(_ coded: CodedWeights) {
    guard case .affine(let scales, let zeroPoints) = coded.meaning,
      zeroPoints.allSatisfy({ $0 == 128 })
    else { preconditionFailure("these codes are not integers above 128") }
    self.init(
      shape: coded.shape, integers: coded.codes.map { Int8(Int($0) - 128) }, scales: scales)
  }

  /// The integers as codes that are 128 above them.
  var coded: CodedWeights {
    CodedWeights(
      shape: shape, bits: 8, codes: integers.map { UInt8(Int($0) + 128) },
      meaning: .affine(
        scales: scales, zeroPoints: [UInt8](repeating: 128, count: scales.count)))
  }
}
