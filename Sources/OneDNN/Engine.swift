import COneDNN

/// The CPU as a device that memory and primitives are created for.
public final class Engine {
  let handle: OpaquePointer

  /// Opens the CPU.
  ///
  /// - Throws: ``DNNLError`` if oneDNN was built without a CPU back end.
  public init() throws(DNNLError) {
    var opened: OpaquePointer?
    try check("dnnl_engine_create", to: "open the CPU engine") {
      dnnl_engine_create(&opened, dnnl_cpu, 0)
    }
    handle = created(opened)
  }

  deinit { dnnl_engine_destroy(handle) }
}

/// The order in which calls run: one after another, on the thread that asks.
public final class Stream {
  let handle: OpaquePointer
  /// The device that the calls run on.
  public let engine: Engine

  /// Opens a stream on `engine`.
  ///
  /// - Throws: ``DNNLError`` if oneDNN cannot make one.
  public init(_ engine: Engine) throws(DNNLError) {
    var opened: OpaquePointer?
    try check("dnnl_stream_create", to: "open a stream") {
      dnnl_stream_create(&opened, engine.handle, dnnl_stream_default_flags.rawValue)
    }
    handle = created(opened)
    self.engine = engine
  }

  deinit { dnnl_stream_destroy(handle) }

  /// Returns when everything submitted has run.
  ///
  /// - Throws: ``DNNLError`` if something submitted failed.
  public func wait() throws(DNNLError) {
    try check("dnnl_stream_wait", to: "finish the work submitted") { dnnl_stream_wait(handle) }
  }
}
