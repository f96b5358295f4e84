public import Execution
public import Faces
import Fairness
import Files
public import Graphs
public import Predictions

/// Turns a two-class model and a data set into predictions that can be audited.
public enum Predictor {
  /// Predicts every row of a split.
  ///
  /// Images are prepared as the model's description says. Scores are the probability of the
  /// positive class, computed in double precision from the model's f32 outputs.
  ///
  /// - Parameters:
  ///   - graph: A float or int8 classifier that carries a ``ModelDescription``.
  ///   - dataset: Where the images are.
  ///   - split: Which of its rows.
  ///   - precision: The arithmetic of what is not quantized.
  ///   - limit: Only so many rows of the split; `nil` takes all.
  ///   - skipsDamaged: Whether damaged images are left out instead of ending the run.
  ///   - progress: Told how many rows are done, and of how many.
  /// - Returns: The predictions, and what was left out.
  /// - Throws: ``TrainingError/wrongModel(_:)`` for a model that does not fit the data, and
  ///   `FileError` for images that cannot be read.
  public static func predict(
    _ graph: Graph, on dataset: FaceDataset, split: Split = .test,
    precision: Precision = .float32, limit: Int? = nil, skipsDamaged: Bool = false,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> (predictions: Predictions, skipped: [String]) {
    let rows = dataset.rows(in: split, limit: limit)
    guard !rows.isEmpty else {
      throw TrainingError.noRows(split: "\(split)", folder: dataset.folder)
    }
    guard dataset.classNames.count == 2 else {
      throw TrainingError.wrongModel(
        "predictions need data of two classes, not \(dataset.classNames.count)")
    }
    let description = try ModelDescription(of: graph)
    var evaluator = Evaluator(description.preprocessing, precision: precision)
    evaluator.skipsDamaged = skipsDamaged
    let outputs = try evaluator.outputs(of: graph, on: dataset, rows: rows) {
      progress($0, rows.count)
    }
    let predictions = Predictions(
      ids: outputs.rows.map { dataset.files[$0] },
      labels: outputs.rows.map { dataset.labels[$0] == 1 },
      scores: try description.scores(outputs),
      attributes: [dataset.attribute(of: outputs.rows)],
      identities: dataset.identities.map { all in outputs.rows.map { "\(all[$0])" } })
    return (predictions, outputs.skipped.map(\.description))
  }
}

extension ModelDescription {
  /// The probability of the positive class in every row.
  ///
  /// - Throws: ``TrainingError/wrongModel(_:)`` when it is not clear which class that is, or
  ///   probabilities are none.
  public func scores(_ outputs: Outputs) throws -> [Double] {
    let columns = outputs.columns
    guard let positive = positiveClass ?? (columns <= 2 ? columns - 1 : nil) else {
      throw TrainingError.wrongModel(
        "the model has \(columns) classes; say which is the positive one with --positive-class")
    }
    guard 0..<columns ~= positive else {
      throw TrainingError.wrongModel(
        "the positive class is \(positive), but the model has \(columns)")
    }
    let meaning = self.outputs ?? .logits
    let scores = meaning.scores(outputs.values, columns: columns, positive: positive)
    if let wrong = scores.firstIndex(where: { !(-1e-6...1 + 1e-6 ~= $0) }) {
      throw TrainingError.wrongModel(
        meaning == .probabilities
          ? "row \(wrong + 1) has the probability \(scores[wrong]); are the outputs logits?"
          : "row \(wrong + 1) has a score that is not a number")
    }
    return scores.map { min(1, max(0, $0)) }
  }
}

extension LabelledLogits {
  /// The softmax's probability of class 1 of every row.
  ///
  /// - Precondition: there are two classes.
  public var scores: [Double] {
    precondition(classes == 2, "a score is for two classes, not \(classes)")
    return (0..<count).map { Softmax.positive(logits[2 * $0], logits[2 * $0 + 1]) }
  }
}

extension FaceDataset {
  /// The groups of `rows` as the attribute that an audit reads.
  func attribute(of rows: [Int]) -> Fairness.Attribute {
    Fairness.Attribute(
      protected.joined(separator: " & "), groups: groupNames, codes: rows.map { groups[$0] })
  }
}
