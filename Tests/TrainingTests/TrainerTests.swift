import ColourTask
import Execution
import Faces
import Files
import Foundation
import Graphs
import Predictions
import TestSupport
import Testing
import Training

/// Serialized, because every run computes on all threads.
@Suite(.serialized) struct TrainerTests {
  let task: ColourTask
  let dataset: FaceDataset

  init() throws {
    task = try ColourTask(count: 240)
    dataset = try task.dataset()
  }

  private func settings(_ change: (inout TrainingSettings) -> Void = { _ in }) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.epochs = 2
    settings.batch = 16
    settings.preprocessing = Preprocessing(size: 32)
    settings.optimizer.learningRate = 0.02
    settings.seed = 7
    change(&settings)
    return settings
  }

  private func trainer(
    _ settings: TrainingSettings, checkpoints: CheckpointPlan? = nil
  ) throws -> Trainer {
    try Trainer(
      settings, dataset: dataset, graph: TinyNetwork.graph(seed: settings.seed),
      checkpoints: checkpoints)
  }

  @Test func `it learns, and the model kept is the one that was judged best`() throws {
    let result = try trainer(settings { $0.epochs = 3 }).run()
    #expect(result.epochs.count == 3)
    let best = result.epochs[result.bestEpoch - 1]
    let validation = try #require(best.validation)
    #expect(validation.accuracy > 0.9)
    #expect(result.epochs.allSatisfy { ($0.validation?.accuracy ?? 1) <= validation.accuracy })

    let description = try ModelDescription(of: result.graph)
    #expect(description.target == "Warm")
    #expect(description.protected == ["Male"])
    let (predictions, skipped) = try Predictor.predict(
      result.graph, on: dataset, split: .validation)
    #expect(skipped.isEmpty)
    #expect(predictions.count == validation.rows)
    let hits = (0..<predictions.count).count {
      predictions.labels[$0] == (predictions.scores[$0] > 0.5)
    }
    #expect(Double(hits) / Double(predictions.count) == validation.accuracy)
  }

  @Test(arguments: Precision.allCases.filter { $0.runs() }, [1, 13])
  func `stopped and resumed, it ends with the same bytes`(precision: Precision, stop: Int) throws {
    let settings = settings { $0.precision = precision }
    let whole = try trainer(settings).run()
    let plan = CheckpointPlan(path: "\(task.folder)/run.checkpoint", interval: 5)
    var steps = 0
    let error = #expect(throws: TrainingError.self) {
      try trainer(settings, checkpoints: plan).run(
        shouldStop: {
          steps += 1
          return steps == stop
        })
    }
    guard case .stopped(_, _, checkpoint: plan.path) = error else {
      Issue.record("stopped with \(String(describing: error))")
      return
    }
    let second = try trainer(settings, checkpoints: plan)
    #expect(second.isResumed)
    let resumed = try second.run()
    #expect(resumed.graph == whole.graph)
    #expect(resumed.bestEpoch == whole.bestEpoch)
    #expect(resumed.epochs.map(\.loss) == whole.epochs.map(\.loss))

    // The finished run's checkpoint gives the same model again, without a step.
    let third = try trainer(settings, checkpoints: plan).run(report: { _ in
      Issue.record("a finished run went on")
    })
    #expect(third.graph == whole.graph)
  }

  @Test func `a checkpoint of other settings is refused with what differs`() throws {
    let plan = CheckpointPlan(path: "\(task.folder)/run.checkpoint")
    _ = try trainer(settings { $0.epochs = 1 }, checkpoints: plan).run()
    let other = settings { $0.epochs = 4 }
    let error = #expect(throws: TrainingError.self) { try trainer(other, checkpoints: plan) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("settings.epochs is 1 there and 4 here"))
    let fresh = CheckpointPlan(path: plan.path, isFresh: true)
    #expect(try !trainer(other, checkpoints: fresh).isResumed)
  }

  @Test func `a diverging run stops and leaves the last good checkpoint`() throws {
    let plan = CheckpointPlan(path: "\(task.folder)/run.checkpoint", interval: 1)
    let settings = settings {
      $0.optimizer.learningRate = 1e4
      $0.schedule = .constant
    }
    let error = #expect(throws: TrainingError.self) {
      try trainer(settings, checkpoints: plan).run()
    }
    guard case .diverged(_, _, _, let step, checkpoint: plan.path) = error else {
      Issue.record("stopped with \(String(describing: error))")
      return
    }
    let checkpoint = try Checkpoint(reading: plan.path)
    #expect(checkpoint.isFinite)
    #expect(checkpoint.state.step == step - 1)
  }

  @Test func `a damaged checkpoint is named`() throws {
    let plan = CheckpointPlan(path: "\(task.folder)/run.checkpoint")
    _ = try trainer(settings { $0.epochs = 1 }, checkpoints: plan).run()
    let bytes = try Files.read(plan.path)
    for count in [0, 7, 200, bytes.count / 2, bytes.count - 1] {
      try Files.replace(plan.path, with: Array(bytes[..<count]))
      let error = #expect(throws: FileError.self) {
        try trainer(settings { $0.epochs = 1 }, checkpoints: plan)
      }
      #expect(error?.path == plan.path)
    }
  }

  @Test func `too few rows and bad settings are refused before anything is done`() throws {
    #expect(throws: TrainingError.tooFewRows(found: 192, batch: 512)) {
      try trainer(settings { $0.batch = 512 })
    }
    #expect(throws: TrainingError.self) { try trainer(settings { $0.optimizer.momentum = 1 }) }
    #expect(throws: TrainingError.self) { try trainer(settings { $0.limit = 3 }) }
    #expect(throws: TrainingError.self) {
      try Trainer(settings(), dataset: dataset, graph: TinyNetwork.graph(classes: 3))
    }
  }

  @Test func `patience ends a run that gets no better`() throws {
    let result = try trainer(
      settings {
        $0.epochs = 6
        $0.patience = 1
        // Nothing is learned from steps this small, so no epoch is better than the first.
        $0.optimizer.learningRate = 1e-20
        $0.optimizer.weightDecay = 0
        $0.optimizer.momentum = 0
      }
    ).run()
    #expect(result.epochs.count < 6)
    #expect(result.epochs.count == result.bestEpoch + 1)
  }
}
