import COneDNN

/// What a pooling window takes from its elements.
public enum Pooling: Hashable, Sendable {
  case maximum, averageWithPadding, averageWithoutPadding

  var algorithm: dnnl_alg_kind_t {
    switch self {
    case .maximum: dnnl_pooling_max
    case .averageWithPadding: dnnl_pooling_avg_include_padding
    case .averageWithoutPadding: dnnl_pooling_avg_exclude_padding
    }
  }
}

extension PrimitiveDescription {
  /// A pooling; in training, `maximum` writes a workspace that backward reads.
  public static func pooling(
    _ propagation: Propagation, _ pooling: Pooling, source: Layout, destination: Layout,
    kernel: [Int], window: Window, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_pooling_forward_primitive_desc_create", to: "pool \(source) into \(destination)",
      attributes
    ) {
      dnnl_pooling_forward_primitive_desc_create(
        &$0, engine.handle, propagation.kind, pooling.algorithm, source.handle,
        destination.handle, window.strides.wide, kernel.wide, window.dilations.gaps,
        window.begins.wide, window.ends.wide, $1)
    }
  }

  /// The gradient of a pooling's source; `forward` is the kernel it belongs to.
  public static func poolingBackward(
    _ pooling: Pooling, sourceGradient: Layout, destinationGradient: Layout, kernel: [Int],
    window: Window, forward: PrimitiveDescription, attributes: Attributes = .init(),
    on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_pooling_backward_primitive_desc_create",
      to: "pool \(destinationGradient) back into \(sourceGradient)", attributes
    ) {
      dnnl_pooling_backward_primitive_desc_create(
        &$0, engine.handle, pooling.algorithm, sourceGradient.handle, destinationGradient.handle,
        window.strides.wide, kernel.wide, window.dilations.gaps, window.begins.wide,
        window.ends.wide, forward.handle, $1)
    }
  }
}
