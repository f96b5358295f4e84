import COneDNN

/// What a batch normalization does besides normalizing.
public struct NormalizationOptions: OptionSet, Hashable, Sendable {
  /// The bits.
  public let rawValue: UInt32
  /// Options of the given bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Mean and variance are given instead of computed.
  public static let givenStatistics = NormalizationOptions(rawValue: 1)
  /// The result is scaled per channel.
  public static let scale = NormalizationOptions(rawValue: 2)
  /// The result is shifted per channel.
  public static let shift = NormalizationOptions(rawValue: 4)
  /// ReLU follows; in training it leaves its mask in the workspace.
  public static let relu = NormalizationOptions(rawValue: 8)
  /// A second source is added and ReLU follows.
  public static let addRelu = NormalizationOptions(rawValue: 16)
}

extension PrimitiveDescription {
  /// Batch normalization over all axes but 1; variance is biased.
  public static func batchNormalization(
    _ propagation: Propagation, source: Layout, destination: Layout, epsilon: Float,
    options: NormalizationOptions, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_batch_normalization_forward_primitive_desc_create",
      to: "normalize \(source) into \(destination)", attributes
    ) {
      dnnl_batch_normalization_forward_primitive_desc_create(
        &$0, engine.handle, propagation.kind, source.handle, destination.handle, epsilon,
        options.rawValue, $1)
    }
  }

  /// The gradients of batch normalization's source, scale and shift.
  public static func batchNormalizationBackward(
    sourceGradient: Layout, destinationGradient: Layout, source: Layout, epsilon: Float,
    options: NormalizationOptions, forward: PrimitiveDescription,
    attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_batch_normalization_backward_primitive_desc_create",
      to: "normalize \(destinationGradient) back into \(sourceGradient)", attributes
    ) {
      dnnl_batch_normalization_backward_primitive_desc_create(
        &$0, engine.handle, dnnl_backward, sourceGradient.handle, destinationGradient.handle,
        source.handle, epsilon, options.rawValue, forward.handle, $1)
    }
  }

  /// Normalization of each row, the last axis, by its own mean and biased variance.
  public static func layerNormalization(
    _ propagation: Propagation, source: Layout, destination: Layout, epsilon: Float,
    options: NormalizationOptions, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_layer_normalization_forward_primitive_desc_create",
      to: "normalize the rows of \(source) into \(destination)", attributes
    ) {
      dnnl_layer_normalization_forward_primitive_desc_create(
        &$0, engine.handle, propagation.kind, source.handle, destination.handle, nil, epsilon,
        options.rawValue, $1)
    }
  }
}
