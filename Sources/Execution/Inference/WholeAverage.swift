import OneDNN
import Tensors

/// The mean over an image of each channel of quantized pixels, channels last.
///
/// Sums of whole numbers are exact, so the result does not depend on their order.
struct WholeAverage {
  var batch: Int
  var pixels: Int
  var channels: Int
  var affine: Affine
  var source: UnsafeRawPointer
  /// Reals, or whole numbers where `quantization` says so.
  var destination: UnsafeMutableRawPointer
  var quantization: Affine?
  /// A sum for each image and channel.
  let sums: AlignedBuffer<Int32>

  func run() {
    Parallel.forEach(batch, grain: batch > 8 ? 4 : batch) { range in
      for image in range {
        let sums = UnsafeMutableBufferPointer(
          start: sums.pointer + image * channels, count: channels)
        if affine.elementType == .uint8 {
          sum(source.assumingMemoryBound(to: UInt8.self), image, into: sums)
        } else {
          sum(source.assumingMemoryBound(to: Int8.self), image, into: sums)
        }
        write(sums, image)
      }
    }
  }

  @inline(__always)
  private func sum<Element: FixedWidthInteger>(
    _ source: UnsafePointer<Element>, _ image: Int, into sums: UnsafeMutableBufferPointer<Int32>
  ) {
    sums.update(repeating: 0)
    for pixel in 0..<pixels {
      let row = UnsafeBufferPointer(
        start: source + (image * pixels + pixel) * channels, count: channels)
      // Below 2^31 for images of up to eight million pixels.
      for c in 0..<channels { sums[c] &+= Int32(truncatingIfNeeded: row[c]) }
    }
  }

  private func write(_ sums: UnsafeMutableBufferPointer<Int32>, _ image: Int) {
    let area = Float(pixels)
    let zero = Float(affine.zeroPoint)
    if let quantization {
      let range = quantization.range
      let bytes = destination.assumingMemoryBound(to: UInt8.self) + image * channels
      for c in 0..<channels {
        let real = (Float(sums[c]) / area - zero) * affine.scale
        let whole = (real / quantization.scale).rounded(.toNearestOrEven)
        let shifted = whole + Float(quantization.zeroPoint)
        let clipped = min(max(shifted, Float(range.lowerBound)), Float(range.upperBound))
        bytes[c] = UInt8(truncatingIfNeeded: Int(clipped))
      }
    } else {
      let reals = destination.assumingMemoryBound(to: Float.self) + image * channels
      for c in 0..<channels { reals[c] = (Float(sums[c]) / area - zero) * affine.scale }
    }
  }
}
