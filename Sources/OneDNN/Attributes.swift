import COneDNN
public import Tensors

/// A role that an array plays in a call.
public struct Argument: Hashable, Sendable {
  let number: Int32

  /// What is read.
  public static let source = Argument(number: 1)
  /// The second array read: of `binary` and `sum`, and what batch norm adds.
  public static let source1 = Argument(number: 2)
  /// What is written.
  public static let destination = Argument(number: 17)
  /// Kernel weights.
  public static let weights = Argument(number: 33)
  /// Bias.
  public static let bias = Argument(number: 41)
  /// Mean per channel.
  public static let mean = Argument(number: 49)
  /// Biased variance per channel.
  public static let variance = Argument(number: 50)
  /// Scale per channel.
  public static let scale = Argument(number: 51)
  /// Shift per channel.
  public static let shift = Argument(number: 52)
  /// What forward leaves for backward.
  public static let workspace = Argument(number: 64)
  /// Room the kernel works in.
  public static let scratchpad = Argument(number: 80)
  /// Gradient of the source.
  public static let sourceGradient = Argument(number: 129)
  /// Gradient of the second source.
  public static let source1Gradient = Argument(number: 130)
  /// Gradient of the destination.
  public static let destinationGradient = Argument(number: 145)
  /// Gradient of the weights.
  public static let weightsGradient = Argument(number: 161)
  /// Gradient of the bias.
  public static let biasGradient = Argument(number: 169)
  /// Gradient of the scale.
  public static let scaleGradient = Argument(number: 255)
  /// Gradient of the shift.
  public static let shiftGradient = Argument(number: 256)

  /// Source number `index` of `sum` and `concat`.
  public static func source(at index: Int) -> Argument { .init(number: 1024 + Int32(index)) }
  /// The float32 scales of an array.
  public static func scales(of argument: Argument) -> Argument {
    .init(number: 4096 | argument.number)
  }
  /// The int32 zero points of an array.
  public static func zeroPoints(of argument: Argument) -> Argument {
    .init(number: 8192 | argument.number)
  }
  /// The second source of the binary post-operation at `index`.
  public static func postOperation(_ index: Int) -> Argument {
    .init(number: 32768 * Int32(index + 1) | source1.number)
  }
}

/// An element-wise function of one array.
public enum Elementwise: Hashable, Sendable {
  /// `max(0, x)`, or `alpha x` below zero.
  case relu
  /// `alpha x + beta`.
  case linear
  /// `x` kept between alpha and beta.
  case clip
  /// `x` kept between alpha and beta; its gradient is zero on the bounds too.
  case clipOpen
  /// `x` rounded to the nearest integer, ties to even.
  case round
  /// `1 / (1 + exp(-x))`.
  case logistic
  /// `x / (1 + exp(-alpha x))`, SiLU for an alpha of 1.
  case swish
  /// `alpha x + beta` kept between 0 and 1.
  case hardSigmoid
  /// `x` times its hard sigmoid.
  case hardSwish
  /// `x` times the normal distribution function of `x`.
  case gelu
  /// ``gelu`` by an approximation with a hyperbolic tangent.
  case geluTanh
  /// Backward of `relu` from its result instead of its argument.
  case reluFromResult

  var algorithm: dnnl_alg_kind_t {
    switch self {
    case .relu: dnnl_eltwise_relu
    case .linear: dnnl_eltwise_linear
    case .clip: dnnl_eltwise_clip
    case .clipOpen: dnnl_eltwise_clip_v2
    case .round: dnnl_eltwise_round
    case .logistic: dnnl_eltwise_logistic
    case .swish: dnnl_eltwise_swish
    case .hardSigmoid: dnnl_eltwise_hardsigmoid
    case .hardSwish: dnnl_eltwise_hardswish
    case .gelu: dnnl_eltwise_gelu_erf
    case .geluTanh: dnnl_eltwise_gelu_tanh
    case .reluFromResult: dnnl_eltwise_relu_use_dst_for_bwd
    }
  }
}

/// An element-wise function of two arrays.
public enum Binary: Hashable, Sendable {
  case add, subtract, multiply, divide, maximum, minimum

