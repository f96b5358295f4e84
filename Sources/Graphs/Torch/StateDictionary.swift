public import Files
public import Tensors

/// Reading of the tensors in PyTorch's `.pth` and `.pt` files, without running anything in them.
///
/// Such a file is a zip archive: a pickle that says which tensors there are, and a file of plain
/// numbers for each storage. Only the part of pickle that tensors need is understood; a name or an
/// operation outside it is refused, so a hostile file gives one line and no more.
///
/// Source: `torch.serialization` and `torch._weights_only_unpickler` of PyTorch 2.
public enum StateDictionary {
  /// Under which names checkpoints keep the weights, in the order in which they are looked for.
  private static let nested = ["state_dict", "model", "model_state_dict", "module"]

  /// Larger pickles are refused; one of a thousand tensors has some 100 KB.
  private static let largestPickle = 16 << 20

  /// Tensors that share storages may take this many times the file's length together.
  private static let mostSharing = 4

  /// Reads the tensors of a file, by name.
  ///
  /// A dictionary under `state_dict` or `model` is taken in place of the one around it, and the
  /// prefix `module.` of data-parallel training is dropped.
  ///
  /// - Throws: ``FileError`` that says what is damaged or refused, and where.
  public static func read(_ path: String) throws(FileError) -> [String: Tensor] {
    try tensors(try Files.read(path), path: path)
  }

  /// The tensors in the contents of a file; `path` only names it in messages.
  ///
  /// - Throws: ``FileError`` as ``read(_:)`` does.
  public static func tensors(
    _ bytes: [UInt8], path: String
  ) throws(FileError) -> [String: Tensor] {
    let archive = try ZipArchive(bytes, path: path)
    let pickles = archive.entries.keys.filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw FileError(path, "is a zip archive, but not one that torch.save wrote: no data.pkl")
    }
    let folder = pickle.dropLast("data.pkl".count)
    guard archive.entries["\(folder)constants.pkl"] == nil else {
      throw FileError(
        path,
        "is a TorchScript program; save its tensors alone: torch.save(model.state_dict(), path)")
    }
    if archive.entries["\(folder)byteorder"] != nil,
      try !archive.contents("\(folder)byteorder").elementsEqual("little".utf8)
    {
      throw FileError(path, "was written on a machine of the other byte order; not supported")
    }
    let program = try archive.contents(pickle)
    guard program.count <= largestPickle else {
      throw FileError(path, "its pickle has \(program.count) bytes; at most \(largestPickle)")
    }
    var reader = PickleReader(program, path: path)
    let root = try reader.run()
    let places = try tensors(in: root, reader, path)
    var source = Source(archive: archive, reader: reader, folder: String(folder), path: path)
    source.room = bytes.count * mostSharing
    var tensors: [String: Tensor] = [:]
    for (name, view) in places.sorted(by: { $0.key < $1.key }) {
      tensors[name] = try source.tensor(name, reader.views[view])
    }
    return tensors
  }

  /// Which view is the tensor of which name.
  private static func tensors(
    in root: PickleValue, _ reader: PickleReader, _ path: String
  ) throws(FileError) -> [String: Int] {
    guard case .dictionary(var place) = root else {
      throw FileError(path, "holds \(root.kind), expected a dictionary of tensors")
    }
    func entry(_ name: String) -> Int? {
      for case (.text(name), .dictionary(let inner)) in reader.dictionaries[place] { return inner }
      return nil
    }
    if let inner = nested.lazy.compactMap(entry).first { place = inner }
    var places: [String: Int] = [:]
    for case (.text(let name), .tensor(let view)) in reader.dictionaries[place] {
      places[name] = view
    }
    guard !places.isEmpty else { throw FileError(path, "holds no tensors by name") }
    let prefix = "module."
    guard places.keys.allSatisfy({ $0.hasPrefix(prefix) }) else { return places }
    return Dictionary(uniqueKeysWithValues: places.map { (String($0.dropFirst(7)), $1) })
  }
}

/// Makes tensors of the archive's storages.
private struct Source {
  var archive: ZipArchive
  var reader: PickleReader
  var folder: String
  var path: String
  /// How many more bytes tensors may take.
  var room = 0
  private var checked: [String: ArraySlice<UInt8>] = [:]

  init(archive: ZipArchive, reader: PickleReader, folder: String, path: String) {
    self.archive = archive
    self.reader = reader
    self.folder = folder
    self.path = path
  }

  mutating func tensor(_ name: String, _ view: PickleReader.View) throws(FileError) -> Tensor {
    let storage = reader.storages[view.storage]
    let type = storage.elementType
    let contents = try self.contents(storage, of: name)
    var count = 1
    var last = view.offset
    for extent in view.shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw outside(name, view, storage) }
      count = product
    }
    // An empty tensor lies nowhere.
    for (extent, stride) in zip(view.shape, view.strides) where count > 0 {
      let (reach, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
      guard !overflow, reach <= storage.count else { throw outside(name, view, storage) }
      last += reach
    }
    guard count == 0 || last < storage.count && count <= storage.count else {
      throw outside(name, view, storage)
    }
    let width = type.bits / 8
    room -= count * width
    guard room >= 0 else {
      throw FileError(path, "its tensors share storages and would take many times its length")
    }
    if count == 0 { return Tensor(shape: view.shape, elementType: type, bytes: []) }
    let start = contents.startIndex + view.offset * width
    if isContiguous(view) {
      return Tensor(
        shape: view.shape, elementType: type, bytes: Array(contents[start..<start + count * width]))
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count * width)
    var place = [Int](repeating: 0, count: view.shape.count)
    for _ in 0..<count {
      let element = zip(place, view.strides).reduce(start) { $0 + $1.0 * $1.1 * width }
      bytes += contents[element..<element + width]
      for axis in place.indices.reversed() {
        place[axis] += 1
        if place[axis] < view.shape[axis] { break }
        place[axis] = 0
      }
    }
    return Tensor(shape: view.shape, elementType: type, bytes: bytes)
  }

  /// Whether the elements lie in row-major order without gaps.
  private func isContiguous(_ view: PickleReader.View) -> Bool {
    var expected = 1
    for (extent, stride) in zip(view.shape, view.strides).reversed() where extent != 1 {
      if stride != expected { return false }
      expected *= extent
    }
    return true
  }

  private mutating func contents(
    _ storage: PickleReader.Storage, of name: String
  ) throws(FileError) -> ArraySlice<UInt8> {
    let file = "\(folder)data/\(storage.key)"
    guard archive.entries[file] != nil else {
      throw FileError(path, "tensor '\(name)' lies in '\(file)', which is missing")
    }
    let contents: ArraySlice<UInt8>
    if let known = checked[file] {
      contents = known
    } else {
      contents = try archive.contents(file)
      checked[file] = contents
    }
    guard contents.count == storage.elementType.byteCount(of: storage.count) else {
      throw FileError(
        path,
        "tensor '\(name)' lies in '\(file)' of \(contents.count) bytes, expected "
          + "\(storage.elementType.byteCount(of: storage.count)) for \(storage.count) numbers of "
          + "\(storage.elementType)")
    }
    return contents
  }

  private func outside(
    _ name: String, _ view: PickleReader.View, _ storage: PickleReader.Storage
  ) -> FileError {
    FileError(
      path,
      "tensor '\(name)' of shape \(view.shape) with strides \(view.strides) at \(view.offset) does "
        + "not fit its storage of \(storage.count) numbers")
  }
}
