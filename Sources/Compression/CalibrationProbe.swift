import Execution
import Faces
import Graphs

/// Runs graphs over calibration images with the engine.
///
/// Images are decoded once and kept while they fit into memory, then read again.
final class CalibrationProbe: TensorProbe {
  private let loader: BatchLoader
  private let batch: Int
  let imageShape: [Int]

  /// Starts loading `rows` of `dataset`.
  init(_ dataset: FaceDataset, rows: [Int], preprocessing: Preprocessing) {
    imageShape = preprocessing.shape
    // All activations of a batch are kept at once: some 70 MB at 64 x 64 as at 224 x 224.
    batch = max(1, min(64, 3 << 18 / preprocessing.valueCount))
    var options = BatchLoader.Options()
    options.batchSize = batch
    options.preprocessing = preprocessing
    loader = BatchLoader(dataset, rows: rows, options: options)
  }

  func run(
    _ graph: Graph, showing tensors: [String], _ body: (Int, [Float], Int) throws -> Void
  ) throws {
    let inputs = Set(graph.inputs.map(\.name))
    let shapes = try graph.inferValues()
    let inside = try tensors.filter { !inputs.contains($0) }.map { name in
      guard let value = shapes[name] else {
        throw CompressionError("tensor '\(name)'", "is not in the graph")
      }
      return value
    }
    let session =
      inside.isEmpty
      ? nil
      : try InferenceSession(graph.ending(at: inside), batch: batch, inputShape: imageShape)
    while let images = try loader.next() {
      try session?.run(images.images)
      for (i, name) in tensors.enumerated() {
        let values = inputs.contains(name) ? images.images : try session?.output(name) ?? []
        // The last batch may be filled up with nothing.
        let valid = values.count / batch * images.count
        try body(i, valid == values.count ? values : Array(values[..<valid]), images.count)
      }
    }
  }
}
