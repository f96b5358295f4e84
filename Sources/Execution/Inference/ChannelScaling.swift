import OneDNN
import Tensors

/// Quantized images, channels last, times a number for each image and channel, quantized again.
///
/// Computed as ONNX says it: the reals are multiplied, divided by the scale and rounded, ties to
/// even.
struct ChannelScaling {
  var batch: Int
  var pixels: Int
  var channels: Int
  var affine: Affine
  var source: UnsafeRawPointer
  /// Whole numbers where `factorAffine` says so, else reals.
  var factors: UnsafeRawPointer
  var factorAffine: Affine?
  var target: Affine
  var destination: UnsafeMutableRawPointer
  /// The factors as reals.
  let reals: AlignedBuffer<Float>

  func run() {
    for i in 0..<batch * channels {
      if let factorAffine {
        let byte = factors.load(fromByteOffset: i, as: UInt8.self)
        let whole =
          factorAffine.elementType == .int8 ? Int(Int8(bitPattern: byte)) : Int(byte)
        reals.pointer[i] = Float(whole - factorAffine.zeroPoint) * factorAffine.scale
      } else {
        reals.pointer[i] = factors.load(fromByteOffset: 4 * i, as: Float.self)
      }
    }
    Parallel.forEach(batch * pixels, grain: 16) { range in
      for pixel in range {
        if affine.elementType == .uint8 {
          scale(source.assumingMemoryBound(to: UInt8.self) + pixel * channels, pixel)
        } else {
          scale(source.assumingMemoryBound(to: Int8.self) + pixel * channels, pixel)
        }
      }
    }
  }

  @inline(__always)
  private func scale<Element: FixedWidthInteger>(
    _ wholes: UnsafePointer<Element>, _ pixel: Int
  ) {
    let factors = reals.pointer + pixel / pixels * channels
    let result = destination.assumingMemoryBound(to: UInt8.self) + pixel * channels
    let zero = Int32(affine.zeroPoint)
    let (step, given) = (target.scale, affine.scale)
    let low = Float(target.range.lowerBound - target.zeroPoint)
    let high = Float(target.range.upperBound - target.zeroPoint)
    // Below 2^22, adding 1.5 · 2^23 leaves no bits for fractions: it rounds, ties to even.
    let magic: Float = 12_582_912
    let shift = Int32(target.zeroPoint) &- Int32(bitPattern: magic.bitPattern)
    for c in 0..<channels {
      let real = Float(Int32(truncatingIfNeeded: wholes[c]) &- zero) * given * factors[c]
      let steps = real / step
      // Comparisons in this order send what is not a number to the lowest.
      let clipped = steps > low ? (steps < high ? steps : high) : low
      let bits = Int32(bitPattern: (clipped + magic).bitPattern)
      result[c] = UInt8(truncatingIfNeeded: bits &+ shift)
    }
  }
}
