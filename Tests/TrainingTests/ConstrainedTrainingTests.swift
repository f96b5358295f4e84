import ColourTask
import Execution
import Faces
import Fairness
import Files
import Foundation
import Graphs
import TestSupport
import Testing
import Training

/// Serialized, because every run computes on all threads.
@Suite(.serialized) struct ConstrainedTrainingTests {
  let task: ColourTask
  let dataset: FaceDataset

  init() throws {
    task = try ColourTask(count: 400)
    dataset = try task.dataset()
  }

  private func settings(_ change: (inout TrainingSettings) -> Void = { _ in }) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.epochs = 2
    settings.batch = 16
    settings.preprocessing = Preprocessing(size: 32)
    settings.optimizer.learningRate = 0.02
    settings.seed = 7
    settings.fairALM = FairALMSettings()
    settings.fairALM?.minimumCell = 2
    settings.fairALM?.interval = 3
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

  /// Property: without multipliers and penalty it is plain training, bit for bit.
  @Test func `without a force it equals empirical risk minimisation`() throws {
    let still = try trainer(
      settings {
        $0.fairALM?.eta = 0
        $0.fairALM?.penalty = 0
        $0.fairALM?.heldOut = 0
        $0.selection = SelectionRule(gap: .equalizedOdds, tolerance: 0)
      }
    ).run()
    let plain = try trainer(settings { $0.fairALM = nil }).run()
    #expect(still.epochs.map(\.loss) == plain.epochs.map(\.loss))
    #expect(still.epochs.map(\.validation) == plain.epochs.map(\.validation))
    #expect(still.epochs.allSatisfy { $0.constraints?.count == 2 })
    #expect(plain.epochs.allSatisfy { $0.constraints == nil })
    #expect(still.graph.initializers == plain.graph.initializers)
  }

  @Test(arguments: FairALMSettings.Form.allCases, [2, 17])
  func `stopped and resumed, it ends with the same bytes`(
    form: FairALMSettings.Form, stop: Int
  ) throws {
    let settings = settings {
      $0.fairALM = FairALMSettings(form)
      $0.fairALM?.eta = 0.05
      $0.fairALM?.interval = 3
      $0.fairALM?.minimumCell = 2
      if form == .released { $0.fairALM?.innerSteps = 2 }
      if form == .equant { $0.balance = .sampling }
    }
    let whole = try trainer(settings).run()
    let plan = CheckpointPlan(path: "\(task.folder)/run.checkpoint", interval: 5)
    var steps = 0
    #expect(throws: TrainingError.self) {
      try trainer(settings, checkpoints: plan).run(
        shouldStop: {
          steps += 1
          return steps == stop
        })
    }
    let second = try trainer(settings, checkpoints: plan)
    #expect(second.isResumed)
    let resumed = try second.run()
    #expect(resumed.graph == whole.graph)
    #expect(resumed.epochs.map(\.constraints) == whole.epochs.map(\.constraints))
    #expect(resumed.epochs.map(\.objective) == whole.epochs.map(\.objective))
    #expect(whole.epochs.allSatisfy { $0.constraints?.isEmpty == false })
  }

  @Test func `the multipliers move with the held-out gap and the record says so`() throws {
    let result = try trainer(settings { $0.fairALM?.tolerance = 0 }).run()
    let last = try #require(result.epochs.last?.constraints)
    #expect(last.map(\.name) == ["TPR male - female", "FPR male - female"])
    #expect(last.contains { $0.multiplier != 0 })
    #expect(last.allSatisfy { $0.heldOut != nil && $0.validation != nil })
    let audit = try #require(result.epochs.last?.validation?.audit)
    #expect(last[0].validation == audit.gaps[.equalOpportunity]?.value)
    #expect(last[1].validation == audit.gaps[.fprDifference]?.value)
  }

  @Test func `balanced sampling and re-weighting train, and are part of the identity`() throws {
    let balanced = try trainer(
      settings {
        $0.fairALM = nil
        $0.balance = .sampling
      })
    let weighted = try trainer(
      settings {
        $0.fairALM = nil
        $0.balance = .weighting
      })
    #expect(balanced.state.identity != weighted.state.identity)
    #expect(weighted.state.identity.objective == "erm-reweighed")
    #expect(try balanced.run().epochs.last?.validation?.accuracy ?? 0 > 0.8)
    #expect(try weighted.run().epochs.last?.validation?.accuracy ?? 0 > 0.8)
  }

  @Test func `bad constraints are refused before anything is done`() throws {
    func expectRefusal(_ change: (inout TrainingSettings) -> Void) {
      #expect(throws: TrainingError.self) { try trainer(settings(change)) }
    }
    expectRefusal { $0.fairALM?.heldOut = 1 }
    expectRefusal { $0.fairALM?.heldOut = 0.01 }
    expectRefusal { $0.fairALM?.eta = .infinity }
    expectRefusal { $0.fairALM?.largestMultiplier = 0 }
    expectRefusal { $0.balance = .weighting }
    expectRefusal { $0.selection = SelectionRule(gap: .accuracy, tolerance: 2) }
    expectRefusal {
      $0.fairALM = FairALMSettings(.paper)
      $0.fairALM?.constraint = .equalizedOdds
    }
    expectRefusal {
      $0.fairALM?.constraint = .demographicParity
      $0.fairALM?.surrogate = .crossEntropy
    }
  }
}
