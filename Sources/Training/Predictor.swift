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
  /// Images are prepared as the model's description says. Scores are the softmax's probability of
  /// class 1, computed in double precision from the model's f32 logits.
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
    var evaluator = Evaluator(
      try ModelDescription(of: graph).preprocessing, precision: precision)
    evaluator.skipsDamaged = skipsDamaged
    let evaluation = try evaluator.run(graph, on: dataset, rows: rows) { progress($0, rows.count) }
    guard evaluation.output.classes == 2 else {
      throw TrainingError.wrongModel(
        "predictions need a model of two classes, not \(evaluation.output.classes)")
    }
    let predictions = Predictions(
      ids: evaluation.rows.map { dataset.files[$0] },
      labels: evaluation.output.labels.map { $0 == 1 }, scores: evaluation.output.scores,
      attributes: [dataset.attribute(of: evaluation.rows)],
      identities: dataset.identities.map { all in evaluation.rows.map { "\(all[$0])" } })
    return (predictions, evaluation.skipped.map(\.description))
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
