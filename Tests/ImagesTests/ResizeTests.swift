import Files
import Foundation
import Images
import TestSupport
import Testing

/// What Pillow made of the same bytes; written by `Scripts/golden/images.py`.
struct PillowGolden: Decodable {
  struct Decoded: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var jpeg: Data
    var width: Int
    var height: Int
    var pixels: Data
    var testDescription: String { name }
  }

  struct Resized: Decodable, Sendable, CustomTestStringConvertible {
    var width: Int
    var height: Int
    var pixels: Data
    var box: [Int]
    var toWidth: Int
    var toHeight: Int
    var resized: Data
    var testDescription: String { "\(width)x\(height) \(box) to \(toWidth)x\(toHeight)" }
  }

  var decoded: [Decoded]
  var resized: [Resized]

  static let pillow = try! golden(PillowGolden.self, "pillow", in: .module)
}

@Suite struct ResizeTests {
  @Test(arguments: PillowGolden.pillow.resized)
  func `resizing gives Pillow's pixels`(expected: PillowGolden.Resized) {
    let image = Image(
      width: expected.width, height: expected.height, pixels: Array(expected.pixels))
    let box = expected.box
    let part = image.cropped(
      x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1])
    let resized = part.resized(width: expected.toWidth, height: expected.toHeight)
    #expect(resized.pixels == Array(expected.resized))

    var resizer = Resizer()
    let inside = resizer.resize(
      image,
      box: Box(
        left: Double(box[0]), top: Double(box[1]), width: Double(box[2] - box[0]),
        height: Double(box[3] - box[1])), width: expected.toWidth, height: expected.toHeight)
    #expect(inside == resized, "a box must do what cutting first does")
  }

  /// The plain way: every output pixel from its weights in floating point, both directions at once.
  func reference(_ image: Image, _ width: Int, _ height: Int) -> [Double] {
    func weights(_ extent: Int, _ count: Int, _ i: Int) -> [Double] {
      let scale = Double(extent) / Double(count)
      let centre = (Double(i) + 0.5) * scale
      let raw = (0..<extent).map { max(0, 1 - abs(Double($0) + 0.5 - centre) / max(scale, 1)) }
      return raw.map { $0 / raw.reduce(0, +) }
    }
    var result: [Double] = []
    for y in 0..<height {
      let down = weights(image.height, height, y)
      for x in 0..<width {
        let across = weights(image.width, width, x)
        for channel in 0..<3 {
          var sum = 0.0
          for (row, v) in down.enumerated() where v > 0 {
            for (column, h) in across.enumerated() where h > 0 {
              sum += v * h * Double(image.pixels[(row * image.width + column) * 3 + channel])
            }
          }
          result.append(sum)
        }
      }
    }
    return result
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `fixed point stays within rounding of the plain sum`(seed: UInt64) {
    var random = Numbers(seed: seed)
    let image = Image(
      width: random.below(40) + 1, height: random.below(40) + 1, random: &random)
    let width = random.below(40) + 1
    let height = random.below(40) + 1
    let fast = image.resized(width: width, height: height).pixels
    for (found, expected) in zip(fast, reference(image, width, height)) {
      // Half a level for each of the two roundings.
      #expect(abs(Double(found) - expected) <= 1.001)
    }
  }

  @Test func `one colour stays one colour`() {
    let image = Image(width: 37, height: 23, pixels: Array(repeating: 255, count: 37 * 23 * 3))
    #expect(image.resized(width: 11, height: 50).pixels.allSatisfy { $0 == 255 })
  }

  @Test func `mirroring twice changes nothing`() {
    var random = Numbers(seed: 4)
    let image = Image(width: 7, height: 3, random: &random)
    #expect(image.flippedHorizontally() != image)
    #expect(image.flippedHorizontally().flippedHorizontally() == image)
    #expect(image.flippedHorizontally().pixels[0..<3] == image.pixels[18..<21])
  }

  @Test func `a part keeps its pixels`() {
    var random = Numbers(seed: 5)
    let image = Image(width: 6, height: 5, random: &random)
    let part = image.cropped(x: 2, y: 1, width: 3, height: 4)
    #expect(part.width == 3 && part.height == 4)
    #expect(part.pixels[0..<9] == image.pixels[(6 + 2) * 3..<(6 + 5) * 3])
    #expect(part.cropped(x: 0, y: 0, width: 3, height: 4) == part)
  }
}

/// A tiny seeded generator, so that these tests need no other room.
struct Numbers {
  var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }
}

extension Image {
  init(width: Int, height: Int, random: inout Numbers) {
    self.init(
      width: width, height: height,
      pixels: (0..<width * height * 3).map { _ in UInt8(random.below(256)) })
  }
}
