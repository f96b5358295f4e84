import Files

/// A zip archive in memory whose entries are stored as they are, as `torch.save` writes them.
///
/// Nothing is trusted: every number is checked before it is used, entries may not overlap, and
/// compressed entries are refused, so that an archive never holds more than its own length.
///
/// Source: PKWARE, *APPNOTE.TXT - .ZIP File Format Specification*, version 6.3.10, sections 4.3 to
/// 4.5. <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>
struct ZipArchive {
  /// A file in the archive.
  struct Entry {
    /// Where its bytes lie in the archive.
    var range: Range<Int>
    /// The checksum that the archive gives for them.
    var checksum: UInt32
  }

  /// The files by name.
  private(set) var entries: [String: Entry] = [:]

  private let bytes: [UInt8]
  private let path: String

  /// How the first local header begins.
  static let signature: [UInt8] = [0x50, 0x4b, 3, 4]

  /// Reads the directory of the archive in `bytes`; `path` only names it in messages.
  init(_ bytes: [UInt8], path: String) throws(FileError) {
    self.bytes = bytes
    self.path = path
    let directory = try directory()
    var at = directory.start
    var taken: [Range<Int>] = []
    for index in 0..<directory.count {
      guard at <= directory.end - 46, try number(at, 4) == 0x0201_4b50 else {
        throw damage("entry \(index) of \(directory.count) is not where the directory says")
      }
      let nameLength = Int(try number(at + 28, 2))
      let extraLength = Int(try number(at + 30, 2))
      let length = 46 + nameLength + extraLength + Int(try number(at + 32, 2))
      guard length <= directory.end - at,
        let name = String(validating: bytes[at + 46..<at + 46 + nameLength], as: UTF8.self)
      else { throw damage("entry \(index) of \(directory.count) has an impossible name") }
      let entry = try entry(at, name, extra: at + 46 + nameLength..<at + length)
      guard entries.updateValue(entry, forKey: name) == nil else {
        throw damage("'\(name)' is in it twice")
      }
      taken.append(entry.range)
      at += length
    }
    taken.sort { $0.lowerBound < $1.lowerBound }
    for (one, next) in zip(taken, taken.dropFirst()) where one.upperBound > next.lowerBound {
      throw damage("its entries overlap")
    }
  }

  /// The bytes of the file `name`, once their checksum is found right.
  func contents(_ name: String) throws(FileError) -> ArraySlice<UInt8> {
    guard let entry = entries[name] else { throw FileError(path, "holds no '\(name)'") }
    let contents = bytes[entry.range]
    guard CyclicRedundancyCheck.checksum(contents) == entry.checksum else {
      throw damage("'\(name)' does not have its checksum")
    }
    return contents
  }

  /// Where the list of entries lies, and how many there are.
  private func directory() throws(FileError) -> (start: Int, end: Int, count: Int) {
    // The end record is 22 bytes before a comment of at most 65 535.
    var at = bytes.count - 22
    let lowest = max(0, at - 0xffff)
    while at >= lowest, try number(at, 4) != 0x0605_4b50 { at -= 1 }
    guard at >= lowest else { throw damage("its end is missing") }
    var count = try number(at + 10, 2)
    var size = try number(at + 12, 4)
    var start = try number(at + 16, 4)
    if at >= 20, try number(at - 20, 4) == 0x0706_4b50 {
      // Archives with 64-bit numbers have a second end record, and where that is.
      let place = try number(at - 12, 8)
      guard place <= at - 76, let record = Int(exactly: place),
        try number(record, 4) == 0x0606_4b50
      else { throw damage("its 64-bit end is not where it should be") }
      count = try number(record + 32, 8)
      size = try number(record + 40, 8)
      start = try number(record + 48, 8)
    }
    // An entry takes at least 46 bytes.
    guard start <= at, size <= UInt64(at) - start, count <= size / 46 else {
      throw damage("its directory of \(count) entries at \(start) does not fit")
    }
    return (Int(start), Int(start + size), Int(count))
  }

  /// The entry whose directory record begins at `at`.
  private func entry(
    _ at: Int, _ name: String, extra: Range<Int>
  ) throws(FileError) -> Entry {
    let flags = try number(at + 8, 2)
    guard flags & 0x41 == 0 else { throw damage("'\(name)' is encrypted") }
    let method = try number(at + 10, 2)
    guard method == 0 else {
      throw FileError(
        path,
        "holds '\(name)' compressed (method \(method)), which torch.save never does; refused")
    }
    var (packed, size) = (try number(at + 20, 4), try number(at + 24, 4))
    var place = try number(at + 42, 4)
    var field = extra.lowerBound
    while field <= extra.upperBound - 4 {
      let (kind, length) = (try number(field, 2), Int(try number(field + 2, 2)))
      guard length <= extra.upperBound - field - 4 else { break }
      if kind == 1 {
        // 64-bit numbers stand here in this order, each only where the 32-bit one is full.
        var next = field + 4
        for keyPath in [\Sizes.size, \Sizes.packed, \Sizes.place] {
          var sizes = Sizes(size: size, packed: packed, place: place)
          guard sizes[keyPath: keyPath] == 0xffff_ffff, next + 8 <= field + 4 + length else {
            continue
          }
          sizes[keyPath: keyPath] = try number(next, 8)
          (size, packed, place) = (sizes.size, sizes.packed, sizes.place)
          next += 8
        }
      }
      field += 4 + length
    }
    guard packed == size else { throw damage("'\(name)' has two lengths, \(packed) and \(size)") }
    guard place <= bytes.count - 30, let header = Int(exactly: place),
      try number(header, 4) == 0x0403_4b50
    else { throw damage("'\(name)' is not where the directory says") }
    let start = header + 30 + Int(try number(header + 26, 2)) + Int(try number(header + 28, 2))
    guard start <= bytes.count, size <= bytes.count - start else {
      throw damage("'\(name)' has \(size) bytes, more than follow")
    }
    return Entry(
      range: start..<start + Int(size), checksum: UInt32(try number(at + 16, 4)))
  }

  private struct Sizes {
    var size: UInt64
    var packed: UInt64
    var place: UInt64
  }

  /// The little-endian number of `width` bytes at `at`.
  private func number(_ at: Int, _ width: Int) throws(FileError) -> UInt64 {
    guard at >= 0, at <= bytes.count - width else { throw damage("it ends early") }
    return bytes[at..<at + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func damage(_ problem: String) -> FileError {
    FileError(path, "is a damaged zip archive: \(problem)")
  }
}

/// The checksum of zip archives, CRC-32.
enum CyclicRedundancyCheck {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xedb8_8320 : 0) }
  }

  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let table = table.span
    var value = ~(0 as UInt32)
    let input = bytes.span
    for index in input.indices {
      value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ input[index])]
    }
    return ~value
  }
}
