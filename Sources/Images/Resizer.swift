/// A rectangle of an image in pixels; edges may fall inside pixels.
public struct Box: Hashable, Sendable {
  /// The left edge.
  public var left: Double
  /// The upper edge.
  public var top: Double
  /// From left to right.
  public var width: Double
  /// From top to bottom.
  public var height: Double

  /// A rectangle by its upper left corner and its extent.
  public init(left: Double, top: Double, width: Double, height: Double) {
    self.left = left
    self.top = top
    self.width = width
    self.height = height
  }
}

/// Resizes with a filter that widens when the image shrinks, so that nothing aliases.
///
/// Each output pixel is a weighted mean of the input pixels within one output pixel's width of its
/// centre (or within one input pixel's, when the image grows; twice that with the cubic filter):
/// along rows first, then along columns, each rounded to 8 bits. Weights are fixed-point numbers of
/// 22 bits. This is what Pillow does and torchvision calls `antialias=True`.
///
/// A resizer keeps its weights and its scratch memory between calls; each thread has its own.
public struct Resizer {
  private var columns: Taps?
  private var rows: Taps?
  private var between: [UInt8] = []
  private let filter: Filter

  /// How much each input pixel counts, by its distance.
  public enum Filter: Hashable, Sendable {
    /// A triangle, two pixels wide: Pillow's `BILINEAR`.
    case triangle
    /// Cubic convolution with a = -0.5, four pixels wide: Pillow's `BICUBIC`.
    ///
    /// Source: R. Keys, *Cubic Convolution Interpolation for Digital Image Processing*, IEEE
    /// Transactions on Acoustics, Speech, and Signal Processing 29(6), 1981, equation 15.
    case cubic
  }

  /// A resizer that has seen no image yet.
  public init(_ filter: Filter = .triangle) { self.filter = filter }

  /// Resizes the part of `image` inside `box`.
  ///
  /// Pixels outside `box` have no influence.
  ///
  /// - Precondition: `box` is inside the image and not empty; `width` and `height` are positive.
  public mutating func resize(_ image: Image, box: Box, width: Int, height: Int) -> Image {
    precondition(width > 0 && height > 0, "an image has at least one pixel")
    precondition(
      box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0
        && box.left + box.width <= Double(image.width)
        && box.top + box.height <= Double(image.height), "the box must be inside the image")
    let across = Taps.reusing(columns, filter, from: box.left, extent: box.width, to: width)
    let down = Taps.reusing(rows, filter, from: box.top, extent: box.height, to: height)
    columns = across
    rows = down

    let first = down.starts[0]
    let last = down.starts[height - 1] + down.counts[height - 1]
    let needed = (last - first) * width * 3
    if between.count < needed { between = [UInt8](repeating: 0, count: needed) }
    narrow(image, across, rows: first..<last)
    let pixels = flatten(down, offset: first, rowLength: width * 3)
    return Image(width: width, height: height, pixels: pixels)
  }

  /// Resizes along rows, from `image` into `between`.
  private mutating func narrow(_ image: Image, _ taps: Taps, rows: Range<Int>) {
    let input = image.pixels.span
    var output = between.mutableSpan
    let weights = taps.weights.span
    var at = 0
    for y in rows {
      let row = y * image.width
      for x in 0..<taps.count {
        var red: Int32 = Taps.half
        var green = red
        var blue = red
        var from = (row + taps.starts[x]) * 3
        let weight = x * taps.stride
        // Weights add up to 2^22, those below 0 to a third of it at most, and pixels are at most
        // 255, so no sum leaves 31 bits.
        for k in 0..<taps.counts[x] {
          let w = weights[weight + k]
          red &+= w &* Int32(input[from])
          green &+= w &* Int32(input[from + 1])
          blue &+= w &* Int32(input[from + 2])
          from += 3
        }
        output[at] = Taps.round(red)
        output[at + 1] = Taps.round(green)
        output[at + 2] = Taps.round(blue)
        at += 3
      }
    }
  }

  /// Resizes along columns, from `between` into the result.
  private func flatten(_ taps: Taps, offset: Int, rowLength: Int) -> [UInt8] {
    let input = between.span
    var memory = [Int32](repeating: 0, count: rowLength)
    var sums = memory.mutableSpan
    return [UInt8](unsafeUninitializedCapacity: taps.count * rowLength) { output, count in
      for y in 0..<taps.count {
        for x in 0..<rowLength { sums[x] = Taps.half }
        for k in 0..<taps.counts[y] {
          let weight = taps.weights[y * taps.stride + k]
          let from = (taps.starts[y] - offset + k) * rowLength
          let row = input.extracting(from..<from + rowLength)
          for x in 0..<rowLength { sums[x] &+= weight &* Int32(row[x]) }
        }
        for x in 0..<rowLength { output[y * rowLength + x] = Taps.round(sums[x]) }
      }
      count = output.count
    }
  }
}

/// The weights of one direction: output pixel `i` is made of `counts[i]` pixels from `starts[i]`.
private struct Taps {
  static let bits: Int32 = 22
  static let half: Int32 = 1 << (bits - 1)

  let from: Double
  let extent: Double
  let count: Int
  private(set) var stride = 0
  private(set) var starts: [Int] = []
  private(set) var counts: [Int] = []
  private(set) var weights: [Int32] = []

  static func reusing(
    _ old: Taps?, _ filter: Resizer.Filter, from: Double, extent: Double, to count: Int
  ) -> Taps {
    if let old, old.from == from, old.extent == extent, old.count == count { return old }
    return Taps(filter, from: from, extent: extent, to: count)
  }

  static func round(_ sum: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: max(0, min(sum >> bits, 255)))
  }

  init(_ filter: Resizer.Filter, from: Double, extent: Double, to count: Int) {
    self.from = from
    self.extent = extent
    self.count = count
    let scale = extent / Double(count)
    let widening = max(scale, 1)
    let support = widening * filter.radius
    let lowest = Int(from)
    let highest = Int((from + extent).rounded(.up))
    stride = Int(support.rounded(.up)) * 2 + 1
    weights = Array(repeating: 0, count: stride * count)
    for i in 0..<count {
      let centre = from + (Double(i) + 0.5) * scale
      let start = max(lowest, Int(max(0, centre - support + 0.5)))
      let end = min(highest, Int(centre + support + 0.5))
      let raw = (start..<end).map { filter.weight(abs((Double($0) + 0.5 - centre) / widening)) }
      let total = raw.reduce(0, +)
      starts.append(start)
      counts.append(raw.count)
      for (k, value) in raw.enumerated() {
        let weight = value / total * Double(1 << Self.bits)
        weights[i * stride + k] = Int32(weight < 0 ? weight - 0.5 : weight + 0.5)
      }
    }
  }
}

extension Resizer.Filter {
  /// How far it reaches, in output pixels of a shrinking image.
  fileprivate var radius: Double { self == .triangle ? 1 : 2 }

  /// The weight of a pixel at `distance`.
  fileprivate func weight(_ distance: Double) -> Double {
    switch self {
    case .triangle: max(0, 1 - distance)
    case .cubic:
      if distance < 1 {
        (1.5 * distance - 2.5) * distance * distance + 1
      } else {
        distance < 2 ? (((distance - 5) * distance + 8) * distance - 4) * -0.5 : 0
      }
    }
  }
}
