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
}
