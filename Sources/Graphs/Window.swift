/// How a convolution or a pooling steps over an image; all lists are height first, then width.
public struct Window: Hashable, Sendable {
  /// The extent of the kernel.
  public var kernel: [Int]
  /// The distance between neighbouring outputs, in inputs.
  public var strides: [Int]
  /// The distance between neighbouring kernel elements, in inputs; 1 is an ordinary kernel.
  public var dilations: [Int]
  /// How many rows and columns are put before the image.
  public var padsBegin: [Int]
  /// How many rows and columns are put after the image.
  public var padsEnd: [Int]
  /// Whether a last window may hang over the end.
  public var roundsUp: Bool

  /// The window that the attributes of a convolution or pooling `node` describe.
  ///
  /// - Parameters:
  ///   - node: A convolution or a pooling.
  ///   - weights: The kernel of the convolution's weights; `nil` takes `kernel_shape`.
  /// - Throws: ``GraphError`` when an attribute is missing, has the wrong length, is out of range
  ///   or is not supported.
  public init(_ node: Node, kernel weights: [Int]? = nil) throws(GraphError) {
    func list(_ key: String, count: Int, from low: Int, default standard: [Int]) throws(GraphError)
      -> [Int]
    {
      let values = node.ints(key, default: standard)
      guard values.count == count, values.allSatisfy({ low...Self.limit ~= $0 }) else {
        throw GraphError(
          node, "\(key) is \(values), expected \(count) numbers from \(low) to \(Self.limit)")
      }
      return values
    }
    let declared = try list("kernel_shape", count: 2, from: 1, default: weights ?? [])
    if let weights, weights != declared {
      throw GraphError(node, "kernel_shape is \(declared), but the weights' kernel is \(weights)")
    }
    kernel = declared
    strides = try list("strides", count: 2, from: 1, default: [1, 1])
    dilations = try list("dilations", count: 2, from: 1, default: [1, 1])
    let automatic = node.string("auto_pad", default: "NOTSET")
    guard automatic == "NOTSET" || automatic == "VALID" else {
      throw GraphError(
        node, "auto_pad \(automatic) is not supported; export the model with explicit pads")
    }
    let given = try list("pads", count: 4, from: 0, default: [0, 0, 0, 0])
    let pads = automatic == "VALID" ? [0, 0, 0, 0] : given
    padsBegin = Array(pads[..<2])
    padsEnd = Array(pads[2...])
    roundsUp = node.int("ceil_mode", default: 0) != 0
  }

  /// How many outputs there are along `axis` (0 height, 1 width) for `extent` inputs.
  ///
  /// `nil` when the padded input is smaller than the kernel.
  public func outputExtent(_ extent: Int, axis: Int) -> Int? {
    let reach = dilations[axis] * (kernel[axis] - 1) + 1
    let room = extent + padsBegin[axis] + padsEnd[axis] - reach
    guard room >= 0 else { return nil }
    guard roundsUp else { return room / strides[axis] + 1 }
    let count = (room + strides[axis] - 1) / strides[axis] + 1
    // A window that would start beyond the input and its first padding is left out, as in PyTorch.
    return (count - 1) * strides[axis] >= extent + padsBegin[axis] ? count - 1 : count
  }

  /// No number of a window may be larger, so that sums and products of them cannot overflow.
  private static let limit = 1 << 20
}
