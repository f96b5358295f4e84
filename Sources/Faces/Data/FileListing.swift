internal import Files
internal import Foundation

/// What is in a folder, asked of the system once instead of once for each image.
enum FileListing {
  /// The names in the folder at `path`.
  static func names(_ path: String) throws(FileError) -> Set<String> {
    do {
      return Set(try FileManager.default.contentsOfDirectory(atPath: path))
    } catch {
      throw FileError(path, "could not be listed: \(FileError.systemReason())")
    }
  }

  /// The length in bytes of the file at `path`.
  static func length(_ path: String) throws(FileError) -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw FileError(path, "could not be examined: \(FileError.systemReason())")
    }
    return Int(status.st_size)
  }

  /// Makes sure that all of `files` are in `folder`.
  ///
  /// `table` is the file that names the images, image `row` of them on line `line(row)`.
  ///
  /// - Throws: `FileError` that names the first one missing, by file and line, and counts the rest.
  static func check(
    _ files: [String], in folder: String, namedBy table: String, line: (Int) -> Int
  ) throws(FileError) {
    // Names with a folder in them are looked up one by one; plain ones in a listing.
    let listed = try names(folder)
    var first: Int?
    var missing = 0
    for (row, file) in files.enumerated() where !listed.contains(file) {
      if file.utf8.contains(UInt8(ascii: "/")) && Files.exists("\(folder)/\(file)") { continue }
      first = first ?? row
      missing += 1
    }
    guard let first else { return }
    let others = missing == 1 ? "" : " (and \(missing - 1) more)"
    throw FileError(
      table, "line \(line(first)): image \(folder)/\(files[first]) is missing\(others)")
  }
}
