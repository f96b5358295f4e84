import Dispatch
import Files
import Foundation

/// Reads a file in windows of whole rows, each cut into pieces that can be parsed side by side.
///
/// Memory stays flat: one window, whatever the file's length. Pieces depend on the file alone, not
/// on the number of cores, so that sums over rows come out the same everywhere.
struct RowWindows: ~Copyable {
  private let path: String
  private let descriptor: Int32
  private var buffer: UnsafeMutableRawBufferPointer
  private var filled = 0
  private var offset: off_t = 0
  private var atEnd = false

  /// The usual window; a longer row makes it grow.
  static let usualSize = 16 << 20
  private static let pieces = 8
  private static let longest = 256 << 20

  /// Opens the file at `path`.
  init(_ path: String, size: Int = usualSize) throws(FileError) {
    self.path = path
    let opened = open(path, O_RDONLY | O_CLOEXEC)
    guard opened >= 0 else {
      throw FileError(path, "could not be opened: \(FileError.systemReason())")
    }
    guard !Files.isFolder(path) else {
      close(opened)
      throw FileError(path, "is a folder, not a file")
    }
    descriptor = opened
    buffer = .allocate(byteCount: max(size, 16), alignment: 64)
  }

  deinit {
    buffer.deallocate()
    close(descriptor)
  }

  /// Fills the window from the file.
  private mutating func fill() throws(FileError) {
    while filled < buffer.count && !atEnd {
      guard let start = buffer.baseAddress else { return }
      let got = pread(descriptor, start + filled, buffer.count - filled, offset)
      if got < 0 && errno == EINTR { continue }
      if got < 0 && errno == ESPIPE {
        throw FileError(path, "is a pipe; the header is read first, so it has to be a file")
      }
      guard got >= 0 else {
        throw FileError(path, "could not be read: \(FileError.systemReason())")
      }
      if got == 0 { atEnd = true }
      filled += got
      offset += off_t(got)
    }
  }

  /// The next window of whole rows in pieces, or nil at the end of the file.
  ///
  /// The bytes are valid until the next call.
  mutating func next(after done: Int) throws(FileError) -> (
    UnsafeBufferPointer<UInt8>, [Range<Int>]
  )? {
    if done > 0, let start = buffer.baseAddress {
      memmove(start, start + done, filled - done)
      filled -= done
    }
    while true {
      try fill()
      if filled == 0 { return nil }
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
        .bindMemory(to: UInt8.self)
      let ranges = Self.cut(bytes, whole: atEnd)
      if !ranges.isEmpty { return (bytes, ranges) }
      guard buffer.count < Self.longest else {
        throw FileError(
          path, "has a row of more than \(Self.longest >> 20) MB; is a quote left open?")
      }
      let larger = UnsafeMutableRawBufferPointer.allocate(
        byteCount: buffer.count * 2, alignment: 64)
      larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
      buffer.deallocate()
      buffer = larger
    }
  }

  /// Cuts bytes that start at a row into pieces of whole rows; `whole` if the last row may lack its
  /// line end.
  static func cut(_ bytes: UnsafeBufferPointer<UInt8>, whole: Bool) -> [Range<Int>] {
    let size = (bytes.count + pieces - 1) / pieces
    let starts = (0..<pieces).map { min(bytes.count, $0 * size) } + [bytes.count]
    var quotes = [Int](repeating: 0, count: pieces)
    quotes.withUnsafeMutableBufferPointer { quotes in
      // Every iteration writes a slot of its own, and all are done when this returns.
      nonisolated(unsafe) let slots = quotes
      nonisolated(unsafe) let bytes = bytes
      DispatchQueue.concurrentPerform(iterations: pieces) { piece in
        slots[piece] = quoteCount(bytes, starts[piece]..<starts[piece + 1])
      }
    }
    var cuts = [0]
    var inside = false
    for piece in 1..<pieces {
      if quotes[piece - 1] & 1 == 1 { inside.toggle() }
      guard starts[piece] > (cuts.last ?? 0) else { continue }
      var quoted = inside
      var i = starts[piece]
      while i < bytes.count {
        if bytes[i] == 34 { quoted.toggle() }
        i += 1
        if bytes[i - 1] == 10 && !quoted { break }
      }
      let ended = i > 0 && bytes[i - 1] == 10 && !quoted
      if ended && i > (cuts.last ?? 0) { cuts.append(i) }
      if !ended { break }
    }
    if whole {
      if cuts.last != bytes.count { cuts.append(bytes.count) }
    } else {
      // The rest up to the last line end that is outside quotes.
      let from = cuts.last ?? 0
      var (quoted, last) = (false, from)
      if quotes.allSatisfy({ $0 == 0 }) {
        // Without quotes it is the last line end of all.
        var end = bytes.count
        while end > from && bytes[end - 1] != 10 { end -= 1 }
        if end > from { cuts.append(end) }
        return zip(cuts, cuts.dropFirst()).map { $0..<$1 }
      }
      for i in from..<bytes.count {
        if bytes[i] == 34 { quoted.toggle() } else if bytes[i] == 10 && !quoted { last = i + 1 }
      }
      if last > from { cuts.append(last) }
    }
    return zip(cuts, cuts.dropFirst()).map { $0..<$1 }
  }
}

/// How many of the bytes are quotes, eight at a time.
///
/// In plain words of 64 bits: vectors of bytes compile to loops over their lanes here, which took
/// three quarters of an audit's time.
private func quoteCount(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int {
  guard let start = bytes.baseAddress else { return 0 }
  let low: UInt64 = 0x7f7f_7f7f_7f7f_7f7f
  let evens: UInt64 = 0x00ff_00ff_00ff_00ff
  var count = 0
  var at = range.lowerBound
  while range.upperBound - at >= 8 {
    // A lane counts to 255 before it would run over.
    var lanes: UInt64 = 0
    let blocks = min(255, (range.upperBound - at) / 8)
    for block in 0..<blocks {
      let word = UnsafeRawPointer(start + at + 8 * block).loadUnaligned(as: UInt64.self)
      let other = word ^ 0x2222_2222_2222_2222
      // The top bit of every byte that is not a quote; no carry leaves its byte.
      let differs = ((other & low) &+ low) | other
      lanes &+= (~differs >> 7) & 0x0101_0101_0101_0101
    }
    let pairs = (lanes & evens) &+ ((lanes >> 8) & evens)
    count &+= Int((pairs &* 0x0001_0001_0001_0001) >> 48)
    at += 8 * blocks
  }
  while at < range.upperBound {
    count &+= bytes[at] == 34 ? 1 : 0
    at += 1
  }
  return count
}
