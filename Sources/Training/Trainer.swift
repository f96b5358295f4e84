import Execution
public import Faces
import Fairness
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
  /// Training rows that the weights are not fitted to, for the objective's use.
  let heldOutRows: [Int]
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
    let (rows, heldOut) = settings.parted(dataset.rows(in: .train, limit: settings.limit))
    guard rows.count >= settings.batch else {
      throw TrainingError.tooFewRows(found: rows.count, batch: settings.batch)
    }
    let objective = try objective ?? settings.objective(for: dataset, rows: rows)
    guard objective.heldOutInterval == nil || heldOut.count >= settings.batch else {
      throw TrainingError.badSetting(
        name: "the held-out share", found: "\(heldOut.count) rows",
        expected: "at least one batch of \(settings.batch)")
    }
    let identity = RunIdentity(
      settings: settings, objective: objective.name, data: try dataset.fingerprint(),
      start: graph.fingerprint)
    self.settings = settings
    self.dataset = dataset
    self.graph = graph
    self.rows = rows
    heldOutRows = heldOut
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
    let heldOut = heldOutBatches()
    while !state.isFinished {
      let record = try runEpoch(loader, heldOut, shouldStop: shouldStop, report: report)
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
    _ loader: BatchLoader, _ heldOut: BatchLoader?, shouldStop: () -> Bool,
    report: (TrainingEvent) -> Void
  ) throws -> EpochRecord {
    let clock = ContinuousClock()
    let first = state.step
    let start = clock.now
    var waited = Duration.zero
    if state.step == 0 { objective.beginEpoch() }
    while true {
      let asked = clock.now
      guard let batch = try loader.next() else { break }
      waited += clock.now - asked
      if let heldOut, globalStep % (objective.heldOutInterval ?? 1) == 0 {
        try observe(heldOut, waited: &waited)
      }
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
    let judged = try validate(report)
    let validation = try judged.map {
      try ValidationReport($0.output, groups: dataset.attribute(of: $0.rows))
    }
    let gap = settings.selectionRule.flatMap { validation?.audit?.gaps[$0.gap]?.absolute }
    let isBest = state.selection.record(
      epoch: state.epoch, score: validation?.accuracy, gap: gap)
    let constraints = objective.takeRecords(validation: judged?.output)
    // What the session holds now is the best; it is copied only when a step is about to change it.
    if isBest { best = [:] }
    return EpochRecord(
      epoch: state.epoch + 1, loss: state.lossSum / Double(stepsPerEpoch),
      learningRate: rates.rate(at: (state.epoch + 1) * stepsPerEpoch - 1),
      seconds: took / .seconds(1), waitingSeconds: waited / .seconds(1),
      imagesPerSecond: imagesPerSecond(stepsPerEpoch - first, in: took),
      objective: objective.logged, constraints: constraints.isEmpty ? nil : constraints,
      validation: validation, isBest: isBest)
  }

  private func imagesPerSecond(_ steps: Int, in time: Duration) -> Double {
    let seconds = time / .seconds(1)
    return seconds > 0 ? Double(steps * settings.batch) / seconds : 0
  }

  /// The number of batches since the run's start.
  private var globalStep: Int { state.epoch * stepsPerEpoch + state.step }

  /// One batch: forward, loss, backward, update; as often as the objective wants.
  private func step(_ batch: Batch) throws -> Double {
    try keepBest()
    var first: Double?
    for turn in 1...objective.stepsPerBatch {
      let output = try logits(of: batch)
      let (loss, gradients) = objective.evaluate(output)
      guard loss.isFinite, loss <= settings.largestLoss else {
        throw TrainingError.diverged(
          loss: loss, bound: settings.largestLoss, epoch: state.epoch + 1, step: state.step + 1,
          checkpoint: lastCheckpoint)
      }
      first = first ?? loss
      try gradients.withUnsafeBufferPointer { try session.backward($0) }
      update()
      guard turn == objective.stepsPerBatch else { continue }
      objective.finishBatch(
        objective.judgesAfterStep ? try logits(of: batch, movesStatistics: false) : output)
    }
    let loss = first ?? 0
    state.lossSum += loss
    return loss
  }

  /// What the network says about a batch, with the batch's own normalization.
  private func logits(of batch: Batch, movesStatistics: Bool = true) throws -> LabelledLogits {
    let logits = try batch.images.withUnsafeBufferPointer {
      Array(try session.forward($0, movesStatistics: movesStatistics))
    }
    return LabelledLogits(
      logits: logits, classes: dataset.classNames.count, labels: batch.labels,
      groups: batch.groups)
  }

  /// Shows the objective the next batch of held-out rows.
  private func observe(_ heldOut: BatchLoader, waited: inout Duration) throws {
    let clock = ContinuousClock()
    var next: Batch?
    // The loader gives nothing once at the end of each of its epochs.
    waited += try clock.measure { next = try heldOut.next() ?? heldOut.next() }
    guard let next else { return }
    objective.observe(heldOut: try logits(of: next, movesStatistics: false))
  }

  /// The optimiser's step on the gradients that the session holds.
  private func update() {
    let index = globalStep
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

  /// What the current weights say about the validation split.
  private func validate(_ report: (TrainingEvent) -> Void) throws -> Evaluation? {
    let rows = dataset.rows(in: .validation)
    guard !rows.isEmpty else { return nil }
    var evaluator = Evaluator(settings.preprocessing, precision: settings.precision)
    evaluator.skipsDamaged = settings.skipsDamaged
    let evaluation = try evaluator.run(try session.trainedGraph(), on: dataset, rows: rows) {
      report(.validation(done: $0, of: rows.count))
    }
    return evaluation.output.count > 0 ? evaluation : nil
  }

  /// The batches that are left of the run.
  private func batches() -> BatchLoader {
    var options = options
    options.augmentation = settings.augmentation
    options.balances = settings.balance == .sampling
    return BatchLoader(
      dataset, rows: rows, options: options, epochs: state.epoch..<settings.epochs,
      startingAt: state.step)
  }

  /// The batches of held-out rows that are left of the run, every cell as often as the others.
  private func heldOutBatches() -> BatchLoader? {
    guard let interval = objective.heldOutInterval else { return nil }
    var options = options
    options.balances = true
    options.seed = settings.seed ^ 0x4e1d
    options.threads = 1
    options.ahead = 2
    let perEpoch = heldOutRows.count / settings.batch
    let used = (globalStep + interval - 1) / interval
    return BatchLoader(
      dataset, rows: heldOutRows, options: options, epochs: used / perEpoch..<1_000_000,
      startingAt: used % perEpoch)
  }

  /// What all batches of the run have in common.
  private var options: BatchLoader.Options {
    var options = BatchLoader.Options()
    options.batchSize = settings.batch
    options.preprocessing = settings.preprocessing
    options.shuffles = true
    options.seed = settings.seed
    options.lastBatch = .drop
    options.skipsDamaged = settings.skipsDamaged
    return options
  }
}

extension TrainingSettings {
  /// The training rows to fit the weights to, and those that are kept for the dual step.
  ///
  /// The choice depends on the seed alone; both parts keep the rows' order.
  func parted(_ rows: [Int]) -> (fitted: [Int], heldOut: [Int]) {
    let count = Int((Double(rows.count) * (fairALM?.heldOut ?? 0)).rounded())
    guard count > 0 else { return (rows, []) }
    var random = SplitMix64(seed: seed, stream: 0x4e1d)
    var order = Array(rows.indices)
    random.shuffle(&order)
    let chosen = Set(order.prefix(count))
    return (
      rows.indices.filter { !chosen.contains($0) }.map { rows[$0] },
      chosen.sorted().map { rows[$0] }
    )
  }
}
