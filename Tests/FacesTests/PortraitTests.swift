import Files
import Foundation
import Images
import Tensors
import TestSupport
import Testing

@testable import Faces

@Suite struct PortraitTests {
  /// A person on whom every attribute's change can be seen: hair, no hat, no beard.
  private static func plain(male: Bool) -> [Bool] {
    var row = [Bool](repeating: false, count: 40)
    row[.male] = male
    row[.brownHair] = true
    row[.noBeard] = true
    row[.young] = true
    return row
  }

  private static func draw(_ row: [Bool], seed: UInt64, on painter: PortraitPainter) -> Image {
    painter.paint(row, seed: seed, stream: 7)
    return painter.canvas.image()
  }

  @Test(arguments: FaceAttribute.allCases, [false, true])
  func `each attribute shows, except Attractive`(attribute: FaceAttribute, male: Bool) {
    let painter = PortraitPainter(width: 178, height: 218)
    for seed in 0..<2 as Range<UInt64> {
      var row = Self.plain(male: male)
      let without = Self.draw(row, seed: seed, on: painter)
      row[attribute].toggle()
      let with = Self.draw(row, seed: seed, on: painter)
      // A change counts where it is larger than one step of eight bits.
      let changed = zip(without.pixels, with.pixels).count { abs(Int($0) - Int($1)) > 4 }
      if attribute == .attractive {
        let same = with == without
        #expect(same)
      } else {
        #expect(changed > 60, "seed \(seed): \(changed) values changed")
      }
    }
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func `Attractive changes nothing in any row`(seed: UInt64) {
    let painter = PortraitPainter(width: 89, height: 109)
    var random = SplitMix64(seed: seed)
    var row = (0..<40).map { _ in random.uniform() < 0.3 }
    let before = Self.draw(row, seed: seed, on: painter)
    row[.attractive].toggle()
    let same = Self.draw(row, seed: seed, on: painter) == before
    #expect(same)
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func `a picture does not depend on what was drawn before`(seed: UInt64) {
    let used = PortraitPainter(width: 178, height: 218)
    var random = SplitMix64(seed: seed)
    func row() -> [Bool] { (0..<40).map { _ in random.uniform() < 0.4 } }
    let wanted = row()
    for _ in 0..<3 { used.paint(row(), seed: random.next(), stream: random.next()) }
    let fresh = PortraitPainter(width: 178, height: 218)
    let same =
      Self.draw(wanted, seed: seed, on: used) == Self.draw(wanted, seed: seed, on: fresh)
    #expect(same)
  }

  @Test(arguments: [(16, 16), (64, 64), (512, 40), (40, 512), (356, 436)])
  func `every size can be drawn`(width: Int, height: Int) {
    let painter = PortraitPainter(width: width, height: height)
    var random = SplitMix64(seed: 5)
    for stream in 0..<8 as Range<UInt64> {
      painter.paint((0..<40).map { _ in random.uniform() < 0.4 }, seed: 1, stream: stream)
    }
    #expect(Set(painter.canvas.image().pixels).count > 20)
  }

  @Test(arguments: [(30, 40), (82, 100), (178, 218), (300, 367)])
  func `blur keeps the light and takes the detail`(width: Int, height: Int) {
    let painter = PortraitPainter(width: width, height: height)
    func mean(_ values: [Int]) -> Double { Double(values.reduce(0, +)) / Double(values.count) }
    for seed in 0..<8 as Range<UInt64> {
      var row = Self.plain(male: false)
      let sharp = Self.draw(row, seed: seed, on: painter).pixels.map(Int.init)
      row[.blurry] = true
      let blurred = Self.draw(row, seed: seed, on: painter).pixels.map(Int.init)
      #expect(abs(mean(sharp) - mean(blurred)) < 1.5)
      func detail(_ values: [Int]) -> Double {
        mean(zip(values, values.dropFirst(3)).map { abs($0 - $1) })
      }
      #expect(detail(blurred) < detail(sharp))
    }
  }

  /// Thresholds every value of every pixel.
  ///
  /// With 600 portraits whose attributes are independent and even, chance alone lets the best of
  /// some 13 000 values and 16 thresholds reach about 0.59: 4.5 deviations of `sqrt(0.25 / 600)`.
  /// Long hair beside the neck tells on average more than that, as it does on photographs; at 0.72
  /// the best pixel still errs on more than a quarter.
  @Test(arguments: [FaceAttribute.male, .smiling, .young, .eyeglasses, .heavyMakeup])
  func `no pixel alone gives an attribute away`(attribute: FaceAttribute) {
    let count = 600
    let (width, height) = (60, 72)
    let painter = PortraitPainter(width: width, height: height)
    var random = SplitMix64(seed: 11)
    // How often each value falls in each of 16 equal bins, for those without and those with.
    var bins = [Int32](repeating: 0, count: width * height * 3 * 32)
    for stream in 0..<count {
      var row = Self.plain(male: random.uniform() < 0.5)
      row[.brownHair] = false
      let colors = [FaceAttribute.blackHair, .brownHair, .blondHair, .grayHair, .wavyHair]
      row[colors[random.below(5)]] = true
      for other in [FaceAttribute.smiling, .young, .bangs] { row[other] = random.uniform() < 0.5 }
      row[attribute] = stream % 2 == 0
      painter.paint(row, seed: 3, stream: UInt64(stream))
      for (at, value) in painter.canvas.image().pixels.enumerated() {
        bins[at * 32 + (stream % 2) * 16 + Int(value >> 4)] += 1
      }
    }
    var best: Int32 = 0
    for at in 0..<width * height * 3 {
      var right = Int32(count / 2)
      for bin in 0..<16 {
        right += bins[at * 32 + bin] - bins[at * 32 + 16 + bin]
        best = max(best, right, Int32(count) - right)
      }
    }
    let share = Double(best) / Double(count)
    #expect(share < 0.72, "one pixel tells \(attribute) in \(share) of the portraits")
  }

  /// Skin tone, pose and place come from the row's number, never from its attributes.
  @Test func `circumstances are the same whatever the attributes`() {
    for stream in 0..<50 as Range<UInt64> {
      let woman = Sitter(attributes: Self.plain(male: false), seed: 9, stream: stream)
      let man = Sitter(attributes: Self.plain(male: true), seed: 9, stream: stream)
      #expect(woman.luck.tone == man.luck.tone)
      #expect(woman.skin == man.skin)
      #expect(woman.luck.backdrop == man.luck.backdrop)
      #expect(woman.luck.yaw == man.luck.yaw)
      #expect(woman.luck.cloth == man.luck.cloth)
    }
  }
}
