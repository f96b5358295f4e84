import COneDNN
public import Tensors

/// An order of axes in memory, or the choice left to oneDNN.
public enum Format: Hashable, Sendable {
  /// Whatever the kernel that is created with it prefers.
  case any
  /// Row-major.
  case rowMajor
  /// Axis 1 innermost: NHWC for images.
  case channelsLast
  /// Blocks of 16 along axis 1 innermost: nChw16c for images.
  case channelBlocks16
  /// The distance between neighbours along each axis, in elements.
  case strides([Int])
}

/// How an array lies in memory: shape, element type and order, blocks and padding included.
///
/// A layout never changes, so it may be shared.
public final class Layout {
  let handle: OpaquePointer

  /// A layout of `shape` (outermost axis first, 1 to 6 axes) and `type`.
  ///
  /// - Throws: ``DNNLError`` if oneDNN has no such element type or order.
  public init(_ shape: [Int], _ type: ElementType, _ format: Format = .rowMajor) throws(DNNLError) {
    precondition((1...6).contains(shape.count), "a layout has 1 to 6 axes, not \(shape.count)")
    let dims = shape.map { Int64($0) }
    let rank = Int32(shape.count)
    let dataType = try type.dataType()
    var made: OpaquePointer?
    let tag: dnnl_format_tag_t
    switch format {
    case .strides(let strides):
      precondition(strides.count == shape.count, "one stride for each axis")
      try check("dnnl_memory_desc_create_with_strides", to: "describe a \(type) array \(shape)") {
        dnnl_memory_desc_create_with_strides(&made, rank, dims, dataType, strides.map { Int64($0) })
      }
      handle = created(made)
      return
    case .any: tag = dnnl_format_tag_any
    case .rowMajor:
      tag = [dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde, dnnl_abcdef][shape.count - 1]
    case .channelsLast:
      tag = [dnnl_a, dnnl_ab, dnnl_acb, dnnl_acdb, dnnl_acdeb, dnnl_acdeb][shape.count - 1]
    case .channelBlocks16: tag = shape.count == 3 ? dnnl_aBc16b : dnnl_aBcd16b
    }
    try check("dnnl_memory_desc_create_with_tag", to: "describe a \(type) array \(shape)") {
      dnnl_memory_desc_create_with_tag(&made, rank, dims, dataType, tag)
    }
    handle = created(made)
  }

  /// Takes ownership of `handle`.
  init(owning handle: OpaquePointer) { self.handle = handle }

  /// A copy of a layout that something else owns.
  convenience init(copying other: OpaquePointer) throws(DNNLError) {
    var made: OpaquePointer?
    try check("dnnl_memory_desc_clone", to: "copy a memory layout") {
      dnnl_memory_desc_clone(&made, other)
    }
    self.init(owning: created(made))
  }

  deinit { dnnl_memory_desc_destroy(handle) }

  /// The same array under another shape, without moving anything.
  ///
  /// - Throws: ``DNNLError`` if the order in memory does not allow it.
  public func reshaped(_ shape: [Int]) throws(DNNLError) -> Layout {
    var made: OpaquePointer?
    try check("dnnl_memory_desc_reshape", to: "see an array \(self.shape) as \(shape)") {
      dnnl_memory_desc_reshape(&made, handle, Int32(shape.count), shape.map { Int64($0) })
    }
    return Layout(owning: created(made))
  }

  /// The same array with axis `i` now at `permutation[i]`, without moving anything.
  ///
  /// - Throws: ``DNNLError`` if the order in memory does not allow it.
  public func permuted(_ permutation: [Int]) throws(DNNLError) -> Layout {
    var made: OpaquePointer?
    try check("dnnl_memory_desc_permute_axes", to: "permute the axes of an array \(shape)") {
      dnnl_memory_desc_permute_axes(&made, handle, permutation.map { Int32($0) })
    }
    return Layout(owning: created(made))
  }

  /// The part of `shape` elements that starts at `offsets`, without moving anything.
  ///
  /// - Throws: ``DNNLError`` if the order in memory does not allow it.
  public func part(_ shape: [Int], at offsets: [Int]) throws(DNNLError) -> Layout {
    var made: OpaquePointer?
    try check("dnnl_memory_desc_create_submemory", to: "take \(shape) of an array \(self.shape)") {
      dnnl_memory_desc_create_submemory(
        &made, handle, shape.map { Int64($0) }, offsets.map { Int64($0) })
    }
    return Layout(owning: created(made))
  }

