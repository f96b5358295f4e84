import Execution
import Faces
import Graphs
import Tensors

extension CompressionImages {
  /// All images of `rows`, prepared, one after the other.
  func pixels(of rows: [Int]) throws -> [Float] {
    var options = BatchLoader.Options()
    options.batchSize = 64
    options.preprocessing = preprocessing
    options.cacheBytes = 0
    let loader = BatchLoader(dataset, rows: rows, options: options, epochs: 0..<1)
    let count = preprocessing.shape.reduce(1, *)
    var pixels: [Float] = []
    pixels.reserveCapacity(rows.count * count)
    while let batch = try loader.next() {
      pixels += batch.images.prefix(batch.count * count)
    }
    return pixels
  }
}

extension Graph {
  /// What the graph makes of every row of `values`, row-major.
  ///
  /// - Parameters:
  ///   - values: The input for all rows, one after the other.
  ///   - type: The input's type, for a batch of any size.
  ///   - rows: The number of rows.
  /// - Returns: The output for all rows, row-major.
  /// - Throws: What running the graph throws.
  func results(for values: [Float], shape type: TensorType?, rows: Int) throws -> [Float] {
    let shape = Array((type?.shape ?? []).dropFirst())
    let perRow = shape.reduce(1, *)
    let batch = min(64, rows)
    let session = try InferenceSession(self, batch: batch, inputShape: shape)
    let perResult = session.outputs[0].shape.dropFirst().reduce(1) { $0 * ($1 ?? 1) }
    return try [Float](unsafeUninitializedCapacity: rows * perResult) { results, count in
      while count < rows * perResult {
        let start = count / perResult
        let full = min(batch, rows - start)
        if full == batch {
          try values.withUnsafeBufferPointer { all in
            try session.run(
              UnsafeBufferPointer(rebasing: all[start * perRow..<(start + batch) * perRow]))
          }
          try session.copyOutput(
            0, to: UnsafeMutableBufferPointer(rebasing: results[count..<count + batch * perResult]))
        } else {
          let filling = [Float](repeating: 0, count: (batch - full) * perRow)
          try session.run(Array(values[(start * perRow)...]) + filling)
          _ = UnsafeMutableBufferPointer(rebasing: results[count...]).update(
            fromContentsOf: try session.output(0).prefix(full * perResult))
        }
        count += full * perResult
      }
    }
  }
}
