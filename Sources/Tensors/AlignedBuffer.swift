/// Zeroed storage on a 64-byte boundary, a cache line and an AVX-512 register wide.
///
/// The buffer has one owner and never moves, so kernels may keep its address while it lives.
public final class AlignedBuffer<Element: BitwiseCopyable> {
  /// The number of elements.
  public let count: Int
  /// The first element; valid while this object lives.
  public let pointer: UnsafeMutablePointer<Element>

  /// Allocates `count` elements, all bits zero.
  public init(count: Int) {
    precondition(count >= 0, "a buffer cannot have \(count) elements")
    self.count = count
    let bytes = max(64, (count * MemoryLayout<Element>.stride + 63) / 64 * 64)
    let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    pointer = raw.assumingMemoryBound(to: Element.self)
  }

  deinit { UnsafeMutableRawPointer(pointer).deallocate() }

  /// All elements, for reading.
  public var buffer: UnsafeBufferPointer<Element> { .init(start: pointer, count: count) }
  /// All elements, for writing.
  public var mutableBuffer: UnsafeMutableBufferPointer<Element> {
    .init(start: pointer, count: count)
  }
  /// The size in bytes that was asked for.
  public var byteCount: Int { count * MemoryLayout<Element>.stride }
}
