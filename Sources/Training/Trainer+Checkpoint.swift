import Execution
import Faces
import Files
public import Graphs
import OneDNN
import Tensors

extension Trainer {
  /// The parameters and running statistics as they are now.
  func weights() throws -> [String: Tensor] {
    try session.tensors(of: .values).merging(session.runningStatistics) { value, _ in value }
  }

  /// Saves the run, if that is wanted and every number is finite.
  ///
  /// A state that is about to diverge must not replace the last good one.
  func save() throws {
    guard let checkpoints else { return }
    state.objective = objective.state
    let checkpoint = Checkpoint(
      state: state, weights: try weights(),
      momenta: try session.tensors(of: .momenta), best: best)
    guard checkpoint.isFinite else {
      throw TrainingError.diverged(
        loss: .nan, bound: settings.largestLoss, epoch: state.epoch + 1, step: state.step + 1,
        checkpoint: lastCheckpoint)
    }
    try checkpoint.write(to: checkpoints.path)
    lastCheckpoint = checkpoints.path
  }

  /// Takes up an earlier run's checkpoint, if there is one and it is wanted.
  func resume() throws {
    guard let checkpoints, !checkpoints.isFresh, Files.exists(checkpoints.path) else { return }
    let checkpoint = try Checkpoint(reading: checkpoints.path)
    let differences = try state.identity.differences(from: checkpoint.state.identity)
    guard differences.isEmpty else {
      throw TrainingError.otherSettings(path: checkpoints.path, differences: differences)
    }
    let read = checkpoint.state
    guard (0...settings.epochs).contains(read.epoch),
      (0..<max(1, stepsPerEpoch)).contains(read.step)
    else {
      throw FileError(
        checkpoints.path, "stands at epoch \(read.epoch), step \(read.step), beyond the run's end")
    }
    try session.load(parameters: checkpoint.weights)
    try session.load(momenta: checkpoint.momenta)
    objective.state = read.objective
    state = read
    best = checkpoint.best
    lastCheckpoint = checkpoints.path
    isResumed = true
  }

  /// Saves because the run was asked to stop, and says so.
  func stopped() throws -> TrainingError {
    try save()
    return .stopped(epoch: state.epoch + 1, step: state.step, checkpoint: lastCheckpoint)
  }

  /// The best epoch's model.
  func result() throws -> TrainingResult {
    var graph = try session.trainedGraph()
    for (name, tensor) in best { graph.initializers[name] = tensor }
    let epoch = (state.selection.best ?? state.records.count - 1) + 1
    let description = ModelDescription(
      preprocessing: settings.preprocessing, target: dataset.target, protected: dataset.protected,
      classes: dataset.classNames,
      provenance: ModelDescription.Provenance(
        run: state.identity, epoch: epoch, epochsRun: state.records.count,
        threads: Parallel.threadCount))
    try description.write(into: &graph)
    return TrainingResult(graph: graph, bestEpoch: epoch, epochs: state.records)
  }
}

extension Graph {
  /// The SHA-256 of the operations and of every constant.
  public var fingerprint: String {
    var hash = SHA256()
    for node in nodes {
      let attributes = node.attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      let text = [node.name, node.operation.rawValue] + node.inputs + node.outputs + attributes
      hash.update(Array((text.joined(separator: "\t") + "\n").utf8))
    }
    for (name, tensor) in initializers.sorted(by: { $0.key < $1.key }) {
      hash.update(Array("\(name)\t\(tensor.elementType)\t\(tensor.shape)\n".utf8))
      hash.update(tensor.bytes)
    }
    return hash.finish()
  }
}
