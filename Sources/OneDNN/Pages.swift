#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Zeroed storage in whole pages, large ones where the system has them.
///
/// For what is large and long-lived: the system gives it back as soon as it goes, and large pages
/// save the faults and look-ups of small ones.
public final class Pages {
  /// The size that was asked for.
  public let byteCount: Int
  /// The first byte, on a page boundary; valid while this object lives.
  public let pointer: UnsafeMutableRawPointer
  private let base: UnsafeMutableRawPointer
  private let mapped: Int

  /// The size of a large page on x86-64 and arm64.
  private static let large = 2 << 20

  /// Maps `byteCount` bytes, all zero.
  public init(byteCount: Int) {
    precondition(byteCount >= 0, "storage cannot have \(byteCount) bytes")
    self.byteCount = byteCount
    let isLarge = byteCount >= Self.large
    mapped = max(4096, byteCount) + (isLarge ? Self.large : 0)
    #if canImport(Glibc)
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    #else
    let flags = MAP_PRIVATE | MAP_ANON
    #endif
    guard let base = mmap(nil, mapped, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED
    else { fatalError("out of memory: the system refused \(mapped) bytes") }
    self.base = base
    guard isLarge else {
      pointer = base
      return
    }
    let start = (UInt(bitPattern: base) + UInt(Self.large - 1)) & ~UInt(Self.large - 1)
    pointer = base + Int(start - UInt(bitPattern: base))
    #if canImport(Glibc)
    // Only advice: without large pages the storage is as good, and slower.
    _ = madvise(pointer, byteCount, MADV_HUGEPAGE)
    #endif
  }

  deinit { munmap(base, mapped) }
}
