public import Files
internal import Images
internal import Tensors

/// Makes network input from image files: reads, decodes, cuts, resizes, normalises.
///
/// Each thread has its own, because its scratch memory is not shared.
public struct ImagePipeline: ~Copyable {
  /// What is done to every image.
  public let preprocessing: Preprocessing

  private var resizer: Resizer
  private let levels: [Float]

  /// A pipeline for one thread.
  ///
  /// - Precondition: `preprocessing` has no ``Preprocessing/problem``.
  public init(_ preprocessing: Preprocessing) {
    precondition(preprocessing.problem == nil, preprocessing.problem ?? "")
    self.preprocessing = preprocessing
    levels = preprocessing.levels
    resizer = Resizer(preprocessing.interpolation == .bilinear ? .triangle : .cubic)
  }

  /// Reads the image at `path` and brings it to the network's size.
  ///
  /// A JPEG is decoded at 1/2, 1/4 or 1/8 where a square is cut of which at least `size` pixels
  /// remain. The other ways of resizing decode every pixel, and give those of Pillow.
  ///
  /// - Returns: Red, green and blue of each pixel, ``Preprocessing/valueCount`` values.
  /// - Throws: `FileError` when the file cannot be read or is not a whole JPEG or PNG.
  public mutating func pixels(_ path: String) throws(FileError) -> [UInt8] {
    let bytes = try Files.read(path)
    let size = preprocessing.size
    if PNG.recognizes(bytes) {
      let image = try PNG.decode(bytes, from: path)
      return try fitted(image, decodedFrom: (image.width, image.height), path)
    }
    guard JPEGDecoder.recognizes(bytes) else {
      throw FileError(path, "is neither a JPEG nor a PNG")
    }
    var full = (width: 0, height: 0)
    let crop = preprocessing.crop
    let image = try JPEGDecoder.decode(bytes, from: path) { width, height in
      full = (width, height)
      guard preprocessing.resizing == .square else { return 1 }
      let side = min(crop ?? .max, width, height)
      return [8, 4, 2].first { side / $0 >= size } ?? 1
    }
    return try fitted(image, decodedFrom: full, path)
  }

  /// Brings a decoded image to the network's size.
  private mutating func fitted(
    _ image: Image, decodedFrom full: (width: Int, height: Int), _ path: String
  ) throws(FileError) -> [UInt8] {
    let (width, height) = (preprocessing.columns, preprocessing.size)
    switch preprocessing.resizing {
    case .square: return square(of: image, decodedFrom: full)
    case .stretch:
      let all = Box(
        left: 0, top: 0, width: Double(image.width), height: Double(image.height))
      return resizer.resize(image, box: all, width: width, height: height).pixels
    case .shorterSide(let side):
      // torchvision rounds the longer side down, and the place of the cut to even.
      let longer = side * max(image.width, image.height) / min(image.width, image.height)
      guard longer * side <= JPEGDecoder.largestPixelCount else {
        throw FileError(path, "is too narrow: resized it would be \(side) x \(longer)")
      }
      let isWide = image.width > image.height
      let (columns, rows) = isWide ? (longer, side) : (side, longer)
      let all = Box(
        left: 0, top: 0, width: Double(image.width), height: Double(image.height))
      let resized = resizer.resize(image, box: all, width: columns, height: rows)
      let middle = { (extent: Int, part: Int) in
        Int((Double(extent - part) / 2).rounded(.toNearestOrEven))
      }
      return resized.cropped(
        x: middle(columns, width), y: middle(rows, height), width: width, height: height
      ).pixels
    }
  }

  /// Cuts and resizes a decoded image.
  private mutating func square(of image: Image, decodedFrom full: (width: Int, height: Int))
    -> [UInt8]
  {
    let side = min(preprocessing.crop ?? .max, full.width, full.height)
    // Scaled decoding rounds sizes up, so a pixel of the full image is this much of one here.
    let scale = Double(image.width) / Double(full.width)
    let width = min(Double(side) * scale, Double(image.width))
    let height = min(Double(side) * scale, Double(image.height))
    let left = min(Double((full.width - side) / 2) * scale, Double(image.width) - width)
    let top = min(Double((full.height - side) / 2) * scale, Double(image.height) - height)
    let box = Box(left: left, top: top, width: width, height: height)
    return resizer.resize(
      image, box: box, width: preprocessing.size, height: preprocessing.size
    ).pixels
  }

  /// Normalises `pixels` into `output`, perhaps mirrored and moved.
  ///
  /// - Parameters:
  ///   - pixels: What ``pixels(_:)`` returned.
  ///   - output: Float32 of the shape ``Preprocessing/shape``.
  ///   - flipped: Whether left and right change places.
  ///   - right: How far the picture moves to the right, in pixels; edges are repeated.
  ///   - down: How far it moves down.
  /// - Precondition: `output` has ``Preprocessing/valueCount`` elements.
  public func normalize(
    _ pixels: [UInt8], into output: UnsafeMutableBufferPointer<Float>, flipped: Bool = false,
    right: Int = 0, down: Int = 0
  ) {
    let (height, width) = (preprocessing.size, preprocessing.columns)
    let area = height * width
    precondition(output.count == 3 * area && pixels.count == 3 * area, "an image of another size")
    let input = pixels.span
    let levels = self.levels.span
    // One pixel's values are a plane apart, or side by side.
    let (step, apart) = preprocessing.layout == .planes ? (1, area) : (3, 1)
    let (red, blue) = preprocessing.order == .rgb ? (0, 2 * apart) : (2 * apart, 0)
    for y in 0..<height {
      let row = min(max(y - down, 0), height - 1) * width
      for x in 0..<width {
        let moved = min(max(x - right, 0), width - 1)
        let from = (row + (flipped ? width - 1 - moved : moved)) * 3
        let to = (y * width + x) * step
        output[to + red] = levels[Int(input[from])]
        output[to + apart] = levels[256 + Int(input[from + 1])]
        output[to + blue] = levels[512 + Int(input[from + 2])]
      }
    }
  }

  /// Normalises `pixels` into `output` after the random changes of `augmentation`.
  ///
  /// The changes depend on `seed`, `epoch` and `row` alone.
  public func normalize(
    _ pixels: [UInt8], into output: UnsafeMutableBufferPointer<Float>,
    augmentation: Augmentation, seed: UInt64, epoch: Int, row: Int
  ) {
    var epochs = SplitMix64(seed: seed, stream: UInt64(bitPattern: Int64(epoch)))
    var random = SplitMix64(seed: epochs.next(), stream: UInt64(bitPattern: Int64(row)))
    let flipped = random.next() & 1 == 1 && augmentation.flips
    let span = 2 * max(0, augmentation.shift) + 1
    let right = random.below(span) - span / 2
    let down = random.below(span) - span / 2
    normalize(pixels, into: output, flipped: flipped, right: right, down: down)
  }
}