  var algorithm: dnnl_alg_kind_t {
    switch self {
    case .add: dnnl_binary_add
    case .subtract: dnnl_binary_sub
    case .multiply: dnnl_binary_mul
    case .divide: dnnl_binary_div
    case .maximum: dnnl_binary_max
    case .minimum: dnnl_binary_min
    }
  }
}

/// Something done to a kernel's result before it is written.
public enum PostOperation {
  /// Adds `scale (old - zeroPoint)` where `old` is what the destination holds, read as `type`.
  case sum(scale: Float = 1, zeroPoint: Int = 0, type: ElementType? = nil)
  /// Applies a function.
  case elementwise(Elementwise, alpha: Float = 0, beta: Float = 0)
  /// Combines with another array, broadcast over the axes where `layout` has extent 1.
  case binary(Binary, Layout)
}

/// What a kernel does besides its own work.
public struct Attributes {
  /// What is done to the result before it is written, in order.
  public var postOperations: [PostOperation] = []
  /// The arguments that come with scales; bit `i` of the mask is set where they vary along axis `i`.
  public var scales: [Argument: Int] = [:]
  /// The arguments that come with zero points, masked like ``scales``.
  public var zeroPoints: [Argument: Int] = [:]
  /// Whether the caller gives the scratchpad instead of oneDNN allocating one.
  public var callerGivesScratchpad = true
  /// Whether float32 work may be done with bfloat16 multiplications.
  public var allowsBFloat16 = false

  /// The scratchpad from the caller, and nothing else.
  public init() {}

  /// Runs `body` with the C object.
  func withHandle(_ body: (OpaquePointer?) throws(DNNLError) -> Void) throws(DNNLError) {
    var made: OpaquePointer?
    try check("dnnl_primitive_attr_create", to: "create attributes") {
      dnnl_primitive_attr_create(&made)
    }
    let handle = created(made)
    defer { dnnl_primitive_attr_destroy(handle) }
    if callerGivesScratchpad {
      try check("dnnl_primitive_attr_set_scratchpad_mode", to: "give a scratchpad") {
        dnnl_primitive_attr_set_scratchpad_mode(handle, dnnl_scratchpad_mode_user)
      }
    }
    if allowsBFloat16 {
      try check("dnnl_primitive_attr_set_fpmath_mode", to: "allow bfloat16") {
        dnnl_primitive_attr_set_fpmath_mode(handle, dnnl_fpmath_mode_bf16)
      }
    }
    for (argument, mask) in scales {
      try check("dnnl_primitive_attr_set_scales_mask", to: "give scales") {
        dnnl_primitive_attr_set_scales_mask(handle, argument.number, Int32(mask))
      }
    }
    for (argument, mask) in zeroPoints {
      try check("dnnl_primitive_attr_set_zero_points_mask", to: "give zero points") {
        dnnl_primitive_attr_set_zero_points_mask(handle, argument.number, Int32(mask))
      }
    }
    if !postOperations.isEmpty {
      try setPostOperations(of: handle)
    }
    try body(handle)
  }

  private func setPostOperations(of handle: OpaquePointer) throws(DNNLError) {
    var made: OpaquePointer?
    try check("dnnl_post_ops_create", to: "create post-operations") { dnnl_post_ops_create(&made) }
    let operations = created(made)
    defer { dnnl_post_ops_destroy(operations) }
    for operation in postOperations {
      switch operation {
      case .sum(let scale, let zeroPoint, let type):
        let dataType = try type?.dataType() ?? dnnl_data_type_undef
        try check("dnnl_post_ops_append_sum", to: "fuse a sum") {
          dnnl_post_ops_append_sum(operations, scale, Int32(zeroPoint), dataType)
        }
      case .elementwise(let function, let alpha, let beta):
        try check("dnnl_post_ops_append_eltwise", to: "fuse \(function)") {
          dnnl_post_ops_append_eltwise(operations, function.algorithm, alpha, beta)
        }
      case .binary(let function, let layout):
        try check("dnnl_post_ops_append_binary", to: "fuse \(function)") {
          dnnl_post_ops_append_binary(operations, function.algorithm, layout.handle)
        }
      }
    }
    try check("dnnl_primitive_attr_set_post_ops", to: "set post-operations") {
      dnnl_primitive_attr_set_post_ops(handle, operations)
    }
  }
}
