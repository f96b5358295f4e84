import COneDNN

extension PrimitiveDescription {
  /// A matrix product, batched over leading axes: `destination = source weights + bias`.
  public static func matrixProduct(
    source: Layout, weights: Layout, bias: Layout? = nil, destination: Layout,
    attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_matmul_primitive_desc_create", to: "multiply \(source) by \(weights)", attributes
    ) {
      dnnl_matmul_primitive_desc_create(
        &$0, engine.handle, source.handle, weights.handle, bias?.handle, destination.handle, $1)
    }
  }

  /// A fully connected layer; weights are `[outputs, inputs…]`.
  public static func innerProduct(
    _ propagation: Propagation, source: Layout, weights: Layout, bias: Layout? = nil,
    destination: Layout, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_inner_product_forward_primitive_desc_create",
      to: "multiply \(source) by \(weights)", attributes
    ) {
      dnnl_inner_product_forward_primitive_desc_create(
        &$0, engine.handle, propagation.kind, source.handle, weights.handle, bias?.handle,
        destination.handle, $1)
    }
  }

  /// The gradient of a fully connected layer's source.
  public static func innerProductBackwardData(
    sourceGradient: Layout, weights: Layout, destinationGradient: Layout,
    forward: PrimitiveDescription, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_inner_product_backward_data_primitive_desc_create",
      to: "multiply \(destinationGradient) back by \(weights)", attributes
    ) {
      dnnl_inner_product_backward_data_primitive_desc_create(
        &$0, engine.handle, sourceGradient.handle, weights.handle, destinationGradient.handle,
        forward.handle, $1)
    }
  }

  /// The gradients of a fully connected layer's weights and bias.
  public static func innerProductBackwardWeights(
    source: Layout, weightsGradient: Layout, biasGradient: Layout? = nil,
    destinationGradient: Layout, forward: PrimitiveDescription,
    attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_inner_product_backward_weights_primitive_desc_create",
      to: "find the gradient \(weightsGradient)", attributes
    ) {
      dnnl_inner_product_backward_weights_primitive_desc_create(
        &$0, engine.handle, source.handle, weightsGradient.handle, biasGradient?.handle,
        destinationGradient.handle, forward.handle, $1)
    }
  }
}
