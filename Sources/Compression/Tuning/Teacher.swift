import Execution
import Faces
import Training

/// The float model's answers on all training rows, computed once.
struct Teacher {
  private let output: LabelledLogits
  private let places: [Int: Int]
  /// Whether labels are the data's or the teacher's own decisions.
  var usesLabels = true

  init(_ output: LabelledLogits, rows: [Int]) {
    self.output = output
    places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, $0) })
  }

  /// The student's answers on a batch, and the teacher's.
  func asked(
    about batch: Batch, _ session: TrainingSession
  ) throws -> (student: LabelledLogits, teacher: [Float]) {
    let logits = try batch.images.withUnsafeBufferPointer {
      Array(try session.forward($0, movesStatistics: false))
    }
    var known: [Float] = []
    for row in batch.rows {
      guard let place = places[row] else { preconditionFailure("a row that was not asked about") }
      known += output.logits[2 * place..<2 * place + 2]
    }
    var labels = batch.labels
    if !usesLabels {
      labels = labels.indices.map { known[2 * $0 + 1] >= known[2 * $0] ? 1 : 0 }
    }
    return (
      LabelledLogits(logits: logits, classes: 2, labels: labels, groups: batch.groups), known
    )
  }
}
