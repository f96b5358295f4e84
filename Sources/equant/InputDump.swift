import Execution
import Faces
import Graphs
import Tensors

/// Exactly what a network was given and what it answered, so that other runtimes can be held
/// against it with the same numbers; see `Scripts/check-interoperability`.
struct InputDump {
  private var inputs: [Float] = []
  private var logits: [Float] = []
  private let imageShape: [Int]

  /// Runs `graph` over `rows`, keeping the normalised images and the logits in memory.
  init(
    of graph: Graph, on dataset: FaceDataset, rows: [Int], preprocessing: Preprocessing
  ) throws {
    imageShape = [3, preprocessing.size, preprocessing.size]
    var options = BatchLoader.Options()
    options.preprocessing = preprocessing
    let session = try InferenceSession(graph, batch: options.batchSize, inputShape: imageShape)
    let loader = BatchLoader(dataset, rows: rows, options: options, epochs: 0..<1)
    while let batch = try loader.next() {
      try session.run(batch.images)
      inputs += batch.images.prefix(batch.count * preprocessing.valueCount)
      let answers = try session.output()
      logits += answers.prefix(batch.count * (answers.count / options.batchSize))
    }
  }

  /// Writes `inputs`, shape `[rows, 3, size, size]`, and `logits`, `[rows, classes]`.
  func write(to path: String) throws {
    let rows = inputs.count / imageShape.reduce(1, *)
    try Safetensors.write(
      [
        "inputs": Tensor(shape: [rows] + imageShape, inputs),
        "logits": Tensor(shape: [rows, rows == 0 ? 0 : logits.count / rows], logits),
      ], to: path)
  }
}
