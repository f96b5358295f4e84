import Faces
import Files
import Foundation
import TestSupport

/// A JPEG of 178 x 218 and what Pillow makes of its middle; written by `Scripts/golden/images.py`.
struct PillowChain: Decodable {
  var jpeg: Data
  var size64: Data
  var size96: Data

  static let golden = try! TestSupport.golden(PillowChain.self, "pillow", in: .module)
}

/// A small folder in CelebA's layout, removed when the test lets go of it.
final class SmallCelebA {
  let folder: String
  let count: Int

  /// Writes `count` images and the annotation; attribute `k` of row `i` is bit `k % 7` of `i + 1`.
  init(count: Int = 10, csv: Bool = false, ends: String = "\n") throws {
    folder = try temporaryFolder()
    self.count = count
    try Files.makeFolder("\(folder)/img_align_celeba")
    for row in 0..<count {
      // Not through `Files`, which waits for the disk after every file.
      try PillowChain.golden.jpeg.write(to: URL(fileURLWithPath: path(image(row))))
    }
    let separator = csv ? "," : " "
    let ending = csv ? "csv" : "txt"
    var lines =
      csv
      ? ["image_id," + FaceAttribute.names.joined(separator: ",")]
      : ["\(count)", FaceAttribute.names.joined(separator: " ") + " "]
    for row in 0..<count {
      let values = (0..<40).map { (row + 1) >> ($0 % 7) & 1 == 1 ? "1" : "-1" }
      lines.append(name(row) + separator + values.joined(separator: separator))
    }
    try write("list_attr_celeba.\(ending)", lines, ends)
    let partition = (0..<count).map {
      name($0) + separator + "\(Split.official(row: $0, of: count).rawValue)"
    }
    try write(
      "list_eval_partition.\(ending)", (csv ? ["image_id,partition"] : []) + partition, ends)
    try write("identity_CelebA.txt", (0..<count).map { "\(name($0)) \($0 / 2 + 1)" }, ends)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func name(_ row: Int) -> String { String(format: "%06d.jpg", row + 1) }
  func image(_ row: Int) -> String { "img_align_celeba/\(name(row))" }
  func path(_ name: String) -> String { "\(folder)/\(name)" }

  func write(_ name: String, _ lines: [String], _ ends: String = "\n") throws {
    try Files.replace(path(name), with: lines.map { $0 + ends }.joined())
  }

  /// Replaces line `number` (from 1) of a file; nil removes it.
  func change(_ name: String, line number: Int, _ edit: (String) -> String?) throws {
    var lines = try Files.readText(path(name)).split(separator: "\n").map(String.init)
    let line = lines.remove(at: number - 1)
    if let edited = edit(line) { lines.insert(edited, at: number - 1) }
    try write(name, lines)
  }
}
