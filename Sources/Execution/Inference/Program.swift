import Graphs
import OneDNN
import Tensors

/// A graph made into steps that each become one kernel.
///
/// Arrays live in slots; a tensor of the graph is seen through a ``View`` of a slot, so that a
/// dequantized tensor costs nothing until something needs its real numbers.
struct Program {
  /// The arrays; number 0 is the graph's input, row-major float32.
  var slots: [Slot] = []
  /// What is computed, in order; each step writes one slot.
  var steps: [Step] = []
  /// The graph's outputs in the order declared.
  var outputs: [(name: String, view: View)] = []
  /// Tensors of four axes that are rows of numbers rather than images; they lie row-major.
  var rows: Set<String> = []

  /// An array: an activation, or a constant that a kernel reads as one.
  struct Slot {
    var name: String
    var shape: [Int]
    var elementType: ElementType
    var constant: [Float]?
  }

  /// Adds an array and gives its number.
  mutating func addSlot(
    _ name: String, _ shape: [Int], _ elementType: ElementType, constant: [Float]? = nil
  ) -> Int {
    slots.append(Slot(name: name, shape: shape, elementType: elementType, constant: constant))
    return slots.count - 1
  }
}

/// How the whole numbers of a tensor stand for reals: `real = scale (whole - zeroPoint)`.
struct Affine: Hashable {
  var scale: Float
  var zeroPoint: Int
  var elementType: ElementType

  /// The whole numbers there are.
  var range: ClosedRange<Int> { elementType == .int8 ? -128...127 : 0...255 }
}

/// A tensor of the graph: a slot as it is, or the reals that the slot's whole numbers stand for.
struct View: Hashable {
  var slot: Int
  var affine: Affine?
}

/// One kernel: the main work, what is done to its result while it is in registers, and where
/// that goes.
struct Step {
  var name: String
  var work: Work
  var sources: [View]
  var epilogue: [Epilogue] = []
  /// How the result is quantized; `nil` writes reals.
  var quantization: Affine?
  var destination: Int
}

/// The main work of a step.
enum Work {
  case convolution(Weights, Graphs.Window, groups: Int)
  /// Rows times weights of shape `[inputs, outputs]`.
  case product(Weights)
  case maxPool(Graphs.Window)
  case averagePool(Graphs.Window, countsPadding: Bool)
  case globalAverage
  /// A sum, or a product, of two tensors; one may be stretched to the other.
  case binary(Binary)
  /// `scale x + shift`, a number for each channel.
  case affine(scale: [Float], shift: [Float])
  case elementwise(Function)
  /// What a table says for each byte.
  case lookup([UInt8])
  /// Images times a number for each channel, all in whole numbers.
  case scaling
  case softmax(axis: Int, logarithm: Bool)
  case concatenation(axis: Int)
  /// The part of the source that starts at the offsets.
  case part(offsets: [Int])
  case transposition([Int])
  /// Channels dealt out to `groups` groups in turn, as a ShuffleNet does.
  case shuffle(groups: Int)
  /// Each row less its mean, over its deviation, scaled and shifted.
  case layerNormalization(scale: [Float], shift: [Float]?, epsilon: Float)
  /// A slope below zero for each channel.
  case slopes([Float])
  /// The product of two tensors, over their last two axes.
  case matrices
  /// The source in the middle of a constant.
  case padding(begins: [Int], value: Float)
  case resampling(Resampling.Mode)
  /// The same elements in another element type, order or shape.
  case copy

  /// Whether the kernel can write whole numbers; those that multiply reals cannot.
  var canQuantize: Bool {
    switch self {
    case .convolution(let weights, _, _), .product(let weights):
      if case .real = weights.values { false } else { true }
    default: true
    }
  }
}

/// A function of each element.
struct Function: Hashable {
  var kind: Elementwise
  var alpha: Float = 0
  var beta: Float = 0

  static let relu = Function(kind: .relu)
}

/// What is done to each element of a result before it is written.
enum Epilogue {
  case elementwise(Function)
  /// `scale x + shift`, a number for each channel (axis 1).
  case affine(scale: [Float], shift: [Float])
  /// Adds a tensor of the same shape.
  case add(View)
  /// Quantizes and dequantizes: rounds to what the whole numbers can stand for.
  case rounded(Affine)
}

/// The constants of a convolution or product.
struct Weights {
  /// As in ONNX for convolutions, `[inputs, outputs]` for products.
  var shape: [Int]
  var values: Values
  /// One number for each output.
  var bias: [Float]?

  enum Values {
    case real([Float])
    /// Whole numbers, and what one step is worth for each output.
    case whole([Int8], scales: [Float])
  }

  /// Scales and shifts every output, as a batch normalization after it would.
  ///
  /// - Returns: `nil` where whole numbers would have to change sign.
  func folding(scale: [Float], shift: [Float], outputAxis: Int) -> Weights? {
    var folded = self
    switch values {
    case .real(var reals):
      let inner = shape[(outputAxis + 1)...].reduce(1, *)
      for i in reals.indices { reals[i] *= scale[i / inner % scale.count] }
      folded.values = .real(reals)
    case .whole(let wholes, let scales):
      guard scale.allSatisfy({ $0 > 0 }) else { return nil }
      folded.values = .whole(wholes, scales: zip(scales, scale).map { $0 * $1 })
    }
    let old = bias ?? Array(repeating: 0, count: scale.count)
    folded.bias = zip(old, zip(scale, shift)).map { $0 * $1.0 + $1.1 }
    return folded
  }
}
