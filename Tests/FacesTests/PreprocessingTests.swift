import Files
import Foundation
import TestSupport
import Testing

@testable import Faces

@Suite struct PreprocessingTests {
  /// What torchvision made of the picture; written by `Scripts/golden/preprocessing.py`.
  struct Prepared: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var height: Int
    var width: Int
    var interpolation: Preprocessing.Interpolation
    var shorterSide: Int?
    var sums: [Int]
    var weighted: [Int]
    var first: [UInt8]
    var testDescription: String { name }
  }

  private func face() throws -> (files: SmallCelebA, path: String) {
    let files = try SmallCelebA(count: 1)
    return (files, files.path(files.image(0)))
  }

  @Test(arguments: try golden([Prepared].self, "preprocessing", in: .module))
  func `pixels are torchvision's`(expected: Prepared) throws {
    let face = try face()
    var preprocessing = Preprocessing(size: expected.height)
    preprocessing.width = expected.width
    preprocessing.interpolation = expected.interpolation
    preprocessing.resizing = expected.shorterSide.map { .shorterSide($0) } ?? .stretch
    #expect(preprocessing.problem == nil)
    var pipeline = ImagePipeline(preprocessing)
    let pixels = try pipeline.pixels(face.path)
    #expect(Array(pixels.prefix(24)) == expected.first)
    for channel in 0..<3 {
      let values = stride(from: channel, to: pixels.count, by: 3).map { Int(pixels[$0]) }
      #expect(values.reduce(0, +) == expected.sums[channel])
      #expect(
        values.enumerated().reduce(0) { $0 + ($1.offset + 1) * $1.element }
          == expected.weighted[channel])
    }
  }

  @Test func `channel order and layout put the same values elsewhere`() throws {
    let face = try face()
    var plain = Preprocessing(size: 8)
    plain.resizing = .stretch
    plain.width = 6
    func values(_ preprocessing: Preprocessing) throws -> [Float] {
      var pipeline = ImagePipeline(preprocessing)
      let pixels = try pipeline.pixels(face.path)
      var values = [Float](repeating: 0, count: preprocessing.valueCount)
      values.withUnsafeMutableBufferPointer { pipeline.normalize(pixels, into: $0) }
      return values
    }
    let planes = try values(plain)
    var other = plain
    (other.layout, other.order) = (.pixels, .bgr)
    #expect(other.shape == [8, 6, 3] && plain.shape == [3, 8, 6])
    let pixels = try values(other)
    for pixel in 0..<48 {
      for channel in 0..<3 {
        #expect(pixels[pixel * 3 + 2 - channel] == planes[channel * 48 + pixel])
      }
    }
    var raw = plain
    (raw.divisor, raw.mean, raw.deviation) = (1, [0, 0, 0], [1, 1, 1])
    for (level, value) in zip(try values(raw), planes).prefix(48) {
      #expect(value == (level / 255 - plain.mean[0]) / plain.deviation[0])
    }
  }

  @Test func `presets follow the size of the network's input`() {
    #expect(Preprocessing(.torchvision).resizing == .shorterSide(256))
    #expect(Preprocessing(.torchvision, height: 64, width: 64).resizing == .shorterSide(73))
    #expect(Preprocessing(.timm).resizing == .shorterSide(256))
    #expect(Preprocessing(.timm).interpolation == .bicubic)
    let wide = Preprocessing(.openvino, height: 96, width: 112)
    #expect(wide.shape == [3, 96, 112] && wide.order == .bgr && wide.problem == nil)
    for preset in Preprocessing.Preset.allCases {
      #expect(Preprocessing(preset, height: 218, width: 178).problem == nil)
    }
  }

  @Test func `what is as usual is left out of the JSON, and all comes back`() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let usual = String(decoding: try encoder.encode(Preprocessing(size: 8)), as: UTF8.self)
    #expect(usual.contains("\"size\":8") && !usual.contains("layout"))
    var other = Preprocessing(.timm, height: 30, width: 40)
    (other.order, other.layout, other.divisor) = (.bgr, .pixels, 127.5)
    for one in [other, Preprocessing(.openvino)] {
      let back = try JSONDecoder().decode(Preprocessing.self, from: encoder.encode(one))
      #expect(back == one)
    }
  }

  @Test(arguments: [
    ("[]", "is not a JSON object"),
    (#"{"size":8,"mean":[0,0,0]}"#, "has no 'deviation'"),
    (#"{"size":"8","mean":[0,0,0],"deviation":[1,1,1]}"#, "'size' is of the wrong type"),
    (
      #"{"size":8,"mean":[0,0],"deviation":[1,1,1]}"#,
      "mean and deviation need three values, found 2 and 3"
    ),
    (
      #"{"size":8,"mean":[0,0,0],"deviation":[1,1,1],"resize":"fill"}"#,
      "'resize' is not understood: 'fill', expected square, stretch or shorter"
    ),
    (
      #"{"size":8,"mean":[0,0,0],"deviation":[1,1,1],"resize":"shorter","shorterSide":4}"#,
      "the shorter side 4 is not from 8 to 8192"
    ),
    (
      #"{"size":8,"width":9,"mean":[0,0,0],"deviation":[1,1,1]}"#,
      "resize square needs a square, but the input is 8 x 9"
    ),
    (#"{"size":8,"mean":[0,0,0],"deviation":[1,1,1],"divisor":0}"#, "divisor 0.0 is not positive"),
  ])
  func `a file of a person's is checked`(text: String, problem: String) throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/p.json"
    try Files.replace(path, with: text)
    #expect(throws: FileError(path, problem)) { try Preprocessing(reading: path) }
    try Files.replace(path, with: #"{"size":8,"mean":[0,0,0],"deviation":[1,1,1],"std":1}"#)
    #expect(throws: FileError.self) { try Preprocessing(reading: path) }
  }
}
