import Foundation
import Tensors

/// ONNX's numbers for element types.
extension ElementType {
  /// The type with ONNX's number `code`; `nil` where Equant has no such type.
  init?(onnx code: Int32) {
    guard let type = ElementType.allCases.first(where: { $0.onnxCode == code }) else { return nil }
    self = type
  }

  /// ONNX's number (`TensorProto.DataType`).
  var onnxCode: Int32 {
    switch self {
    case .float32: 1
    case .uint8: 2
    case .int8: 3
    case .uint16: 4
    case .int16: 5
    case .int32: 6
    case .int64: 7
    case .bool: 9
    case .float16: 10
    case .float64: 11
    case .uint32: 12
    case .uint64: 13
    case .bfloat16: 16
    case .uint4: 21
    case .int4: 22
    case .uint2: 25
    case .int2: 26
    }
  }

  /// What half-precision numbers become when a file is read; other types stay.
  var widened: ElementType { self == .float16 || self == .bfloat16 ? .float32 : self }
}

extension ONNXTensorProto {
  /// `tensor` under `name`, its elements in `raw_data`.
  init(_ name: String, _ tensor: Tensor) {
    self.init()
    self.name = name
    dims = tensor.shape.map(Int64.init)
    dataType = tensor.elementType.onnxCode
    rawData = Data(tensor.bytes)
  }

  /// Where messages place this tensor.
  var place: String { "tensor '\(name)'" }

  /// The element type as stored.
  func elementType() throws(GraphError) -> ElementType {
    guard let type = ElementType(onnx: dataType) else {
      throw GraphError(place, "has ONNX's element type \(dataType), which is not supported")
    }
    return type
  }

  /// Whether the elements are in another file.
  var isExternal: Bool { dataLocation == 1 }

  /// The tensor, with every length checked against the data before anything is allocated.
  ///
  /// - Parameter external: Where elements that are not in the file itself come from.
  /// - Returns: The tensor as stored.
  /// - Throws: ``GraphError`` when the elements are missing, too many or out of reach.
  func tensor(_ external: ExternalData) throws(GraphError) -> Tensor {
    let type = try elementType()
    guard !hasSegment else { throw GraphError(place, "is split into segments; not supported") }
    var count = 1
    for extent in dims {
      let (product, overflow) = count.multipliedReportingOverflow(by: Int(extent))
      guard extent >= 0, extent <= ShapeInference.largestExtent, !overflow,
        product <= ShapeInference.largestCount
      else { throw GraphError(place, "has the impossible shape \(dims)") }
      count = product
    }
    let shape = dims.map(Int.init)
    if isExternal {
      let bytes = try external.bytes(of: self, count: type.byteCount(of: count))
      return Tensor(shape: shape, elementType: type, bytes: bytes)
    }
    let stored = storedByteCount(type)
    guard stored == type.byteCount(of: count) else {
      throw GraphError(
        place,
        "holds \(stored) bytes, expected \(type.byteCount(of: count)) for \(type) of shape \(dims)")
    }
    return Tensor(shape: shape, elementType: type, bytes: elementBytes(type))
  }

  /// How many bytes the elements have once they are in row-major order.
  private func storedByteCount(_ type: ElementType) -> Int {
    if hasRawData { return rawData.count }
    switch type {
    case .float32: return floatData.count * 4
    case .float64: return doubleData.count * 8
    case .int64: return int64Data.count * 8
    case .uint32: return uint64Data.count * 4
    case .uint64: return uint64Data.count * 8
    case .int32: return int32Data.count * 4
    case .float16, .bfloat16, .int16, .uint16: return int32Data.count * 2
    case .int8, .uint8, .bool, .int4, .uint4, .int2, .uint2: return int32Data.count
    }
  }

  private func elementBytes(_ type: ElementType) -> [UInt8] {
    if hasRawData { return [UInt8](rawData) }
    func bytes<Number: BitwiseCopyable>(_ numbers: [Number]) -> [UInt8] {
      numbers.withUnsafeBytes { Array($0) }
    }
    switch type {
    case .float32: return bytes(floatData)
    case .float64: return bytes(doubleData)
    case .int64: return bytes(int64Data)
    case .uint32: return bytes(uint64Data.map { UInt32(truncatingIfNeeded: $0) })
    case .uint64: return bytes(uint64Data)
    case .int32: return bytes(int32Data)
    case .float16, .bfloat16, .int16, .uint16:
      return bytes(int32Data.map { UInt16(truncatingIfNeeded: $0) })
    case .int8, .uint8, .bool, .int4, .uint4, .int2, .uint2:
      return int32Data.map { UInt8(truncatingIfNeeded: $0) }
    }
  }

  /// How many bytes of the file the elements take, in whichever field they are.
  var payload: Int {
    func varints(_ numbers: some Sequence<UInt64>) -> Int {
      numbers.reduce(0) { $0 + max(1, (64 - $1.leadingZeroBitCount + 6) / 7) }
    }
    return rawData.count + floatData.count * 4 + doubleData.count * 8
      + varints(int32Data.lazy.map { UInt64(bitPattern: Int64($0)) })
      + varints(int64Data.lazy.map { UInt64(bitPattern: $0) }) + varints(uint64Data)
  }
}
