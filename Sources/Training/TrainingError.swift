/// Why training could not start or go on: one line that says what was found and what to do.
public enum TrainingError: Error, Hashable {
  /// A setting has a value that makes no sense.
  case badSetting(name: String, found: String, expected: String)
  /// There are fewer training rows than one batch takes.
  case tooFewRows(found: Int, batch: Int)
  /// A split that is needed has no row.
  case noRows(split: String, folder: String)
  /// The model's outputs do not fit the data.
  case wrongModel(String)
  /// The loss became infinite, not a number, or passed the declared bound.
  case diverged(loss: Double, bound: Double, epoch: Int, step: Int, checkpoint: String?)
  /// The run was asked to stop, and did.
  case stopped(epoch: Int, step: Int, checkpoint: String?)
  /// A checkpoint was made by a run with other settings or data.
  case otherSettings(path: String, differences: [String])
}

extension TrainingError: CustomStringConvertible {
  /// What was wrong, then what to do about it.
  public var description: String {
    switch self {
    case .badSetting(let name, let found, let expected):
      "\(name) is \(found), but must be \(expected)"
    case .tooFewRows(let found, let batch):
      "the training split has \(found) rows, fewer than one batch of \(batch)"
    case .noRows(let split, let folder):
      "\(folder): has no rows in the \(split) split"
    case .wrongModel(let problem):
      problem
    case .diverged(let loss, let bound, let epoch, let step, let checkpoint):
      "training diverged: the loss was \(loss) (bound \(bound)) in epoch \(epoch), step \(step); "
        + "lower the learning rate or clip the gradients; "
        + (checkpoint.map { "the last good state is kept in \($0)" }
          ?? "no checkpoint had been written yet")
    case .stopped(let epoch, let step, let checkpoint):
      "stopped in epoch \(epoch) after step \(step); "
        + (checkpoint.map { "the same command goes on from \($0)" } ?? "nothing was saved")
    case .otherSettings(let path, let differences):
      "\(path): belongs to a run with other settings (\(differences.joined(separator: "; "))); "
        + "use the same settings to resume it, or --fresh to begin anew"
    }
  }
}
