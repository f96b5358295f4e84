/// What happens to an image before a network sees it.
///
/// It is written into the model's file, so that whoever runs the model does what training did. An
/// image becomes `(level / divisor - mean) / deviation`, channel by channel.
public struct Preprocessing: Hashable, Sendable {
  /// The height in pixels of the network's input, and its width where ``width`` is nil.
  public var size: Int

  /// The width in pixels of the network's input where it is not a square.
  public var width: Int?

  /// The width and height in pixels of the square cut from the middle first; nil, or more than the
  /// image has, cuts the largest square there is.
  ///
  /// It only counts for ``Resizing/square``.
  public var crop: Int?

  /// How an image gets the network's size.
  public var resizing = Resizing.square

  /// How pixels are weighted when an image is resized.
  public var interpolation = Interpolation.bilinear

  /// Which colour comes first.
  public var order = ChannelOrder.rgb

  /// Whether the channels are planes or lie together in each pixel.
  public var layout = Layout.planes

  /// What the levels from 0 to 255 are divided by first.
  public var divisor: Float = 255

  /// What is subtracted from red, green and blue.
  public var mean: [Float]

  /// What red, green and blue are divided by afterwards.
  public var deviation: [Float]

  /// How an image gets the network's size.
  public enum Resizing: Hashable, Sendable {
    /// A square is cut from the middle and resized.
    case square
    /// The whole image is resized, whatever its shape.
    case stretch
    /// The shorter side is resized to so many pixels, and the middle cut out, as torchvision does.
    case shorterSide(Int)
  }

  /// How pixels are weighted; see `Resizer.Filter`.
  public enum Interpolation: String, Hashable, Codable, Sendable, CaseIterable {
    case bilinear, bicubic
  }

  /// Which colour a network's first channel is.
  public enum ChannelOrder: String, Hashable, Codable, Sendable, CaseIterable { case rgb, bgr }

  /// How an image's values are ordered.
  public enum Layout: String, Hashable, Codable, Sendable, CaseIterable {
    /// `[3, height, width]`.
    case planes = "nchw"
    /// `[height, width, 3]`.
    case pixels = "nhwc"
  }

  /// The largest square, resized to `size`, with the mean and deviation of ImageNet's colours.
  public init(size: Int = 64) {
    self.size = size
    mean = [0.485, 0.456, 0.406]
    deviation = [0.229, 0.224, 0.225]
  }

  /// The width in pixels of the network's input.
  public var columns: Int { width ?? size }

  /// The shape of one image as the network sees it.
  public var shape: [Int] { layout == .planes ? [3, size, columns] : [size, columns, 3] }

  /// The number of values of one image as the network sees it.
  public var valueCount: Int { 3 * size * columns }

  /// What is wrong with it, if anything is; it may come from a file.
  public var problem: String? {
    if !(1...4096 ~= size) { return "size \(size) is not from 1 to 4096" }
    if !(1...4096 ~= columns) { return "width \(columns) is not from 1 to 4096" }
    if let crop, crop < 1 { return "crop \(crop) is not positive" }
    switch resizing {
    case .square where columns != size:
      return "resize square needs a square, but the input is \(size) x \(columns)"
    case .shorterSide(let side) where !(max(size, columns)...8192 ~= side):
      return "the shorter side \(side) is not from \(max(size, columns)) to 8192"
    default: break
    }
    if mean.count != 3 || deviation.count != 3 {
      return "mean and deviation need three values, found \(mean.count) and \(deviation.count)"
    }
    if !(mean + deviation).allSatisfy(\.isFinite) || !deviation.allSatisfy({ $0 > 0 }) {
      return "mean must be finite and deviation positive, found \(mean) and \(deviation)"
    }
    if !(divisor > 0 && divisor.isFinite) { return "divisor \(divisor) is not positive" }
    return nil
  }

  /// The value the network sees for each of the 256 levels of red, then of green, then of blue.
  var levels: [Float] {
    (0..<3).flatMap { channel in
      (0..<256).map { (Float($0) / divisor - mean[channel]) / deviation[channel] }
    }
  }
}

/// Random changes of training images that keep their meaning.
///
/// What happens to an image depends on the seed, the epoch and the image's row alone.
public struct Augmentation: Hashable, Codable, Sendable {
  /// Whether every second image is mirrored.
  public var flips: Bool

  /// Images are moved by up to this many pixels of the network's input in each direction; edges are
  /// repeated outwards. (A random crop of an image padded by as much.)
  public var shift: Int

  /// Mirroring, and moving by up to `shift` pixels.
  public init(flips: Bool = true, shift: Int = 0) {
    self.flips = flips
    self.shift = shift
  }
}
