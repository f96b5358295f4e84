import Files

/// Writes the pieces of a packed model.
struct PieceWriter {
  private var encoder = AdaptiveEncoder()
  private var text = TextModel()

  private mutating func byte(_ byte: UInt8) { text.encode(byte, &encoder) }

  private mutating func number(_ value: Int) {
    var left = value
    while left >= 128 {
      byte(UInt8(left & 127) | 128)
      left >>= 7
    }
    byte(UInt8(left))
  }

  private mutating func counted(_ part: ArraySlice<UInt8>) {
    number(part.count)
    for byte in part { self.byte(byte) }
  }

  /// A piece of bytes, where there are any.
  mutating func plain(_ part: ArraySlice<UInt8>) {
    guard !part.isEmpty else { return }
    byte(0)
    counted(part)
  }

  /// A piece of symbols; of bytes where they are none after all.
  mutating func write(_ run: CodedRun, in all: [UInt8]) {
    guard let symbols = run.symbols(in: all) else { return plain(all[run.range]) }
    byte(1)
    byte(UInt8(run.bits))
    number(symbols.count)
    number(run.places.count)
    for (low, width) in zip(run.lows, run.widths) {
      byte(UInt8(low))
      byte(UInt8(width))
    }
    var own = SymbolModel(bits: run.bits)
    for symbol in symbols { encoder.encode(symbol, &own) }
    for (place, next) in zip(run.places, run.places.dropFirst()) {
      counted(all[place.upperBound..<next.lowerBound])
    }
  }

  /// All that was written.
  mutating func finished() -> [UInt8] {
    encoder.finish()
    return encoder.bytes
  }
}

/// Reads the pieces of a packed model; nothing in them is believed.
struct PieceReader {
  private(set) var decoder: AdaptiveDecoder
  private let path: String
  private var text = TextModel()

  init(_ decoder: AdaptiveDecoder, path: String) {
    self.decoder = decoder
    self.path = path
  }

  func damaged(_ problem: String) -> FileError {
    FileError(path, "byte \(decoder.next): the packed model is damaged: \(problem)")
  }

  private mutating func byte() throws(FileError) -> UInt8 {
    let byte = text.decode(&decoder)
    guard !decoder.isShort else { throw damaged("it ends too early") }
    return byte
  }

  private mutating func number() throws(FileError) -> Int {
    var (value, shift) = (0, 0)
    while true {
      let byte = try byte()
      value |= Int(byte & 127) << shift
      if byte < 128 { return value }
      shift += 7
      guard shift < 56 else { throw damaged("a number is too long") }
    }
  }

  /// Adds bytes of the file, of which no more than `most` may be there afterwards.
  private mutating func counted(into result: inout [UInt8], most: Int) throws(FileError) {
    let count = try number()
    guard count <= most - result.count else {
      throw damaged("a piece of \(count) bytes, where \(most - result.count) are missing")
    }
    for _ in 0..<count { result.append(try byte()) }
  }

  /// Reads one piece; the model is no longer than `most` afterwards.
  mutating func piece(into result: inout [UInt8], most: Int) throws(FileError) {
    let kind = try byte()
    guard kind <= 1 else { throw damaged("a piece is of kind \(kind), expected 0 or 1") }
    let before = result.count
    if kind == 0 {
      try counted(into: &result, most: most)
      guard result.count > before else { throw damaged("a piece is empty") }
      return
    }
    let bits = Int(try byte())
    let (count, fields) = (try number(), try number())
    guard 1...8 ~= bits, 1...3 ~= fields else {
      throw damaged("symbols of \(bits) bits in \(fields) fields, expected 1 to 8 in 1 to 3")
    }
    // A field has a byte for eight symbols at least.
    guard count > 0, count <= 8 * (most - result.count) else {
      throw damaged("\(count) symbols, where \(most - result.count) bytes are missing")
    }
    var places: [(low: Int, width: Int)] = []
    for _ in 0..<fields {
      let (low, width) = (Int(try byte()), Int(try byte()))
      guard [1, 2, 4, 8].contains(width), low + width <= 8 else {
        throw damaged("a field of \(width) bits above \(low)")
      }
      places.append((low, width))
    }
    var own = SymbolModel(bits: bits)
    var symbols: [UInt8] = []
    symbols.reserveCapacity(count)
    for _ in 0..<count where !decoder.isShort { symbols.append(decoder.decode(&own)) }
    guard !decoder.isShort else { throw damaged("it ends too early") }
    for (number, place) in places.enumerated() {
      if number > 0 { try counted(into: &result, most: most) }
      let field = Fields.packed(symbols, low: place.low, width: place.width)
      guard field.count <= most - result.count else {
        throw damaged("a field of \(field.count) bytes, where \(most - result.count) are missing")
      }
      result += field
    }
  }
}
