/// A picture in memory: 8-bit red, green and blue, interleaved.
public struct Image: Hashable, Sendable {
  /// The number of columns.
  public let width: Int

  /// The number of rows.
  public let height: Int

  /// Red, green, blue of each pixel, row by row from the top left: `width * height * 3` values.
  ///
  /// Change values in place; keep the count.
  public var pixels: [UInt8]

  /// A picture of `pixels`.
  ///
  /// - Precondition: `pixels` has `width * height * 3` values.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(pixels.count == width * height * 3, "three values a pixel are needed")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// A black picture.
  public init(width: Int, height: Int) {
    self.init(width: width, height: height, pixels: Array(repeating: 0, count: width * height * 3))
  }
}
