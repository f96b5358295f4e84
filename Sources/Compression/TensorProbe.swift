import Graphs

/// Something that can run a graph over a fixed set of images and show tensors inside it.
///
/// The images are the same, in the same order and batches, at every call.
protocol TensorProbe {
  /// The extents of one image, channels first.
  var imageShape: [Int] { get }

  /// Runs `graph` batch by batch and hands over the values of `tensors`, any of the graph's own.
  ///
  /// - Parameters:
  ///   - graph: The graph; its declared outputs do not matter.
  ///   - tensors: The names of the tensors to show.
  ///   - body: Called for every batch and tensor with the tensor's place in `tensors`, its values
  ///     in row-major order, and the number of images they belong to.
  /// - Throws: What running the graph or `body` throws.
  func run(
    _ graph: Graph, showing tensors: [String],
    _ body: (_ tensor: Int, _ values: [Float], _ images: Int) throws -> Void) throws
}
