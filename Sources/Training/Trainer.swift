import Execution
public import Faces
import Files
public import Graphs
import Tensors

/// Trains a graph on a data set: the loop, its checkpoints and its choice of an epoch.
///
/// Forward, the objective's gradient on the logits, backward and one step of the optimiser, for
/// every batch of every epoch; after each epoch validation decides whether it is the best so far.
/// A trainer belongs to one thread.
public final class Trainer {
  /// The run's settings.
  public let settings: TrainingSettings
  /// What is learned from.
  public let dataset: FaceDataset
  /// The number of steps of an epoch; rows that fill no batch are left for other epochs.
  public let stepsPerEpoch: Int
  /// Where the run is.
  public internal(set) var state: TrainingState
  /// Whether the run goes on from a checkpoint.
  public internal(set) var isResumed = false

  let graph: Graph
  let session: TrainingSession
  let rates: LearningRates
  let rows: [Int]
  let checkpoints: CheckpointPlan?
  var objective: any Objective
  /// The best epoch's weights, where the session has moved on from them.
  var best: [String: Tensor] = [:]
  /// The path of the checkpoint that was written or read last.
  var lastCheckpoint: String?

  /// Prepares a run, and takes up the checkpoint of an earlier one if there is one.
  ///
  /// - Parameters:
  ///   - settings: What to do.
  ///   - dataset: Its training split is learned from and its validation split chooses the epoch.
  ///   - graph: What to train, from the weights it has.
  ///   - objective: What to make small; by default the mean cross-entropy.
  ///   - checkpoints: Where and how often to save; `nil` saves nothing.
  /// - Throws: ``TrainingError`` for bad settings, too few rows, a graph that does not fit, or a
  ///   checkpoint of another run; `FileError` for unreadable files.
  public init(
    _ settings: TrainingSettings, dataset: FaceDataset, graph: Graph,
    objective: (any Objective)? = nil, checkpoints: CheckpointPlan? = nil
  ) throws {
    try settings.validate()
    let rows = dataset.rows(in: .train, limit: settings.limit)
    guard rows.count >= settings.batch else {
      throw TrainingError.tooFewRows(found: rows.count, batch: settings.batch)
    }
    let objective = objective ?? EmpiricalRisk(labelSmoothing: settings.labelSmoothing)
    let identity = RunIdentity(
      settings: settings, objective: objective.name, data: try dataset.fingerprint(),
      start: graph.fingerprint)
    self.settings = settings
    self.dataset = dataset
    self.graph = graph
    self.rows = rows
    self.objective = objective
    self.checkpoints = checkpoints
    state = TrainingState(identity: identity)
    stepsPerEpoch = rows.count / settings.batch
    rates = LearningRates(
      settings.schedule, peak: settings.optimizer.learningRate,
      momentum: settings.optimizer.momentum, cyclesMomentum: settings.cyclesMomentum,
      warmUp: settings.warmUp, steps: stepsPerEpoch * settings.epochs)
    session = try TrainingSession(
      graph, batch: settings.batch, inputShape: settings.preprocessing.shape,
      precision: settings.precision)
    let classes = session.outputShape.last ?? 0
    guard classes == dataset.classNames.count else {
      throw TrainingError.wrongModel(
        "the model has \(classes) classes, but the data have \(dataset.classNames.count)")
    }
    try resume()
  }

