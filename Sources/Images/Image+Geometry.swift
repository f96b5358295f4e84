extension Image {
  /// The same picture with another number of pixels, by ``Resizer``.
  ///
  /// - Precondition: `width` and `height` are positive, and so are the image's.
  public func resized(width: Int, height: Int) -> Image {
    var resizer = Resizer()
    let all = Box(left: 0, top: 0, width: Double(self.width), height: Double(self.height))
    return resizer.resize(self, box: all, width: width, height: height)
  }

  /// The part whose upper left corner is at column `x` and row `y`.
  ///
  /// - Precondition: the part is inside the image.
  public func cropped(x: Int, y: Int, width: Int, height: Int) -> Image {
    precondition(
      x >= 0 && y >= 0 && width >= 0 && height >= 0 && x + width <= self.width
        && y + height <= self.height, "the part must be inside the image")
    var part: [UInt8] = []
    part.reserveCapacity(width * height * 3)
    for row in y..<y + height {
      let start = (row * self.width + x) * 3
      part += pixels[start..<start + width * 3]
    }
    return Image(width: width, height: height, pixels: part)
  }

  /// The picture in a mirror: left and right change places.
  public func flippedHorizontally() -> Image {
    var flipped = self
    for row in 0..<height {
      for column in 0..<width {
        for channel in 0..<3 {
          flipped.pixels[(row * width + column) * 3 + channel] =
            pixels[(row * width + width - 1 - column) * 3 + channel]
        }
      }
    }
    return flipped
  }
}
