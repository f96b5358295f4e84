import Files
import Tensors

/// Reads the part of Python's pickles that tensors need, and executes nothing.
///
/// A pickle is a program for a stack machine, and Python's own would call any function that a file
/// names. This one knows a few operations and a few names that stand for tensors and dictionaries;
/// whatever else is met is refused by its name.
///
/// Source: Python's `pickletools` module; `torch.serialization` for the meaning of persistent ids.
struct PickleReader {
  /// A tensor as numbers in a storage.
  struct View {
    var storage: Int
    var offset: Int
    var shape: [Int]
    var strides: [Int]
  }

  /// A run of numbers that is a file of its own.
  struct Storage: Hashable {
    var elementType: ElementType
    var key: String
    var count: Int
  }

  private(set) var sequences: [[PickleValue]] = []
  private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  private(set) var storages: [Storage] = []
  private(set) var views: [View] = []

  private let bytes: ArraySlice<UInt8>
  private let path: String
  private var at: Int
  private var stack: [PickleValue] = []
  /// How high the stack was at each mark.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]

  /// A network of a thousand tensors takes some 50 000 operations; more than this is an attack.
  private static let mostOperations = 2_000_000
  private static let highestRank = 16

  init(_ bytes: ArraySlice<UInt8>, path: String) {
    self.bytes = bytes
    self.path = path
    at = bytes.startIndex
  }

  /// Runs the pickle; the containers it made are in the reader afterwards.
  mutating func run() throws(FileError) -> PickleValue {
    for _ in 0..<Self.mostOperations {
      let code = try next(1)[0]
      guard let operation = PickleOperation(rawValue: code) else {
        let name = PickleOperation.refused[code] ?? "number \(code)"
        throw refusal("uses the operation \(name), which tensors do not need; refused")
      }
      if operation == .stop { return try pop() }
      try execute(operation)
    }
    throw refusal("takes more than \(Self.mostOperations) operations")
  }

  private mutating func execute(_ operation: PickleOperation) throws(FileError) {
    switch operation {
    case .protocolVersion:
      let version = try next(1)[0]
      guard 2...5 ~= version else { throw refusal("is of protocol \(version), expected 2 to 5") }
    case .frame: _ = try next(8)
    case .mark: marks.append(stack.count)
    case .stop: break
    case .none: stack.append(.none)
    case .bool0: stack.append(.bool(false))
    case .bool1: stack.append(.bool(true))
    case .int1: stack.append(.int(try number(1)))
    case .int2: stack.append(.int(try number(2)))
    case .int4: stack.append(.int(Int(Int32(truncatingIfNeeded: try number(4)))))
    case .long1: stack.append(.int(try long()))
    case .real:
      let pattern = try next(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      stack.append(.real(Double(bitPattern: pattern)))
    case .text1: stack.append(.text(try text(try number(1))))
    case .text4: stack.append(.text(try text(try number(4))))
    case .emptyTuple: push(tuple: [])
    case .tuple1: push(tuple: try pop(1))
    case .tuple2: push(tuple: try pop(2))
    case .tuple3: push(tuple: try pop(3))
    case .tuple: push(tuple: try popToMark())
    case .emptyList:
      stack.append(.list(sequences.count))
      sequences.append([])
    case .emptyDictionary: pushDictionary([])
    case .append: try extend(by: try pop(1))
    case .appends: try extend(by: try popToMark())
    case .setItem: try set(try pop(2))
    case .setItems: try set(try popToMark())
    case .get1: try get(try number(1))
    case .get4: try get(try number(4))
    case .put1: memo[try number(1)] = try top()
    case .put4: memo[try number(4)] = try top()
    case .memoize: memo[memo.count] = try top()
    case .global: try pushGlobal(module: try line(), name: try line())
    case .stackGlobal:
      let parts = try pop(2)
      guard case .text(let module) = parts[0], case .text(let name) = parts[1] else {
        throw refusal("names a global by something that is no text")
      }
      try pushGlobal(module: module, name: name)
    case .persistent: try pushStorage()
    case .reduce: try reduce()
    case .build:
      // A dictionary's own attributes, as PyTorch's `_metadata`, mean nothing here.
      _ = try pop()
      guard case .dictionary = try top() else {
        throw refusal("sets attributes of \(try top().kind), which tensors do not need; refused")
      }
    }
  }

  // The stack.

  private mutating func pop() throws(FileError) -> PickleValue { try pop(1)[0] }

  private mutating func pop(_ count: Int) throws(FileError) -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else { throw refusal("takes what is not there") }
    let values = Array(stack.suffix(count))
    stack.removeLast(count)
    return values
  }

