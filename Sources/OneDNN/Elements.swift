import COneDNN

extension PrimitiveDescription {
  /// Copies an array into another layout or element type.
  public static func reorder(
    from source: Layout, to destination: Layout, attributes: Attributes = .init(),
    on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_reorder_primitive_desc_create", to: "copy \(source) to \(destination)", attributes
    ) {
      dnnl_reorder_primitive_desc_create(
        &$0, source.handle, engine.handle, destination.handle, engine.handle, $1)
    }
  }

  /// A function of each element; may run in place.
  public static func elementwise(
    _ propagation: Propagation, _ function: Elementwise, source: Layout, destination: Layout,
    alpha: Float = 0, beta: Float = 0, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_eltwise_forward_primitive_desc_create", to: "apply \(function) to \(source)",
      attributes
    ) {
      dnnl_eltwise_forward_primitive_desc_create(
        &$0, engine.handle, propagation.kind, function.algorithm, source.handle,
        destination.handle, alpha, beta, $1)
    }
  }

  /// The gradient of a function of each element; may run in place.
  ///
  /// `data` is the function's argument, given as ``Argument/source``; for
  /// ``Elementwise/reluFromResult`` its result, given as ``Argument/destination``.
  public static func elementwiseBackward(
    _ function: Elementwise, sourceGradient: Layout, destinationGradient: Layout, data: Layout,
    alpha: Float = 0, beta: Float = 0, forward: PrimitiveDescription,
    attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_eltwise_backward_primitive_desc_create",
      to: "find the gradient of \(function) of \(data)", attributes
    ) {
      dnnl_eltwise_backward_primitive_desc_create(
        &$0, engine.handle, function.algorithm, sourceGradient.handle,
        destinationGradient.handle, data.handle, alpha, beta, forward.handle, $1)
    }
  }

  /// A function of two arrays, the second broadcast where its extent is 1; may run in place.
  public static func binary(
    _ function: Binary, _ source: Layout, _ source1: Layout, destination: Layout,
    attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_binary_primitive_desc_create", to: "\(function) \(source) and \(source1)", attributes
    ) {
      dnnl_binary_primitive_desc_create(
        &$0, engine.handle, function.algorithm, source.handle, source1.handle,
        destination.handle, $1)
    }
  }

  /// `x`, or `weights x` below zero; weights are broadcast where their extent is 1.
  public static func parametricRelu(
    _ propagation: Propagation, source: Layout, weights: Layout, destination: Layout,
    attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_prelu_forward_primitive_desc_create", to: "apply slopes to \(source)", attributes
    ) {
      dnnl_prelu_forward_primitive_desc_create(
        &$0, engine.handle, propagation.kind, source.handle, weights.handle, destination.handle,
        $1)
    }
  }

  /// The sum of arrays, each times its scale.
  public static func sum(
    _ sources: [Layout], scales: [Float], destination: Layout, attributes: Attributes = .init(),
    on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    precondition(sources.count == scales.count, "one scale for each source")
    let handles = sources.map { $0.handle as OpaquePointer? }
    return try .init(
      "dnnl_sum_primitive_desc_create", to: "add \(sources.count) arrays \(destination)",
      attributes
    ) {
      dnnl_sum_primitive_desc_create(
        &$0, engine.handle, destination.handle, Int32(handles.count), scales, handles, $1)
    }
  }

  /// Arrays one after another along `axis`; the sources are ``Argument/source(at:)``.
  public static func concatenation(
    _ sources: [Layout], destination: Layout, axis: Int, attributes: Attributes = .init(),
    on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    let handles = sources.map { $0.handle as OpaquePointer? }
    return try .init(
      "dnnl_concat_primitive_desc_create",
      to: "put \(sources.count) arrays together as \(destination)", attributes
    ) {
      dnnl_concat_primitive_desc_create(
        &$0, engine.handle, destination.handle, Int32(handles.count), Int32(axis), handles, $1)
    }
  }

  /// Softmax along `axis`; `logarithm` gives its logarithm.
  public static func softmax(
    _ propagation: Propagation, source: Layout, destination: Layout, axis: Int,
    logarithm: Bool = false, attributes: Attributes = .init(), on engine: Engine
  ) throws(DNNLError) -> PrimitiveDescription {
    try .init(
      "dnnl_softmax_forward_primitive_desc_create", to: "take the softmax of \(source)", attributes
    ) {
      dnnl_softmax_forward_primitive_desc_create(
        &$0, engine.handle, propagation.kind,
        logarithm ? dnnl_softmax_log : dnnl_softmax_accurate, source.handle, destination.handle,
        Int32(axis), $1)
    }
  }
}
