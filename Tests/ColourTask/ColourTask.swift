public import Faces
import Files
import Images
import Tensors
import TestSupport

/// A folder of tiny JPEGs in CelebA's layout, in which colour gives the label away.
///
/// `Warm` images are redder, with noise; `Male` is drawn with a brighter lower half and goes
/// together with `Warm` more often than not, as in real annotations.
public struct ColourTask {
  /// The folder that was drawn into.
  public let folder: String

  /// Draws `count` images of `side` pixels.
  public init(count: Int, side: Int = 32, seed: UInt64 = 1) throws {
    folder = try temporaryFolder()
    try Files.makeFolder("\(folder)/img_align_celeba")
    var random = SplitMix64(seed: seed)
    var attributes = "\(count)\nWarm Male\n"
    var partition = ""
    let encoder = JPEGEncoder()
    for row in 1...count {
      let warm = random.uniform() < 0.5
      let male = random.uniform() < (warm ? 0.7 : 0.3)
      var image = Image(width: side, height: side)
      let red = 110 + (warm ? 1 : -1) * random.uniform(2...40)
      for i in 0..<side * side {
        let light = male && i >= side * side / 2 ? 40.0 : 0
        for (channel, level) in [red, 110, 220 - red].enumerated() {
          let value = level + light + 20 * random.normal()
          image.pixels[3 * i + channel] = UInt8(min(255, max(0, value)))
        }
      }
      let name = "\(row).jpg"
      try Files.replace("\(folder)/img_align_celeba/\(name)", with: encoder.encode(image))
      attributes += "\(name) \(warm ? 1 : -1) \(male ? 1 : -1)\n"
      partition += "\(name) \(row % 5 == 0 ? (row % 10 == 0 ? 1 : 2) : 0)\n"
    }
    try Files.replace("\(folder)/list_attr_celeba.txt", with: attributes)
    try Files.replace("\(folder)/list_eval_partition.txt", with: partition)
  }

  /// The data set with `Warm` as target and `Male` as group.
  public func dataset() throws -> FaceDataset {
    try FaceDataset.celebA(folder, target: "Warm", protected: ["Male"])
  }
}
