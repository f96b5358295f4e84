import CTurboJPEG

/// Turns pictures into JPEG files.
///
/// Owns the compressor and its buffer, so that many pictures of one size cost no allocation.
/// Belongs to one thread at a time.
public final class JPEGEncoder {
  /// From 1 to 100, as the JPEG group's own encoder understands it.
  public let quality: Int

  private let handle: tjhandle
  private var buffer: UnsafeMutablePointer<UInt8>?
  private var capacity = 0

  /// An encoder with half the colour resolution both ways (4:2:0), as photographs have.
  ///
  /// - Precondition: `quality` is from 1 to 100.
  public init(quality: Int = 85) {
    precondition((1...100).contains(quality), "JPEG quality is from 1 to 100")
    guard let handle = tjInitCompress() else { preconditionFailure("no memory for a compressor") }
    self.handle = handle
    self.quality = quality
  }

  deinit {
    tjDestroy(handle)
    tjFree(buffer)
  }

  /// The JPEG file of `canvas`, over black where it is transparent.
  public func encode(_ canvas: Canvas) -> [UInt8] {
    let (width, height) = (canvas.width, canvas.height)
    return canvas.withPixels { pixels in
      pixels.withUnsafeMutableBytes { bytes in
        let start = bytes.bindMemory(to: UInt8.self).baseAddress
        #if _endian(little)
        let format = TJPF_BGRX
        #else
        let format = TJPF_XRGB
        #endif
        return compress(start, width, height, Int32(format.rawValue))
      }
    }
  }

  /// The JPEG file of `image`.
  public func encode(_ image: Image) -> [UInt8] {
    image.pixels.withUnsafeBufferPointer { pixels in
      compress(pixels.baseAddress, image.width, image.height, Int32(TJPF_RGB.rawValue))
    }
  }

  private func compress(
    _ pixels: UnsafePointer<UInt8>?, _ width: Int, _ height: Int, _ format: Int32
  ) -> [UInt8] {
    let subsampling = Int32(TJSAMP_420.rawValue)
    let needed = Int(tjBufSize(Int32(width), Int32(height), subsampling))
    if needed > capacity {
      tjFree(buffer)
      buffer = tjAlloc(Int32(needed))
      capacity = needed
    }
    var size = UInt(capacity)
    let status = tjCompress2(
      handle, pixels, Int32(width), 0, Int32(height), format, &buffer, &size, subsampling,
      Int32(quality), TJFLAG_NOREALLOC)
    guard status == 0, let buffer else {
      preconditionFailure("JPEG: \(String(cString: tjGetErrorStr2(handle)))")
    }
    return Array(UnsafeBufferPointer(start: buffer, count: Int(size)))
  }
}
