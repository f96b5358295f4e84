import COneDNN

/// Whether a forward kernel is followed by its backward.
public enum Propagation: Hashable, Sendable {
  case training, inference

  var kind: dnnl_prop_kind_t {
    self == .training ? dnnl_forward_training : dnnl_forward_inference
  }
}

/// How a window moves over an image; one number for each spatial axis.
public struct Window: Hashable, Sendable {
  /// Steps.
  public var strides: [Int]
  /// Distances between the taps; 1 is dense.
  public var dilations: [Int]
  /// Padding before each axis.
  public var begins: [Int]
  /// Padding after each axis.
  public var ends: [Int]

  /// A window of the given steps and padding.
  public init(strides: [Int], dilations: [Int], begins: [Int], ends: [Int]) {
    self.strides = strides
    self.dilations = dilations
    self.begins = begins
    self.ends = ends
  }
}

extension [Int] {
  var wide: [Int64] { map { Int64($0) } }
  /// oneDNN counts the gaps between taps, ONNX the distances.
  var gaps: [Int64] { map { Int64($0 - 1) } }
}

extension PrimitiveDescription {
  /// A convolution: `destination = source * weights + bias`.
  ///
  /// Weights are `[outputs, inputs, height, width]`, or with groups
  /// `[groups, outputs / groups, inputs / groups, height, width]`.
  public static func convolution(
    _ propagation: Propagation, source: Layout, weights: Layout, bias: Layout? = nil,
    destination: Layout, window: Window, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_convolution_forward_primitive_desc_create",
      to: "convolve \(source) with \(weights) into \(destination)", attributes
    ) {
      dnnl_convolution_forward_primitive_desc_create(
        &$0, engine.handle, propagation.kind, dnnl_convolution_direct, source.handle,
        weights.handle, bias?.handle, destination.handle, window.strides.wide,
        window.dilations.gaps, window.begins.wide, window.ends.wide, $1)
    }
  }

  /// The gradient of a convolution's source; `forward` is the kernel it belongs to.
  public static func convolutionBackwardData(
    sourceGradient: Layout, weights: Layout, destinationGradient: Layout, window: Window,
    forward: PrimitiveDescription, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_convolution_backward_data_primitive_desc_create",
      to: "convolve \(destinationGradient) back with \(weights) into \(sourceGradient)", attributes
    ) {
      dnnl_convolution_backward_data_primitive_desc_create(
        &$0, engine.handle, dnnl_convolution_direct, sourceGradient.handle, weights.handle,
        destinationGradient.handle, window.strides.wide, window.dilations.gaps,
        window.begins.wide, window.ends.wide, forward.handle, $1)
    }
  }

  /// The gradients of a convolution's weights and bias; `forward` is the kernel it belongs to.
  public static func convolutionBackwardWeights(
    source: Layout, weightsGradient: Layout, biasGradient: Layout? = nil,
    destinationGradient: Layout, window: Window, forward: PrimitiveDescription,
    attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_convolution_backward_weights_primitive_desc_create",
      to: "find the gradient \(weightsGradient) from \(source) and \(destinationGradient)",
      attributes
    ) {
      dnnl_convolution_backward_weights_primitive_desc_create(
        &$0, engine.handle, dnnl_convolution_direct, source.handle, weightsGradient.handle,
        biasGradient?.handle, destinationGradient.handle, window.strides.wide,
        window.dilations.gaps, window.begins.wide, window.ends.wide, forward.handle, $1)
    }
  }
}
