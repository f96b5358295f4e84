import COneDNN

/// A kernel that oneDNN has chosen but not yet generated: what it reads and writes, and how.
///
/// The static functions of this class describe kernels; they throw ``DNNLError`` when oneDNN has
/// none for what is asked. Layouts of ``Format/any`` are chosen by oneDNN: ask for them afterwards.
public final class PrimitiveDescription {
  let handle: OpaquePointer

  /// Takes what `create` makes, called with the attributes' handle.
  init(
    _ function: StaticString, to purpose: @autoclosure () -> String, _ attributes: Attributes,
    _ create: (_ made: inout OpaquePointer?, _ attributes: OpaquePointer?) -> dnnl_status_t
  ) throws(DNNLError) {
    var made: OpaquePointer?
    try attributes.withHandle { (attribute) throws(DNNLError) in
      try check(function, to: purpose()) { create(&made, attribute) }
    }
    handle = created(made)
  }

  deinit { dnnl_primitive_desc_destroy(handle) }

  /// The layout chosen for `argument`; empty where the kernel has no such argument.
  ///
  /// - Throws: ``DNNLError`` if memory runs out.
  public func layout(of argument: Argument) throws(DNNLError) -> Layout {
    guard
      let found = dnnl_primitive_desc_query_md(handle, dnnl_query_exec_arg_md, argument.number)
    else {
      throw DNNLError(
        function: "dnnl_primitive_desc_query_md", status: "not_required",
        purpose: "find the layout of an argument of \(implementation)")
    }
    return try Layout(copying: found)
  }

  /// The room the kernel works in, when the caller gives it.
  public var scratchpadByteCount: Int {
    dnnl_primitive_desc_query_md(handle, dnnl_query_scratchpad_md, 0).map {
      dnnl_memory_desc_get_size($0)
    } ?? 0
  }

  /// oneDNN's name of the implementation, such as `jit:avx512_core`.
  public var implementation: String {
    var text: UnsafePointer<CChar>?
    guard
      dnnl_primitive_desc_query(handle, dnnl_query_impl_info_str, 0, &text) == dnnl_success,
      let text
    else { return "unknown" }
    return String(cString: text)
  }

  /// Goes to oneDNN's next choice for the same work; false when there is none.
  public func advance() -> Bool {
    dnnl_primitive_desc_next_impl(handle) == dnnl_success
  }
}

/// A kernel ready to run.
public final class Primitive {
  let handle: OpaquePointer
  /// What the kernel reads and writes.
  public let description: PrimitiveDescription

  /// Generates the kernel, or finds it in oneDNN's cache.
  ///
  /// - Throws: ``DNNLError`` if memory runs out.
  public init(_ description: PrimitiveDescription) throws(DNNLError) {
    var made: OpaquePointer?
    try check("dnnl_primitive_create", to: "generate \(description.implementation)") {
      dnnl_primitive_create(&made, description.handle)
    }
    handle = created(made)
    self.description = description
  }

  deinit { dnnl_primitive_destroy(handle) }
}

/// A kernel with its arrays: running it allocates nothing of ours.
public final class Call {
  /// The kernel.
  public let primitive: Primitive
  /// The arrays by role; kept alive by this call.
  public let memories: [Argument: Memory]
  private let arguments: UnsafeMutableBufferPointer<dnnl_exec_arg_t>

  /// Binds `memories` to `primitive`.
  public init(_ primitive: Primitive, _ memories: [Argument: Memory]) {
    self.primitive = primitive
    self.memories = memories
    arguments = .allocate(capacity: memories.count)
    for (i, (argument, memory)) in memories.enumerated() {
      arguments.initializeElement(
        at: i, to: dnnl_exec_arg_t(arg: argument.number, memory: memory.handle))
    }
  }

  deinit { arguments.deallocate() }

  /// Runs the kernel on the arrays as they are now.
  ///
  /// - Throws: ``DNNLError`` if an array is missing or the kernel fails.
  public func run(on stream: Stream) throws(DNNLError) {
    try check("dnnl_primitive_execute", to: "run \(primitive.description.implementation)") {
      dnnl_primitive_execute(
        primitive.handle, stream.handle, Int32(arguments.count), arguments.baseAddress)
    }
  }
}