  private mutating func popToMark() throws(FileError) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw refusal("ends a list that never began") }
    let values = Array(stack[mark...])
    stack.removeSubrange(mark...)
    return values
  }

  private func top() throws(FileError) -> PickleValue {
    guard stack.count > marks.last ?? 0, let top = stack.last else {
      throw refusal("takes what is not there")
    }
    return top
  }

  private mutating func get(_ place: Int) throws(FileError) {
    guard let value = memo[place] else { throw refusal("recalls what it never remembered") }
    stack.append(value)
  }

  // Containers.

  private mutating func push(tuple values: [PickleValue]) {
    stack.append(.tuple(sequences.count))
    sequences.append(values)
  }

  private mutating func pushDictionary(_ pairs: [(key: PickleValue, value: PickleValue)]) {
    stack.append(.dictionary(dictionaries.count))
    dictionaries.append(pairs)
  }

  private mutating func extend(by values: [PickleValue]) throws(FileError) {
    guard case .list(let list) = try top() else {
      throw refusal("appends to \(try top().kind), expected a list")
    }
    sequences[list] += values
  }

  private mutating func set(_ values: [PickleValue]) throws(FileError) {
    guard case .dictionary(let dictionary) = try top(), values.count % 2 == 0 else {
      throw refusal("sets items of \(try top().kind), expected pairs for a dictionary")
    }
    for index in stride(from: 0, to: values.count, by: 2) {
      dictionaries[dictionary].append((values[index], values[index + 1]))
    }
  }

  // Names and what is made with them.

  private mutating func pushGlobal(module: String, name: String) throws(FileError) {
    guard let global = PickleGlobal(module: module, name: name) else {
      throw FileError(
        path,
        "names '\(printable(module)).\(printable(name))', which is not loaded because it could "
          + "run code; save the tensors alone: torch.save(model.state_dict(), path)")
    }
    stack.append(.global(global))
  }

  private mutating func pushStorage() throws(FileError) {
    guard case .tuple(let place) = try pop(), sequences[place].count == 5,
      case .text("storage") = sequences[place][0],
      case .global(.storage(let type)) = sequences[place][1],
      case .text(let key) = sequences[place][2], case .int(let count) = sequences[place][4],
      0...ShapeInference.largestCount ~= count
    else { throw refusal("refers to something outside that is not a storage of numbers") }
    stack.append(.storage(storages.count))
    storages.append(Storage(elementType: type, key: key, count: count))
  }

  private mutating func reduce() throws(FileError) {
    let parts = try pop(2)
    guard case .global(let global) = parts[0], case .tuple(let place) = parts[1] else {
      throw refusal("calls \(parts[0].kind), which is refused")
    }
    let arguments = sequences[place]
    switch (global, arguments.first) {
    case (.orderedDictionary, nil): pushDictionary([])
    case (.orderedDictionary, .list(let list)) where arguments.count == 1:
      var pairs: [(key: PickleValue, value: PickleValue)] = []
      for case .tuple(let pair) in sequences[list] where sequences[pair].count == 2 {
        pairs.append((sequences[pair][0], sequences[pair][1]))
      }
      guard pairs.count == sequences[list].count else {
        throw refusal("makes a dictionary of what are not pairs")
      }
      pushDictionary(pairs)
    case (.rebuildTensor, .storage(let storage)) where arguments.count >= 4:
      guard case .int(let offset) = arguments[1], let shape = extents(arguments[2]),
        let strides = extents(arguments[3]), shape.count == strides.count, offset >= 0
      else { throw refusal("makes a tensor of an impossible shape") }
      stack.append(.tensor(views.count))
      views.append(View(storage: storage, offset: offset, shape: shape, strides: strides))
    case (.rebuildParameter, .tensor(let view)): stack.append(.tensor(view))
    case (.size, .tuple(let extents)) where arguments.count == 1: stack.append(.tuple(extents))
    default: throw refusal("makes a tensor or dictionary of the wrong things")
    }
  }

  /// The whole numbers of a tuple; `nil` where it is none, too long, or has one that cannot be.
  private func extents(_ value: PickleValue) -> [Int]? {
    guard case .tuple(let place) = value, sequences[place].count <= Self.highestRank else {
      return nil
    }
    let numbers = sequences[place].compactMap { value in
      if case .int(let number) = value, 0...ShapeInference.largestCount ~= number {
        number
      } else {
        nil as Int?
      }
    }
    return numbers.count == sequences[place].count ? numbers : nil
  }

  // Bytes.

  private mutating func next(_ count: Int) throws(FileError) -> [UInt8] {
    guard bytes.endIndex - at >= count else { throw refusal("ends early") }
    defer { at += count }
    return Array(bytes[at..<at + count])
  }

  private mutating func number(_ width: Int) throws(FileError) -> Int {
    try next(width).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  private mutating func long() throws(FileError) -> Int {
    let width = try number(1)
    guard width <= 8 else { throw refusal("has a whole number of \(width) bytes") }
    let digits = try next(width)
    let start: Int = digits.last.map { $0 >= 0x80 ? -1 : 0 } ?? 0
    return digits.reversed().reduce(start) { $0 << 8 | Int($1) }
  }

  private mutating func text(_ length: Int) throws(FileError) -> String {
    guard let text = String(validating: try next(length), as: UTF8.self) else {
      throw refusal("has a text that is not UTF-8")
    }
    return text
  }

  /// The text up to the end of the line.
  private mutating func line() throws(FileError) -> String {
    guard let end = bytes[at...].prefix(256).firstIndex(of: 0x0a) else {
      throw refusal("has a name without an end")
    }
    let line = try text(end - at)
    at = end + 1
    return line
  }

  private func printable(_ text: String) -> String {
    String(text.prefix(80).map { $0.isNewline || $0.isWhitespace ? " " : $0 })
  }

  private func refusal(_ problem: String) -> FileError {
    FileError(path, "its pickle \(problem)")
  }
}
