import Tensors

/// What a pickle can hold here; containers live in the reader and are named by their place there,
/// so that no nesting, however deep, and no circle costs anything.
enum PickleValue {
  case none
  case bool(Bool)
  case int(Int)
  case real(Double)
  case text(String)
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(Int)

  /// What it is, for messages.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a bool"
    case .int: "a whole number"
    case .real: "a number"
    case .text: "a text"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .global: "a global"
    case .storage: "a storage"
    case .tensor: "a tensor"
    }
  }
}

/// The names that a pickle may use; none of them runs anything.
enum PickleGlobal: Hashable {
  case orderedDictionary
  case rebuildTensor
  case rebuildParameter
  case size
  case storage(ElementType)

  /// The global `module.name`, or `nil` for one that is not allowed.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", "Size"): self = .size
    case ("torch", "DoubleStorage"): self = .storage(.float64)
    case ("torch", "FloatStorage"): self = .storage(.float32)
    case ("torch", "HalfStorage"): self = .storage(.float16)
    case ("torch", "BFloat16Storage"): self = .storage(.bfloat16)
    case ("torch", "LongStorage"): self = .storage(.int64)
    case ("torch", "IntStorage"): self = .storage(.int32)
    case ("torch", "ShortStorage"): self = .storage(.int16)
    case ("torch", "CharStorage"): self = .storage(.int8)
    case ("torch", "ByteStorage"): self = .storage(.uint8)
    case ("torch", "BoolStorage"): self = .storage(.bool)
    default: return nil
    }
  }
}

/// The operations that a pickle may use.
enum PickleOperation: UInt8 {
  case mark = 0x28
  case stop = 0x2e
  case reduce = 0x52
  case build = 0x62
  case global = 0x63
  case append = 0x61
  case appends = 0x65
  case setItem = 0x73
  case setItems = 0x75
  case none = 0x4e
  case bool1 = 0x88
  case bool0 = 0x89
  case int4 = 0x4a
  case int1 = 0x4b
  case int2 = 0x4d
  case long1 = 0x8a
  case real = 0x47
  case text4 = 0x58
  case text1 = 0x8c
  case emptyList = 0x5d
  case emptyTuple = 0x29
  case emptyDictionary = 0x7d
  case tuple = 0x74
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case persistent = 0x51
  case get1 = 0x68
  case get4 = 0x6a
  case put1 = 0x71
  case put4 = 0x72
  case memoize = 0x94
  case stackGlobal = 0x93
  case protocolVersion = 0x80
  case frame = 0x95

  /// What Python's `pickletools` calls the operations that are refused.
  static let refused: [UInt8: String] = [
    0x69: "INST", 0x6f: "OBJ", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX", 0x82: "EXT1", 0x83: "EXT2",
    0x84: "EXT4", 0x50: "PERSID", 0x46: "FLOAT", 0x49: "INT", 0x4c: "LONG", 0x53: "STRING",
    0x54: "BINSTRING", 0x55: "SHORT_BINSTRING", 0x56: "UNICODE", 0x42: "BINBYTES",
    0x43: "SHORT_BINBYTES", 0x8e: "BINBYTES8", 0x96: "BYTEARRAY8", 0x97: "NEXT_BUFFER",
    0x98: "READONLY_BUFFER", 0x30: "POP", 0x31: "POP_MARK", 0x32: "DUP", 0x64: "DICT",
    0x6c: "LIST", 0x67: "GET", 0x70: "PUT", 0x8f: "EMPTY_SET", 0x90: "ADDITEMS",
    0x91: "FROZENSET", 0x8b: "LONG4", 0x8d: "BINUNICODE8",
  ]
}
