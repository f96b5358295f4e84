import TestSupport
import Testing
import Training

/// One case of `Golden/schedules.json`, written by `Scripts/golden/training.py` with PyTorch.
struct ScheduleCase: Decodable, Sendable, CustomTestStringConvertible {
  var schedule: Schedule
  var steps: Int
  var peak: Double
  var cyclesMomentum: Bool
  var warmUp: Double
  var rates: [Double]
  var momenta: [Double]

  var testDescription: String { "\(schedule) over \(steps) steps, cycling \(cyclesMomentum)" }
  var found: LearningRates {
    LearningRates(
      schedule, peak: peak, momentum: 0.9, cyclesMomentum: cyclesMomentum, warmUp: warmUp,
      steps: steps)
  }
}

@Suite struct ScheduleTests {
  @Test(arguments: try golden([ScheduleCase].self, "schedules", in: .module))
  func `rates and momenta are PyTorch's`(expected: ScheduleCase) {
    #expect(expected.rates.count == expected.steps)
    for step in 0..<expected.steps {
      #expect(abs(expected.found.rate(at: step) - expected.rates[step]) <= 1e-13)
      #expect(abs(expected.found.momentum(at: step) - expected.momenta[step]) <= 1e-13)
    }
  }

  @Test func `a constant rate stays`() {
    let rates = LearningRates(.constant, peak: 0.1, momentum: 0.8, steps: 5)
    #expect((0..<5).allSatisfy { rates.rate(at: $0) == 0.1 && rates.momentum(at: $0) == 0.8 })
  }

  @Test func `without momentum one-cycle brings none in`() {
    let rates = LearningRates(.oneCycle, peak: 0.1, momentum: 0, steps: 5)
    #expect((0..<5).allSatisfy { rates.momentum(at: $0) == 0 })
  }

  /// 10 steps put one-cycle's turn at step 2 exactly.
  @Test(arguments: [Schedule.oneCycle, .cosine], 1..<40)
  func `every rate is positive and at most the peak`(schedule: Schedule, steps: Int) {
    let rates = LearningRates(schedule, peak: 0.3, warmUp: 0.1, steps: steps)
    for step in 0..<steps {
      #expect(rates.rate(at: step) > 0)
      #expect(rates.rate(at: step) <= 0.3)
    }
  }
}
