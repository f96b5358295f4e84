import COneDNN
public import Tensors

/// An array that kernels read and write: a layout and an address.
public final class Memory {
  let handle: OpaquePointer
  /// How the array lies in memory.
  public let layout: Layout
  /// The first byte.
  public private(set) var pointer: UnsafeMutableRawPointer
  private let own: AlignedBuffer<UInt8>?

  /// An array of `layout` at `pointer`, which the caller keeps alive and aligned to 64 bytes; or
  /// in zeroed storage of its own.
  ///
  /// - Throws: ``DNNLError`` if `layout` leaves the order open.
  public init(
    _ layout: Layout, on engine: Engine, at pointer: UnsafeMutableRawPointer? = nil
  ) throws(DNNLError) {
    self.layout = layout
    if let pointer {
      own = nil
      self.pointer = pointer
    } else {
      let buffer = AlignedBuffer<UInt8>(count: layout.byteCount)
      own = buffer
      self.pointer = UnsafeMutableRawPointer(buffer.pointer)
    }
    var made: OpaquePointer?
    let address = self.pointer
    try check("dnnl_memory_create", to: "make an array of layout \(layout)") {
      dnnl_memory_create(&made, layout.handle, engine.handle, address)
    }
    handle = created(made)
  }

  deinit { dnnl_memory_destroy(handle) }

  /// Makes the array lie at `pointer` from now on; costs next to nothing.
  public func move(to pointer: UnsafeMutableRawPointer) {
    self.pointer = pointer
    let status = dnnl_memory_set_data_handle(handle, pointer)
    precondition(status == dnnl_success, "a host memory takes any address")
  }

  /// The bytes of the array, padding included.
  public var bytes: UnsafeMutableRawBufferPointer {
    .init(start: pointer, count: layout.byteCount)
  }

  /// The array as `Element`s, padding included.
  ///
  /// - Precondition: `Element` is what the layout says.
  public func elements<Element: TensorElement>(
    _ type: Element.Type = Element.self
  ) -> UnsafeMutableBufferPointer<Element> {
    precondition(layout.elementType == type.elementType, "this memory holds \(layout)")
    return bytes.bindMemory(to: type)
  }
}