  /// Runs to the end and gives the best epoch's model.
  ///
  /// - Parameters:
  ///   - shouldStop: Asked after every step; when true the run saves and ends.
  ///   - report: Told of every step and epoch.
  /// - Returns: The best epoch's graph with its description, and the log.
  /// - Throws: ``TrainingError/diverged(loss:bound:epoch:step:checkpoint:)``,
  ///   ``TrainingError/stopped(epoch:step:checkpoint:)``, and what loading and saving throw.
  public func run(
    shouldStop: () -> Bool = { false }, report: (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingResult {
    if state.isFinished { return try result() }
    let loader = batches()
    while !state.isFinished {
      let record = try runEpoch(loader, shouldStop: shouldStop, report: report)
      state.records.append(record)
      state.epoch += 1
      (state.step, state.lossSum) = (0, 0)
      state.isFinished = state.epoch == settings.epochs || state.selection.isExhausted
      try save()
      report(.epoch(record))
    }
    return try result()
  }

  /// The steps that are left of the current epoch, and its validation.
  private func runEpoch(
    _ loader: BatchLoader, shouldStop: () -> Bool, report: (TrainingEvent) -> Void
  ) throws -> EpochRecord {
    let clock = ContinuousClock()
    let first = state.step
    let start = clock.now
    var waited = Duration.zero
    while true {
      let asked = clock.now
      guard let batch = try loader.next() else { break }
      waited += clock.now - asked
      let loss = try step(batch)
      state.step += 1
      report(
        .step(
          epoch: state.epoch + 1, step: state.step, of: stepsPerEpoch, loss: loss,
          imagesPerSecond: imagesPerSecond(state.step - first, in: clock.now - start)))
      // At the end of an epoch the validation comes first.
      guard state.step < stepsPerEpoch else { continue }
      if shouldStop() { throw try stopped() }
      if let interval = checkpoints?.interval, state.step % interval == 0 { try save() }
    }
    let took = clock.now - start
    let validation = try validate(report)
    let isBest = state.selection.record(epoch: state.epoch, score: validation?.accuracy)
    // What the session holds now is the best; it is copied only when a step is about to change it.
    if isBest { best = [:] }
    return EpochRecord(
      epoch: state.epoch + 1, loss: state.lossSum / Double(stepsPerEpoch),
      learningRate: rates.rate(at: (state.epoch + 1) * stepsPerEpoch - 1),
      seconds: took / .seconds(1), waitingSeconds: waited / .seconds(1),
      imagesPerSecond: imagesPerSecond(stepsPerEpoch - first, in: took),
      objective: objective.state, validation: validation, isBest: isBest)
  }

  private func imagesPerSecond(_ steps: Int, in time: Duration) -> Double {
    let seconds = time / .seconds(1)
    return seconds > 0 ? Double(steps * settings.batch) / seconds : 0
  }

  /// One batch: forward, loss, backward, update.
  private func step(_ batch: Batch) throws -> Double {
    try keepBest()
    let logits = try batch.images.withUnsafeBufferPointer { Array(try session.forward($0)) }
    let (loss, gradients) = objective.evaluate(
      LabelledLogits(
        logits: logits, classes: dataset.classNames.count, labels: batch.labels,
        groups: batch.groups))
    guard loss.isFinite, loss <= settings.largestLoss else {
      throw TrainingError.diverged(
        loss: loss, bound: settings.largestLoss, epoch: state.epoch + 1, step: state.step + 1,
        checkpoint: lastCheckpoint)
    }
    try gradients.withUnsafeBufferPointer { try session.backward($0) }
    update()
    state.lossSum += loss
    return loss
  }

  /// The optimiser's step on the gradients that the session holds.
  private func update() {
    let index = state.epoch * stepsPerEpoch + state.step
    let optimizer = settings.optimizer
    // The norm costs a pass over all gradients, so it is taken only when it is needed.
    let scale = optimizer.clip == nil ? 1 : optimizer.gradientScale(norm: session.gradientNorm())
    session.descend(
      optimizer.step(
        rate: rates.rate(at: index), momentum: rates.momentum(at: index), gradientScale: scale))
  }

  /// Copies the best epoch's weights before the first step that overwrites them.
  private func keepBest() throws {
    guard best.isEmpty, state.step == 0, let kept = state.selection.best, kept == state.epoch - 1
    else { return }
    best = try weights()
  }

  /// Judges the current weights on the validation split.
  private func validate(_ report: (TrainingEvent) -> Void) throws -> ValidationReport? {
    let rows = dataset.rows(in: .validation)
    guard !rows.isEmpty else { return nil }
    var evaluator = Evaluator(settings.preprocessing, precision: settings.precision)
    evaluator.skipsDamaged = settings.skipsDamaged
    let evaluation = try evaluator.run(try session.trainedGraph(), on: dataset, rows: rows) {
      report(.validation(done: $0, of: rows.count))
    }
    guard evaluation.output.count > 0 else { return nil }
    return try ValidationReport(
      evaluation.output, groups: dataset.attribute(of: evaluation.rows))
  }

  /// The batches that are left of the run.
  private func batches() -> BatchLoader {
    var options = BatchLoader.Options()
    options.batchSize = settings.batch
    options.preprocessing = settings.preprocessing
    options.augmentation = settings.augmentation
    options.shuffles = true
    options.seed = settings.seed
    options.lastBatch = .drop
    options.skipsDamaged = settings.skipsDamaged
    return BatchLoader(
      dataset, rows: rows, options: options, epochs: state.epoch..<settings.epochs,
      startingAt: state.step)
  }
}
