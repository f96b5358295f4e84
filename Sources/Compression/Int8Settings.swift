/// How a model is quantized to int8 after training.
public struct Int8Settings: Hashable, Codable, Sendable {
  /// How the ranges of activations are estimated.
  public var observer = ObserverKind.histogram
  /// Which images are looked at.
  public var calibration = CalibrationSettings()
  /// Whether biases are shifted so that the means of all layers stay.
  public var correctsBias = false
  /// Whether neighbouring layers are made to use their ranges alike beforehand; see
  /// ``CrossLayerEqualization``.
  public var equalizes = false
  /// Whether batch normalisations stay operators of their own; see ``unfused``.
  public var keepsBatchNorms = false
  /// Whether activations use the integers 0 to 127 only.
  ///
  /// Processors without 8-bit dot products (VNNI) may saturate in 16 bits when 8-bit activations
  /// meet 8-bit weights; half the range avoids it and costs one bit of resolution.
  public var reducesRange = false
  /// Which integers weights use.
  ///
  /// The reduced grid costs a bit, and is what every runtime multiplies exactly on every processor.
  public var weightGrid = ChannelQuantization.Grid.reduced

  /// The usual settings: batch norms folded, histogram observer, 512 images.
  public init() {}

  /// What PyTorch's eager mode makes of a ResNet when `fuse_model()` is not called: batch norms
  /// stay, and what is before and behind them is quantized apart; PyTorch's reduced range of
  /// activations and its grid of weights.
  public static var unfused: Int8Settings {
    var settings = Int8Settings()
    settings.keepsBatchNorms = true
    settings.reducesRange = true
    settings.weightGrid = .full
    return settings
  }

  /// The integers that ranges of activations are spread over.
  var activationGrid: ClosedRange<Int> { reducesRange ? 0...127 : 0...255 }
}
