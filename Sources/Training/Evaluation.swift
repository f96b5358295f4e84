public import Execution
public import Faces
public import Files
public import Graphs

/// What a model says about the rows of a data set.
public struct Evaluation: Sendable {
  /// Logits, labels and groups of every row that was read, in the rows' order.
  public var output: LabelledLogits
  /// The row of the data set that each one is.
  public var rows: [Int]
  /// Why images were left out, where that was allowed.
  public var skipped: [FileError]
}

/// Runs models over data sets.
public struct Evaluator: Sendable {
  /// What is done to the images.
  public var preprocessing: Preprocessing
  /// The arithmetic of what is not quantized.
  public var precision: Precision
  /// How many rows are computed at once; no result depends on it.
  public var batch = 128
  /// Whether damaged images are left out and counted instead of ending the run.
  public var skipsDamaged = false

  /// An evaluator with the given preparation of images.
  public init(_ preprocessing: Preprocessing, precision: Precision = .float32) {
    self.preprocessing = preprocessing
    self.precision = precision
  }

  /// Computes the logits of `rows`, loading images beside the arithmetic.
  ///
  /// - Parameters:
  ///   - graph: A classifier with one image input and one output of logits, float or int8.
  ///   - dataset: Where the rows are.
  ///   - rows: Which rows.
  ///   - progress: Told how many rows are done.
  /// - Returns: Logits in the rows' order.
  /// - Throws: ``TrainingError/wrongModel(_:)`` when the model's classes are not the data's;
  ///   `FileError` for an image that cannot be read, and what compiling the graph throws.
  public func run(
    _ graph: Graph, on dataset: FaceDataset, rows: [Int], progress: (Int) -> Void = { _ in }
  ) throws -> Evaluation {
    if let problem = preprocessing.problem {
      throw TrainingError.wrongModel("the model's preprocessing is wrong: \(problem)")
    }
    let size = min(batch, max(1, rows.count))
    let session = try InferenceSession(
      graph, batch: size, inputShape: preprocessing.shape,
      precision: precision)
    let classes = session.outputs[0].shape.last.flatMap(\.self) ?? 0
    guard session.outputs.count == 1, classes == dataset.classNames.count, classes >= 2 else {
      throw TrainingError.wrongModel(
        "the model has \(classes) classes, but the data have \(dataset.classNames.count)")
    }
    var options = BatchLoader.Options()
    options.batchSize = size
    options.preprocessing = preprocessing
    options.skipsDamaged = skipsDamaged
    options.cacheBytes = 0
    let loader = BatchLoader(dataset, rows: rows, options: options, epochs: 0..<1)
    var logits: [Float] = []
    logits.reserveCapacity(rows.count * classes)
    var read: [Int] = []
    while let batch = try loader.next() {
      try session.run(batch.images)
      logits += try session.output(0).prefix(batch.count * classes)
      read += batch.rows.prefix(batch.count)
      progress(read.count)
    }
    let output = LabelledLogits(
      logits: logits, classes: classes, labels: read.map { dataset.labels[$0] },
      groups: read.map { dataset.groups[$0] })
    return Evaluation(output: output, rows: read, skipped: loader.skipped)
  }
}

extension Preprocessing {
  /// The shape of one image as the network sees it.
  var shape: [Int] { [3, size, size] }
}
