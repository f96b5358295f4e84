import Files
import Foundation

/// The files beside an ONNX file in which it may keep the elements of its tensors.
///
/// A model that came from elsewhere says which file and which bytes; it may only name plain files
/// in its own folder, and not have the same bytes read over and over.
///
/// Source: ONNX, *External Data*, <https://onnx.ai/onnx/repo-docs/ExternalData.html>.
final class ExternalData {
  private struct Opened {
    var file: FileHandle
    var length: UInt64
    /// How many more bytes may be read: tensors may share some, but not without end.
    var room: UInt64
  }

  private let folder: String
  private var opened: [String: Opened] = [:]

  /// The files beside the model at `path`.
  init(besideModelAt path: String) {
    folder = Files.parent(of: path)
  }

  /// The elements of `tensor`, which must be `count` bytes.
  func bytes(of tensor: ONNXTensorProto, count: Int) throws(GraphError) -> [UInt8] {
    var entries: [String: String] = [:]
    for entry in tensor.externalData { entries[entry.key] = entry.value }
    let location = entries["location"] ?? ""
    let place = tensor.place
    func number(_ key: String) throws(GraphError) -> UInt64? {
      guard let text = entries[key] else { return nil }
      guard let number = UInt64(text) else {
        throw GraphError(place, "has the \(key) '\(text.prefix(40))' in '\(location)'")
      }
      return number
    }
    let offset = try number("offset") ?? 0
    var file = try open(location, place)
    guard offset <= file.length else {
      throw GraphError(
        place, "lies at \(offset) of '\(location)', which has \(file.length) bytes")
    }
    let length = try number("length") ?? file.length - offset
    guard length == UInt64(count), length <= file.length - offset else {
      throw GraphError(
        place,
        "has \(length) bytes at \(offset) of '\(location)' (\(file.length) bytes), expected "
          + "\(count)")
    }
    guard length <= file.room else {
      throw GraphError(place, "shares the bytes of '\(location)' with too many tensors")
    }
    file.room -= length
    opened[location] = file
    if count == 0 { return [] }
    do {
      try file.file.seek(toOffset: offset)
      guard let data = try file.file.read(upToCount: count), data.count == count else {
        throw CocoaError(.fileReadUnknown)
      }
      return [UInt8](data)
    } catch {
      throw GraphError(place, "could not be read from '\(location)'")
    }
  }

  private func open(_ location: String, _ place: String) throws(GraphError) -> Opened {
    if let known = opened[location] { return known }
    let shown = String(location.prefix(200).map { $0.isNewline ? " " : $0 })
    let parts = location.split(separator: "/", omittingEmptySubsequences: false)
    guard !location.isEmpty, !location.hasPrefix("/"), !parts.contains(".."),
      !location.utf8.contains(0)
    else {
      throw GraphError(
        place, "is stored in '\(shown)', which is not inside the model's folder; refused")
    }
    let path = "\(folder)/\(location)"
    guard let real = Self.resolved(path), let home = Self.resolved(folder) else {
      throw GraphError(
        place, "is stored in '\(shown)', which could not be opened: \(FileError.systemReason())")
    }
    guard real.hasPrefix(home == "/" ? home : "\(home)/") else {
      throw GraphError(
        place, "is stored in '\(shown)', a link that leaves the model's folder; refused")
    }
    var status = stat()
    guard stat(real, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      let file = FileHandle(forReadingAtPath: real)
    else { throw GraphError(place, "is stored in '\(shown)', which is not a readable file") }
    let length = UInt64(status.st_size)
    let opened = Opened(file: file, length: length, room: 4 * length)
    self.opened[location] = opened
    return opened
  }

  /// The path without links; `nil` where there is nothing.
  private static func resolved(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }
}
