import COneDNN

/// A call into oneDNN that did not succeed.
public struct DNNLError: Error, Hashable, CustomStringConvertible {
  /// The C function that was called.
  public let function: String
  /// The status it returned, with oneDNN's name.
  public let status: String
  /// What the call was for.
  public let purpose: String

  /// What failed and why.
  public var description: String { "could not \(purpose): \(function) returned \(status)" }

  /// Whether oneDNN has no kernel for what was asked, as opposed to a failure.
  public var isUnimplemented: Bool { status == "unimplemented" }
}

/// Runs one C call and turns a failing status into a ``DNNLError``.
func check(
  _ function: StaticString, to purpose: @autoclosure () -> String, _ body: () -> dnnl_status_t
) throws(DNNLError) {
  let status = body()
  guard status == dnnl_success else {
    throw DNNLError(
      function: "\(function)", status: String(cString: dnnl_status2str(status)), purpose: purpose())
  }
}

/// The handle a successful C call must have given.
func created(_ handle: OpaquePointer?) -> OpaquePointer {
  guard let handle else { preconditionFailure("oneDNN reported success without a handle") }
  return handle
}