  /// The extent of every axis.
  public var shape: [Int] { dims(dnnl_query_dims) }

  /// The extents with the padding that blocks need.
  public var paddedShape: [Int] { dims(dnnl_query_padded_dims) }

  /// The distance between neighbours (blocks, where an axis is blocked) along each axis.
  ///
  /// Empty where the layout is not one of strides and blocks.
  public var strides: [Int] { isBlocked ? dims(dnnl_query_strides) : [] }

  /// The blocks, outermost first: which axis, and how many elements of it.
  public var blocks: [(axis: Int, size: Int)] {
    var count: Int32 = 0
    guard isBlocked,
      dnnl_memory_desc_query(handle, dnnl_query_inner_nblks_s32, &count) == dnnl_success
    else { return [] }
    let sizes = pointer(dnnl_query_inner_blks)
    let axes = pointer(dnnl_query_inner_idxs)
    return (0..<Int(count)).map { (Int(axes?[$0] ?? 0), Int(sizes?[$0] ?? 1)) }
  }

  /// The element type, or `nil` where nothing is described.
  public var elementType: ElementType? {
    var type = dnnl_data_type_undef
    guard dnnl_memory_desc_query(handle, dnnl_query_data_type, &type) == dnnl_success else {
      return nil
    }
    return ElementType(type)
  }

  /// The bytes an array of this layout takes, padding included; 0 where nothing is described.
  public var byteCount: Int { dnnl_memory_desc_get_size(handle) }

  /// Whether there is nothing to hold, as for the scratchpad of a kernel that needs none.
  public var isEmpty: Bool { byteCount == 0 }

  /// The same shape in another element type or order.
  ///
  /// - Throws: ``DNNLError`` if oneDNN has no such layout.
  public func with(_ type: ElementType? = nil, format: Format) throws(DNNLError) -> Layout {
    try Layout(shape, type ?? elementType ?? .float32, format)
  }

  private var isBlocked: Bool {
    var kind = dnnl_format_kind_undef
    return dnnl_memory_desc_query(handle, dnnl_query_format_kind, &kind) == dnnl_success
      && kind == dnnl_blocked
  }

  private func dims(_ query: dnnl_query_t) -> [Int] {
    var rank: Int32 = 0
    guard dnnl_memory_desc_query(handle, dnnl_query_ndims_s32, &rank) == dnnl_success,
      let values = pointer(query)
    else { return [] }
    return (0..<Int(rank)).map { Int(values[$0]) }
  }

  private func pointer(_ query: dnnl_query_t) -> UnsafePointer<Int64>? {
    var values: UnsafePointer<Int64>?
    return dnnl_memory_desc_query(handle, query, &values) == dnnl_success ? values : nil
  }
}

extension Layout: Equatable {
  /// Whether arrays of both layouts are the same bytes for the same elements.
  public static func == (left: Layout, right: Layout) -> Bool {
    dnnl_memory_desc_equal(left.handle, right.handle) != 0
  }
}

extension Layout: CustomStringConvertible {
  /// Type, shape, strides and blocks, for people.
  public var description: String {
    let type = elementType.map { "\($0)" } ?? "nothing"
    let blocks = blocks.map { "\($0.size)\("abcdef".map(String.init)[$0.axis])" }.joined()
    return "\(type) \(shape) strides \(strides)\(blocks.isEmpty ? "" : " blocks \(blocks)")"
  }
}

extension ElementType {
  func dataType() throws(DNNLError) -> dnnl_data_type_t {
    switch self {
    case .float32: dnnl_f32
    case .bfloat16: dnnl_bf16
    case .float16: dnnl_f16
    case .int32: dnnl_s32
    case .int8: dnnl_s8
    case .uint8: dnnl_u8
    default:
      throw DNNLError(
        function: "dnnl_memory_desc_create_with_tag", status: "invalid_data_type",
        purpose: "describe an array of \(self) elements")
    }
  }

  init?(_ type: dnnl_data_type_t) {
    switch type {
    case dnnl_f32: self = .float32
    case dnnl_bf16: self = .bfloat16
    case dnnl_f16: self = .float16
    case dnnl_s32: self = .int32
    case dnnl_s8: self = .int8
    case dnnl_u8: self = .uint8
    default: return nil
    }
  }
}
