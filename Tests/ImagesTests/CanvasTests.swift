import Files
import Images
import Testing

@Suite struct CanvasTests {
  @Test func `a new canvas is black as a picture`() {
    #expect(Canvas(width: 3, height: 2).image() == Image(width: 3, height: 2))
  }

  @Test func `whole pixels are filled exactly`() {
    let canvas = Canvas(width: 8, height: 6)
    canvas.rectangle(SIMD2(2, 1), size: SIMD2(3, 2))
    canvas.fill(.color(SIMD3(1, 0.5, 0)))
    let image = canvas.image()
    for y in 0..<6 {
      for x in 0..<8 {
        let inside = (2..<5).contains(x) && (1..<3).contains(y)
        let pixel = Array(image.pixels[(y * 8 + x) * 3..<(y * 8 + x) * 3 + 3])
        #expect(inside ? pixel == [255, 128, 0] || pixel == [255, 127, 0] : pixel == [0, 0, 0])
      }
    }
  }

  @Test func `replacing leaves nothing of what was there`() {
    let canvas = Canvas(width: 6, height: 6)
    canvas.fillAll(.color(SIMD3(1, 1, 1)))
    canvas.replace(columns: 1..<4, rows: 2..<6, .color(SIMD3(1, 1, 1), alpha: 0))
    let image = canvas.image()
    for y in 0..<6 {
      for x in 0..<6 {
        let inside = (1..<4).contains(x) && (2..<6).contains(y)
        #expect(image.pixels[(y * 6 + x) * 3] == (inside ? 0 : 255))
      }
    }
  }

  @Test func `a curve passes through its points`() {
    let canvas = Canvas(width: 40, height: 40)
    let points = [SIMD2(5.0, 20.0), SIMD2(15.0, 8.0), SIMD2(25.0, 30.0), SIMD2(35.0, 20.0)]
    canvas.curve(through: points)
    canvas.stroke(.color(SIMD3(1, 1, 1)), width: 3)
    let image = canvas.image()
    for point in points {
      #expect(image.pixels[(Int(point.y) * 40 + Int(point.x)) * 3] > 200)
    }
  }

  @Test func `a linear gradient goes from its first colour to its last`() {
    let canvas = Canvas(width: 101, height: 3)
    canvas.fillAll(
      .linear(
        from: SIMD2(0, 0), to: SIMD2(101, 0),
        [.init(0, SIMD4(0, 0, 0, 1)), .init(1, SIMD4(1, 1, 1, 1))]))
    let image = canvas.image()
    for x in 0..<101 {
      let expected = (Double(x) + 0.5) / 101 * 255
      let found = Double(image.pixels[x * 3])
      #expect(abs(found - expected) < 2.5)
    }
  }

  @Test func `an enlarged picture is interpolated between its pixels' centres`() {
    let small = Canvas(width: 2, height: 1)
    small.withPixels { pixels in
      pixels[0] = 0xff00_0000
      pixels[1] = 0xffff_ffff
    }
    let canvas = Canvas(width: 40, height: 20)
    canvas.fillAll(.picture(small, scale: SIMD2(20, 20)))
    let row = (0..<40).map { canvas.image().pixels[(10 * 40 + $0) * 3] }
    #expect(row[5] == 0)
    #expect(row[35] == 255)
    #expect(abs(Int(row[20]) - 131) < 5)
    #expect(zip(row, row.dropFirst()).allSatisfy { $0 <= $1 })
  }
}

@Suite struct PNGTests {
  static let image: Image = {
    var image = Image(width: 37, height: 11)
    for i in image.pixels.indices { image.pixels[i] = UInt8(truncatingIfNeeded: i &* 89) }
    return image
  }()

  @Test func `what is written is read back`() throws {
    let same = try PNG.decode(PNG.encode(Self.image), from: "a.png") == Self.image
    #expect(same)
  }

  @Test(arguments: [0, 7, 8, 20, 40, -30, -1])
  func `a file that ends early is refused`(length: Int) {
    let whole = PNG.encode(Self.image)
    let bytes = Array(length < 0 ? whole.dropLast(-length) : whole.prefix(length))
    #expect(throws: FileError.self) { _ = try PNG.decode(bytes, from: "short.png") }
  }

  @Test func `a monstrous size is refused before memory is asked for`() {
    var bytes = PNG.encode(Self.image)
    bytes.replaceSubrange(16..<24, with: [0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff])
    let error = #expect(throws: FileError.self) { try PNG.decode(bytes, from: "big.png") }
    #expect(error?.problem.contains("32767 x 32767") == true)
  }

  @Test(arguments: 0..<60)
  func `damage never crashes`(seed: Int) {
    var bytes = PNG.encode(Self.image)
    for k in 0..<4 { bytes[(seed * 7919 + k * 613) % bytes.count] ^= UInt8(1 << (seed + k) % 8) }
    _ = try? PNG.decode(bytes, from: "damaged.png")
  }
}

@Suite struct JPEGEncoderTests {
  @Test func `a smooth picture comes back nearly the same`() throws {
    var image = Image(width: 64, height: 48)
    for y in 0..<48 {
      for x in 0..<64 {
        image.pixels.replaceSubrange(
          (y * 64 + x) * 3..<(y * 64 + x) * 3 + 3,
          with: [UInt8(x * 3), UInt8(y * 4), UInt8(100 + x)])
      }
    }
    let bytes = JPEGEncoder(quality: 95).encode(image)
    #expect(bytes.starts(with: [0xff, 0xd8]))
    #expect(bytes.suffix(2) == [0xff, 0xd9])
    let back = try JPEGDecoder.decode(bytes, from: "a.jpg")
    let error = zip(image.pixels, back.pixels).map { abs(Int($0) - Int($1)) }.reduce(0, +)
    #expect(Double(error) / Double(image.pixels.count) < 2)
  }

  @Test func `a canvas and its picture give the same file`() {
    let canvas = Canvas(width: 50, height: 30)
    canvas.circle(SIMD2(20, 15), radius: 10)
    canvas.fill(.color(SIMD3(0.9, 0.3, 0.2)))
    let encoder = JPEGEncoder()
    #expect(encoder.encode(canvas) == encoder.encode(canvas.image()))
  }
}
