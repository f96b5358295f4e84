import Files
import Foundation
import Images
import TestSupport
import Testing

@Suite struct JPEGDecoderTests {
  @Test(arguments: PillowGolden.pillow.decoded)
  func `decodes what Pillow decodes`(expected: PillowGolden.Decoded) throws {
    let image = try JPEGDecoder.decode(Array(expected.jpeg), from: "golden.jpg")
    #expect(image.width == expected.width)
    #expect(image.height == expected.height)
    let differences = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    #expect(differences.max() == 0)
  }

  @Test(arguments: [1, 2, 4, 8])
  func `a fraction of the size is a smaller picture of the same`(denominator: Int) throws {
    let bytes = Array(PillowGolden.pillow.decoded[0].jpeg)
    let whole = try JPEGDecoder.decode(bytes, from: "golden.jpg")
    var worst = 0.0
    var total = 0.0
    let part = try JPEGDecoder.decode(bytes, from: "golden.jpg") { width, height in
      #expect(width == 90 && height == 96)
      return denominator
    }
    #expect(part.width == (90 + denominator - 1) / denominator)
    #expect(part.height == (96 + denominator - 1) / denominator)
    // The transform's low frequencies are the mean of each block of pixels, nearly.
    for y in 0..<90 / denominator {
      for x in 0..<90 / denominator {
        let block = whole.cropped(
          x: x * denominator, y: y * denominator, width: denominator, height: denominator)
        for channel in 0..<3 {
          let values = stride(from: channel, to: block.pixels.count, by: 3).map {
            Int(block.pixels[$0])
          }
          let mean = Double(values.reduce(0, +)) / Double(values.count)
          let found = part.pixels[(y * part.width + x) * 3 + channel]
          worst = max(worst, abs(Double(found) - mean))
          total += abs(Double(found) - mean)
        }
      }
    }
    let count = Double(90 / denominator * (90 / denominator) * 3)
    #expect(total / count < 4, "worst \(worst)")
  }

  @Test func `what is no JPEG is refused by name`() {
    for bytes in [[], [0xff], [0xff, 0xd8], Array("not an image".utf8)] as [[UInt8]] {
      let error = #expect(throws: FileError.self) {
        try JPEGDecoder.decode(bytes, from: "faces/000001.jpg")
      }
      #expect(error?.description.hasPrefix("faces/000001.jpg: is not a readable JPEG: ") == true)
    }
  }

  @Test func `a file cut short anywhere is refused`() throws {
    let bytes = Array(PillowGolden.pillow.decoded[0].jpeg)
    for length in stride(from: 2, to: bytes.count - 2, by: 97) {
      #expect(throws: FileError.self) {
        try JPEGDecoder.decode(Array(bytes[..<length]), from: "cut.jpg")
      }
    }
    let error = #expect(throws: FileError.self) {
      try JPEGDecoder.decode(Array(bytes[..<(bytes.count / 2)]), from: "cut.jpg")
    }
    #expect(error?.description.hasPrefix("cut.jpg: is a damaged JPEG: ") == true)
  }

  /// libjpeg-turbo's handles do remember: the decoder must not.
  @Test(arguments: 0..<60 as Range<UInt64>)
  func `damaged bytes never crash, and leave no trace`(seed: UInt64) throws {
    var random = Numbers(seed: seed)
    let good = Array(PillowGolden.pillow.decoded[Int(seed % 3)].jpeg)
    let before = try JPEGDecoder.decode(good, from: "good.jpg")
    var bad = good
    for _ in 0...random.below(8) { bad[random.below(bad.count)] = UInt8(random.below(256)) }
    _ = try? JPEGDecoder.decode(bad, from: "bad.jpg")
    #expect(try JPEGDecoder.decode(good, from: "good.jpg") == before)
  }

  @Test func `a size that no memory holds is refused`() {
    // A frame header that claims 65500 x 65500 pixels of gray.
    let head: [UInt8] = [
      0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0xff, 0xdc, 0xff, 0xdc, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1,
      1, 0, 0, 63, 0,
    ]
    let error = #expect(throws: FileError.self) { try JPEGDecoder.decode(head, from: "huge.jpg") }
    #expect(error?.problem == "is 65500 x 65500; at most 100000000 pixels are read")
  }
}
