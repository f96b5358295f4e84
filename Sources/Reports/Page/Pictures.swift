import Files
import Foundation
import Images

/// The pictures of a data set, as small JPEG files for a page.
struct Pictures {
  private let folders: [String]
  private let side = 72

  /// Pictures of the data set in `folder`, or drawn beside the results in `study`.
  init(of folder: String?, beside study: String) {
    let roots = [folder, "\(study)/portraits"].compactMap(\.self)
    folders = roots.flatMap { [$0, "\($0)/img_align_celeba"] }
  }

  /// Whether a name that a file gives stays below the folder it is meant in.
  static func isInside(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix("/") && !name.split(separator: "/").contains("..")
  }

  /// The picture called `id` with its shorter side cropped to and scaled, as base64.
  ///
  /// Nil when there is none, or none that can be decoded: a page is not refused for a picture.
  func thumbnail(_ id: String) -> String? {
    guard Self.isInside(id) else { return nil }
    for folder in folders where Files.exists("\(folder)/\(id)") {
      guard let bytes = try? Files.read("\(folder)/\(id)"), JPEGDecoder.recognizes(bytes),
        let image = try? JPEGDecoder.decode(
          bytes, from: id,
          denominator: { width, height in
            [8, 4, 2].first { min(width, height) / $0 >= side } ?? 1
          })
      else { return nil }
      let edge = Double(min(image.width, image.height))
      let box = Box(
        left: (Double(image.width) - edge) / 2, top: (Double(image.height) - edge) / 2,
        width: edge, height: edge)
      var resizer = Resizer()
      let small = resizer.resize(image, box: box, width: side, height: side)
      return Data(JPEGEncoder(quality: 70).encode(small)).base64EncodedString()
    }
    return nil
  }
}
