internal import Files
internal import Foundation

/// The files of a drawn data set.
struct PortraitFiles {
  let folder: String
  let plan: PortraitPlan
  let options: Portraits.Options

  /// Raised whenever the same row is drawn differently than before.
  static let drawingVersion = 1

  private var settingsPath: String { "\(folder)/portraits.json" }

  /// Everything that decides a picture or an annotation, as text.
  private var settings: String {
    """
    {
      "annotation": "\(annotationHash)",
      "count": \(plan.people.count),
      "drawing": \(Self.drawingVersion),
      "height": \(options.height),
      "quality": \(options.quality),
      "seed": \(options.seed),
      "width": \(options.width)
    }

    """
  }

  private var annotationHash: String {
    var hash = SHA256()
    for text in [attributeText, partitionText, identityText] { hash.update(Array(text.utf8)) }
    return hash.finish()
  }

  /// Makes the folders, or makes sure that what is in them is an earlier part of the same work.
  func claimFolder(_ images: String) throws(FileError) {
    let settings = settings
    if Files.exists(settingsPath) {
      let found = try Files.readText(settingsPath)
      guard found == settings else {
        throw FileError(
          settingsPath,
          "tells of portraits drawn with other settings\(Self.difference(found, settings)); "
            + "choose another folder or remove this one")
      }
    } else if Files.exists(images) {
      throw FileError(
        images, "is there already and was not drawn by this command; choose another folder")
    }
    try Files.makeFolder(images)
    if !Files.exists(settingsPath) { try Files.replace(settingsPath, with: settings) }
  }

  /// The first setting that is not the same, as in ` ("seed": 1, now "seed": 2)`.
  private static func difference(_ found: String, _ wanted: String) -> String {
    func lines(_ text: String) -> [String] {
      text.split(separator: "\n").map { line in String(line.filter { $0 != " " && $0 != "," }) }
    }
    for (old, new) in zip(lines(found), lines(wanted)) where old != new {
      if !new.contains("annotation") { return " (\(old), now \(new))" }
    }
    return " or of other people"
  }

  /// Writes the three annotation files; their being there says that all pictures are.
  func writeAnnotation() throws(FileError) {
    try Files.replace("\(folder)/identity_CelebA.txt", with: identityText)
    try Files.replace("\(folder)/list_eval_partition.txt", with: partitionText)
    try Files.replace("\(folder)/list_attr_celeba.txt", with: attributeText)
  }

  private var attributeText: String {
    var text = "\(plan.people.count)\n"
    // CelebA's own line of names ends in a space.
    for name in FaceAttribute.names { text += name + " " }
    text += "\n"
    for person in plan.people {
      text += person.file
      for value in person.attributes { text += value ? "  1" : " -1" }
      text += "\n"
    }
    return text
  }

  private var partitionText: String {
    plan.people.map { "\($0.file) \($0.split.rawValue)\n" }.joined()
  }

  private var identityText: String {
    plan.people.map { "\($0.file) \($0.identity)\n" }.joined()
  }

  /// Whether a whole JPEG file is at `path`: it begins and ends as one.
  static func isComplete(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    var ends: [UInt8] = [0, 0, 0, 0]
    let read = ends.withUnsafeMutableBytes { bytes -> Bool in
      guard size > 4, let start = bytes.baseAddress else { return false }
      return pread(descriptor, start, 2, 0) == 2 && pread(descriptor, start + 2, 2, size - 2) == 2
    }
    return read && ends == [0xff, 0xd8, 0xff, 0xd9]
  }

  /// Writes a picture.
  ///
  /// It is written in place and nothing waits for the disk, which is several times as fast as
  /// ``Files/replace(_:with:)``: what a kill or a power cut leaves in part, ``isComplete(_:)``
  /// tells from a picture, and it is drawn again.
  static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw FileError(path, "could not be created: \(FileError.systemReason())")
    }
    var failure: Int32 = 0
    bytes.withUnsafeBytes { buffer in
      var done = 0
      while let start = buffer.baseAddress, done < buffer.count {
        let wrote = Foundation.write(descriptor, start + done, buffer.count - done)
        if wrote < 0 && errno == EINTR { continue }
        if wrote <= 0 {
          failure = errno
          return
        }
        done += wrote
      }
    }
    if close(descriptor) != 0 && failure == 0 { failure = errno }
    guard failure == 0 else {
      unlink(path)
      throw FileError(path, "could not be written: \(FileError.systemReason(failure))")
    }
  }
}
