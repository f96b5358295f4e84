/// What happens to an image before a network sees it.
///
/// It is written into the model's file, so that whoever runs the model does what training did.
public struct Preprocessing: Hashable, Codable, Sendable {
  /// The width and height in pixels that images are resized to.
  public var size: Int

  /// The width and height in pixels of the square cut from the middle first; nil, or more than the
  /// image has, cuts the largest square there is.
  public var crop: Int?

  /// What is subtracted from red, green and blue, on a scale from 0 to 1.
  public var mean: [Float]

  /// What red, green and blue are divided by afterwards.
  public var deviation: [Float]

  /// The largest square, resized to `size`, with the mean and deviation of ImageNet's colours.
  public init(size: Int = 64) {
    self.size = size
    mean = [0.485, 0.456, 0.406]
    deviation = [0.229, 0.224, 0.225]
  }

  /// The number of values of one image as the network sees it: `[3, size, size]`.
  public var valueCount: Int { 3 * size * size }

  /// What is wrong with it, if anything is; it may come from a file.
  public var problem: String? {
    if !(1...4096 ~= size) { return "size \(size) is not from 1 to 4096" }
    if let crop, crop < 1 { return "crop \(crop) is not positive" }
    if mean.count != 3 || deviation.count != 3 {
      return "mean and deviation need three values, found \(mean.count) and \(deviation.count)"
    }
    if !(mean + deviation).allSatisfy(\.isFinite) || !deviation.allSatisfy({ $0 > 0 }) {
      return "mean must be finite and deviation positive, found \(mean) and \(deviation)"
    }
    return nil
  }

  /// The value the network sees for each of the 256 levels of red, then of green, then of blue.
  var levels: [Float] {
    (0..<3).flatMap { channel in
      (0..<256).map { (Float($0) / 255 - mean[channel]) / deviation[channel] }
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
