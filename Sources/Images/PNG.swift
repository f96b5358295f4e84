import CCairo
public import Files

/// PNG files, through cairo.
public enum PNG {
  /// The most pixels a PNG file may have to be read: a larger one is likely broken or hostile.
  public static let mostPixels = 100_000_000

  /// The PNG file of `canvas`, without its transparency: over black.
  public static func encode(_ canvas: Canvas) -> [UInt8] { encode(canvas.image()) }

  /// The PNG file of `image`, 8 bits a channel.
  public static func encode(_ image: Image) -> [UInt8] {
    let surface = cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, Int32(image.width), Int32(image.height))
    defer { cairo_surface_destroy(surface) }
    guard cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS,
      let data = cairo_image_surface_get_data(surface)
    else { preconditionFailure("no picture of \(image.width) x \(image.height)") }
    data.withMemoryRebound(to: UInt32.self, capacity: image.width * image.height) { target in
      for i in 0..<image.width * image.height {
        let red = UInt32(image.pixels[i * 3])
        let green = UInt32(image.pixels[i * 3 + 1])
        let blue = UInt32(image.pixels[i * 3 + 2])
        target[i] = red << 16 | green << 8 | blue
      }
    }
    cairo_surface_mark_dirty(surface)
    var bytes: [UInt8] = []
    let status = withUnsafeMutablePointer(to: &bytes) { target in
      cairo_surface_write_to_png_stream(
        surface,
        { closure, data, count in
          guard let closure, let data else { return CAIRO_STATUS_WRITE_ERROR }
          let target = closure.assumingMemoryBound(to: [UInt8].self)
          target.pointee.append(contentsOf: UnsafeBufferPointer(start: data, count: Int(count)))
          return CAIRO_STATUS_SUCCESS
        }, target)
    }
    precondition(status == CAIRO_STATUS_SUCCESS, "a PNG file can be made in memory")
    return bytes
  }

  /// Whether `bytes` begin as a PNG file does.
  public static func recognizes(_ bytes: [UInt8]) -> Bool {
    bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  }

  /// Reads the PNG file at `path`; transparent parts become white.
  ///
  /// - Throws: `FileError` when it cannot be read or is not a whole PNG file.
  public static func read(_ path: String) throws(FileError) -> Image {
    try decode(try Files.read(path), from: path)
  }

  /// The picture in `bytes`, a PNG file; transparent parts become white.
  ///
  /// - Parameters:
  ///   - bytes: The contents of the file.
  ///   - path: Where the bytes are from, for the error message.
  /// - Returns: The picture.
  /// - Throws: `FileError` when `bytes` is not a whole PNG file, or is one of more than
  ///   ``mostPixels`` pixels.
  public static func decode(_ bytes: [UInt8], from path: String) throws(FileError) -> Image {
    let (width, height) = try size(bytes, from: path)
    var reader = Reader(bytes: bytes)
    let decoded = withUnsafeMutablePointer(to: &reader) { source in
      cairo_image_surface_create_from_png_stream(
        { closure, data, count in
          guard let closure, let data else { return CAIRO_STATUS_READ_ERROR }
          return closure.assumingMemoryBound(to: Reader.self).pointee.take(data, Int(count))
        }, source)
    }
    defer { cairo_surface_destroy(decoded) }
    let status = cairo_surface_status(decoded)
    guard status == CAIRO_STATUS_SUCCESS else {
      let reason =
        status == CAIRO_STATUS_READ_ERROR ? "it is truncated or damaged" : "it is damaged"
      throw FileError(path, "is not a readable PNG image: \(reason)")
    }
    let flat = cairo_image_surface_create(CAIRO_FORMAT_RGB24, Int32(width), Int32(height))
    defer { cairo_surface_destroy(flat) }
    let context = cairo_create(flat)
    cairo_set_source_rgb(context, 1, 1, 1)
    cairo_paint(context)
    cairo_set_source_surface(context, decoded, 0, 0)
    cairo_paint(context)
    cairo_destroy(context)
    cairo_surface_flush(flat)
    guard let data = cairo_image_surface_get_data(flat) else {
      throw FileError(path, "needs more memory than there is: \(width) x \(height) pixels")
    }
    var image = Image(width: width, height: height)
    data.withMemoryRebound(to: UInt32.self, capacity: width * height) { source in
      for i in 0..<width * height {
        image.pixels[i * 3] = UInt8(truncatingIfNeeded: source[i] >> 16)
        image.pixels[i * 3 + 1] = UInt8(truncatingIfNeeded: source[i] >> 8)
        image.pixels[i * 3 + 2] = UInt8(truncatingIfNeeded: source[i])
      }
    }
    return image
  }

  /// Width and height as the header says, checked before any memory is asked for.
  private static func size(
    _ bytes: [UInt8], from path: String
  ) throws(FileError) -> (width: Int, height: Int) {
    let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
    guard bytes.starts(with: signature), bytes.count >= 24 else {
      throw FileError(path, "is not a PNG image: its first bytes are not a PNG file's")
    }
    func number(at offset: Int) -> Int {
      bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    let (width, height) = (number(at: 16), number(at: 20))
    guard width > 0, height > 0, width <= 32_767, height <= 32_767, width * height <= mostPixels
    else {
      throw FileError(
        path, "is a PNG image of \(width) x \(height) pixels; at most \(mostPixels) can be read")
    }
    return (width, height)
  }

  private struct Reader {
    var bytes: [UInt8]
    var offset = 0

    mutating func take(_ target: UnsafeMutablePointer<UInt8>, _ count: Int) -> cairo_status_t {
      guard count <= bytes.count - offset else { return CAIRO_STATUS_READ_ERROR }
      for i in 0..<count { target[i] = bytes[offset + i] }
      offset += count
      return CAIRO_STATUS_SUCCESS
    }
  }
}
