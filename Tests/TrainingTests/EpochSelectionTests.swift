import Testing
import Training

@Suite struct EpochSelectionTests {
  @Test func `the highest score wins and the earlier of equals`() {
    var selection = EpochSelection()
    let scores = [0.5, 0.7, 0.7, 0.6]
    let better = scores.indices.map { selection.record(epoch: $0, score: scores[$0]) }
    #expect(better == [true, true, false, false])
    #expect(selection.best == 1)
    #expect(!selection.isExhausted)
  }

  @Test func `patience runs out after so many epochs without a better one`() {
    var selection = EpochSelection(patience: 2)
    _ = selection.record(epoch: 0, score: 0.6)
    _ = selection.record(epoch: 1, score: 0.5)
    #expect(!selection.isExhausted)
    _ = selection.record(epoch: 2, score: 0.6)
    #expect(selection.isExhausted)
    _ = selection.record(epoch: 3, score: 0.61)
    #expect(!selection.isExhausted)
  }

  @Test func `without validation the last epoch is kept`() {
    var selection = EpochSelection(patience: 1)
    let kept = (0..<2).map { selection.record(epoch: $0, score: nil) }
    #expect(kept == [true, true])
    #expect(selection.best == 1)
    #expect(!selection.isExhausted)
  }

  @Test func `with a tolerance the smallest gap among the accurate wins`() {
    var selection = EpochSelection(tolerance: 0.05)
    let epochs: [(score: Double, gap: Double?, kept: Bool)] = [
      (0.70, 0.05, true),  // the first
      (0.72, 0.20, false),  // not fairer, and the first is accurate enough
      (0.76, 0.50, true),  // the kept one is 6 points less accurate than this
      (0.74, 0.10, true),  // accurate enough and fairer
      (0.70, 0.01, false),  // fairer, but 6 points less accurate than the best
      (0.75, nil, false),  // an undefined gap is the widest
      (0.75, 0.10, true),  // as fair and more accurate
    ]
    for (index, epoch) in epochs.enumerated() {
      #expect(
        selection.record(epoch: index, score: epoch.score, gap: epoch.gap) == epoch.kept,
        "epoch \(index)")
    }
    #expect(selection.best == 6)
    #expect(selection.bestGap == 0.10)
    #expect(selection.highestScore == 0.76)
  }
}
