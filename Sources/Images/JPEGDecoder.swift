internal import CTurboJPEG
public import Files
internal import Foundation

/// Decodes JPEG files with libjpeg-turbo.
///
/// Every image gets a handle of its own. A handle that is used again keeps tables of the image
/// before, also of a damaged one, and a file that lacks tables would then decode differently from
/// run to run; a new handle costs a fraction of a microsecond.
public enum JPEGDecoder {
  /// Larger images are refused: a few hundred bytes can claim to be 65 500 pixels wide and high.
  public static let largestPixelCount = 100_000_000

  /// Whether `bytes` begin as a JPEG file does.
  public static func recognizes(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0xff, 0xd8]) }

  /// Decodes a whole JPEG file, perhaps to a fraction of its size.
  ///
  /// - Parameters:
  ///   - bytes: The contents of the file.
  ///   - path: The file's name for errors.
  ///   - denominator: Chooses 1, 2, 4 or 8 from the full width and height: both are divided by it
  ///     and rounded up. Scaled decoding leaves out work on the frequencies that would be lost.
  /// - Returns: The picture in colour, whether or not the file has any.
  /// - Throws: `FileError` when the bytes are not a JPEG file, are cut short or damaged, or claim
  ///   more than ``largestPixelCount`` pixels.
  public static func decode(
    _ bytes: [UInt8], from path: String, denominator: (_ width: Int, _ height: Int) -> Int = one
  ) throws(FileError) -> Image {
    guard let handle = tjInitDecompress() else {
      throw FileError(path, "could not be decoded: no memory for a decoder")
    }
    defer { tjDestroy(handle) }
    var width: Int32 = 0
    var height: Int32 = 0
    var subsampling: Int32 = 0
    var colours: Int32 = 0
    guard
      tjDecompressHeader3(
        handle, bytes, CUnsignedLong(bytes.count), &width, &height, &subsampling, &colours) == 0,
      width > 0, height > 0
    else { throw FileError(path, "is not a readable JPEG: \(reason(handle))") }
    guard Int(width) * Int(height) <= Self.largestPixelCount else {
      throw FileError(
        path, "is \(width) x \(height); at most \(Self.largestPixelCount) pixels are read")
    }
    let divisor = denominator(Int(width), Int(height))
    precondition([1, 2, 4, 8].contains(divisor), "JPEG is decoded at 1, 1/2, 1/4 or 1/8")
    let columns = (Int(width) + divisor - 1) / divisor
    let rows = (Int(height) + divisor - 1) / divisor
    var status: Int32 = 0
    let pixels = [UInt8](unsafeUninitializedCapacity: columns * rows * 3) { buffer, count in
      status = tjDecompress2(
        handle, bytes, CUnsignedLong(bytes.count), buffer.baseAddress, Int32(columns),
        Int32(columns * 3), Int32(rows), Int32(TJPF_RGB.rawValue), TJFLAG_LIMITSCANS)
      // A damaged file may leave rows unwritten; it is then refused below.
      count = buffer.count
    }
    // Stray bytes between markers are common, and lose nothing; other warnings mean lost pixels.
    if status != 0, !reason(handle).contains("extraneous bytes") {
      throw FileError(path, "is a damaged JPEG: \(reason(handle))")
    }
    return Image(width: columns, height: rows, pixels: pixels)
  }

  /// Full size.
  public static func one(_ width: Int, _ height: Int) -> Int { 1 }

  private static func reason(_ handle: tjhandle) -> String {
    guard let text = tjGetErrorStr2(handle) else { return "no reason given" }
    return String(cString: text)
  }
}
