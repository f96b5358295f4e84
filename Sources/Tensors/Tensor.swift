/// The type of one element of a ``Tensor``, with ONNX's names.
public enum ElementType: String, Hashable, Codable, Sendable, CaseIterable {
  case float32, float16, bfloat16, float64
  case int8, int16, int32, int64, uint8, uint16, uint32, uint64
  case bool
  case int4, uint4, int2, uint2

  /// The width of one element in bits; elements narrower than a byte are packed, low bits first.
  public var bits: Int {
    switch self {
    case .float64, .int64, .uint64: 64
    case .float32, .int32, .uint32: 32
    case .float16, .bfloat16, .int16, .uint16: 16
    case .int8, .uint8, .bool: 8
    case .int4, .uint4: 4
    case .int2, .uint2: 2
    }
  }

  /// The number of bytes that `count` elements take, rounded up to whole bytes.
  public func byteCount(of count: Int) -> Int { (count * bits + 7) / 8 }
}

/// A constant array: a shape, an element type and its bytes.
///
/// Elements are in row-major order and little-endian, as in ONNX's `raw_data` and in safetensors.
/// A scalar has the shape `[]` and one element.
public struct Tensor: Hashable, Sendable {
  /// The extent of every axis, outermost first.
  public let shape: [Int]
  /// What one element is.
  public let elementType: ElementType
  /// The elements; `elementType.byteCount(of: count)` bytes.
  public let bytes: [UInt8]

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// A tensor of `bytes` as they are.
  ///
  /// - Precondition: `bytes` has the length that `shape` and `elementType` ask for.
  public init(shape: [Int], elementType: ElementType, bytes: [UInt8]) {
    let count = shape.reduce(1, *)
    precondition(
      bytes.count == elementType.byteCount(of: count),
      "a \(elementType) tensor of shape \(shape) has \(elementType.byteCount(of: count)) bytes")
    self.shape = shape
    self.elementType = elementType
    self.bytes = bytes
  }

  /// A tensor of plain numbers; `Element` decides the element type.
  ///
  /// - Precondition: `values` has as many elements as `shape` asks for.
  public init<Element: TensorElement>(shape: [Int], _ values: [Element]) {
    self.init(
      shape: shape, elementType: Element.elementType,
      bytes: values.withUnsafeBytes { Array($0) })
  }

  /// A scalar, of shape `[]`.
  public init<Element: TensorElement>(scalar value: Element) {
    self.init(shape: [], [value])
  }

  /// The elements as `Element`.
  ///
  /// - Precondition: `Element` is what the tensor holds.
  public func values<Element: TensorElement>(as type: Element.Type = Element.self) -> [Element] {
    precondition(type.elementType == elementType, "this tensor holds \(elementType)")
    return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
      initialized = count
    }
  }

  /// The elements of a `float32` tensor.
  ///
  /// - Precondition: the tensor holds `float32`.
  public var floats: [Float] { values() }

  /// The same elements under another shape.
  ///
  /// - Precondition: `shape` has as many elements.
  public func reshaped(_ shape: [Int]) -> Tensor {
    Tensor(shape: shape, elementType: elementType, bytes: bytes)
  }
}

/// A Swift number that can be an element of a ``Tensor``.
public protocol TensorElement: BitwiseCopyable {
  /// The element type it is stored as.
  static var elementType: ElementType { get }
}

extension Float: TensorElement {
  /// `float32`.
  public static var elementType: ElementType { .float32 }
}
extension Double: TensorElement {
  /// `float64`.
  public static var elementType: ElementType { .float64 }
}
extension Int8: TensorElement {
  /// `int8`.
  public static var elementType: ElementType { .int8 }
}
extension UInt8: TensorElement {
  /// `uint8`.
  public static var elementType: ElementType { .uint8 }
}
extension Int32: TensorElement {
  /// `int32`.
  public static var elementType: ElementType { .int32 }
}
extension Int64: TensorElement {
  /// `int64`.
  public static var elementType: ElementType { .int64 }
}
