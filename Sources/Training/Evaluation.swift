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

/// What a network gave for the rows of a data set, whatever it means.
public struct Outputs: Sendable {
  /// The outputs, shape `[rows, columns]`, row-major.
  public var values: [Float]
  /// How many numbers there are to a row.
  public var columns: Int
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
    let outputs = try self.outputs(of: graph, on: dataset, rows: rows, progress: progress)
    guard outputs.columns == dataset.classNames.count, outputs.columns >= 2 else {
      throw TrainingError.wrongModel(
        "the model has \(outputs.columns) classes, but the data have \(dataset.classNames.count)")
    }
    let output = LabelledLogits(
      logits: outputs.values, classes: outputs.columns,
      labels: outputs.rows.map { dataset.labels[$0] },
      groups: outputs.rows.map { dataset.groups[$0] })
    return Evaluation(output: output, rows: outputs.rows, skipped: outputs.skipped)
  }

  /// Computes what `graph` gives for `rows`, loading images beside the arithmetic.
  ///
  /// - Parameters:
  ///   - graph: A network with one image input and one output of one row to an image.
  ///   - dataset: Where the rows are.
  ///   - rows: Which rows.
  ///   - progress: Told how many rows are done.
  ///   - observe: Given each batch of prepared images and how many of them are rows.
  /// - Returns: The outputs in the rows' order.
  /// - Throws: ``TrainingError/wrongModel(_:)`` when the network has other inputs or outputs;
  ///   `FileError` for an image that cannot be read, and what compiling the graph throws.
  public func outputs(
    of graph: Graph, on dataset: FaceDataset, rows: [Int], progress: (Int) -> Void = { _ in },
    observe: ([Float], Int) throws -> Void = { _, _ in }
  ) throws -> Outputs {
    if let problem = preprocessing.problem {
      throw TrainingError.wrongModel("the model's preprocessing is wrong: \(problem)")
    }
    try checkEnds(of: graph)
    let size = graph.inputs[0].shape[0] ?? min(batch, max(1, rows.count))
    let session = try InferenceSession(
      graph, batch: size, inputShape: preprocessing.shape, precision: precision)
    let count = session.outputs[0].shape.reduce(1) { $0 * ($1 ?? 1) }
    guard count > 0, count % size == 0, session.outputs[0].shape.first == size else {
      throw TrainingError.wrongModel(
        "the output '\(session.outputs[0].name)' does not have one row to an image")
    }
    var options = BatchLoader.Options()
    options.batchSize = size
    options.preprocessing = preprocessing
    options.skipsDamaged = skipsDamaged
    options.cacheBytes = 0
    let loader = BatchLoader(dataset, rows: rows, options: options, epochs: 0..<1)
    let columns = count / size
    var outputs = Outputs(values: [], columns: columns, rows: [], skipped: [])
    outputs.values.reserveCapacity(rows.count * columns)
    while let batch = try loader.next() {
      try session.run(batch.images)
      outputs.values += try session.output(0).prefix(batch.count * columns)
      outputs.rows += batch.rows.prefix(batch.count)
      try observe(batch.images, batch.count)
      progress(outputs.rows.count)
    }
    outputs.skipped = loader.skipped
    return outputs
  }

  /// Makes sure that images of the preprocessing fit the one input, and that there is one output.
  private func checkEnds(of graph: Graph) throws {
    guard graph.inputs.count == 1, let input = graph.inputs.first else {
      throw TrainingError.wrongModel(
        "the model has \(graph.inputs.count) inputs, expected one for images")
    }
    let shape = preprocessing.shape
    guard input.shape.count == 4, zip(input.shape.dropFirst(), shape).allSatisfy({ $0 ?? $1 == $1 })
    else {
      let expected = input.shape.map { $0.map(String.init) ?? "?" }.joined(separator: ", ")
      throw TrainingError.wrongModel(
        "the input '\(input.name)' takes [\(expected)], but images are prepared as \(shape)")
    }
    guard graph.outputs.count == 1 else {
      throw TrainingError.wrongModel(
        "the model has \(graph.outputs.count) outputs, "
          + "\(graph.outputs.map { "'\($0.name)'" }.joined(separator: ", ")); choose one with "
          + "--output-name")
    }
  }
}
