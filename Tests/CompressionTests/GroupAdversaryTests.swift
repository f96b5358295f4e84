import Faces
import Foundation
import Graphs
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct GroupAdversaryTests {
  /// Logits whose margin is larger for group 1, by `gap`, and labels of both kinds in both groups.
  private func batch(_ rows: Int, gap: Double, groups: Int = 2, seed: UInt64) -> LabelledLogits {
    var random = SplitMix64(seed: seed)
    var (logits, labels, members): ([Float], [Int32], [Int32]) = ([], [], [])
    for row in 0..<rows {
      let (label, group) = (row % 2, row / 2 % groups)
      let margin = random.normal() + Double(label) + gap * Double(group)
      logits += [Float(-margin / 2), Float(margin / 2)]
      labels.append(Int32(label))
      members.append(Int32(group))
    }
    return LabelledLogits(logits: logits, classes: 2, labels: labels, groups: members)
  }

  @Test(arguments: [2, 3])
  func `gradients are what finite differences say`(groups: Int) {
    let start = batch(24, gap: 1, groups: groups, seed: 2)
    var adversary = GroupAdversary(groups: groups)
    // Somewhere away from the start, where all gradients on margins are zero.
    for _ in 0..<30 {
      var unused = [Float](repeating: 0, count: start.logits.count)
      _ = adversary.oppose(start, &unused, weight: 0)
    }
    let guess = adversary.guess(start)
    for row in [0, 5, 11, 23] {
      func loss(_ by: Float) -> Double {
        var moved = start
        moved.logits[2 * row + 1] += by
        return adversary.guess(moved).loss
      }
      let slope = (loss(0.01) - loss(-0.01)) / 0.02
      #expect(abs(slope - Double(guess.margins[row])) < 1e-4 + 0.01 * abs(slope))
    }
    for i in adversary.parameters.indices {
      func loss(_ by: Float) -> Double {
        var moved = adversary
        moved.parameters[i] += by
        return moved.guess(start).loss
      }
      let slope = (loss(0.01) - loss(-0.01)) / 0.02
      #expect(abs(slope - Double(guess.parameters[i])) < 1e-4 + 0.01 * abs(slope), "\(i)")
    }
  }

  @Test func `groups are guessed where decisions tell, and only there`() {
    func learned(gap: Double) -> Double {
      let rows = batch(400, gap: gap, seed: 3)
      var adversary = GroupAdversary(groups: 2)
      var loss = 0.0
      for _ in 0..<600 {
        var unused = [Float](repeating: 0, count: rows.logits.count)
        loss = adversary.oppose(rows, &unused, weight: 0)
      }
      return loss
    }
    let blind = GroupAdversary.blind([[100, 100], [100, 100]])
    #expect(abs(blind - log(2)) < 1e-12)
    #expect(learned(gap: 2) < 0.8 * blind)
    #expect(learned(gap: 0) > 0.97 * blind)
    // Whoever knows the label knows the group.
    #expect(GroupAdversary.blind([[100, 0], [0, 30]]) == 0)
    #expect(GroupAdversary.blind([[], []]) == 0 && GroupAdversary.blind([]) == 0)
  }

  /// Logits that follow the gradients come to look alike for both groups.
  @Test func `the student misleads`() {
    var rows = batch(400, gap: 2, seed: 4)
    func gap() -> Double {
      func mean(_ group: Int32) -> Double {
        let own = (0..<rows.count).filter { rows.groups[$0] == group }
        let sum = own.reduce(0.0) { $0 + Double(rows.logits[2 * $1 + 1] - rows.logits[2 * $1]) }
        return sum / Double(own.count)
      }
      return mean(1) - mean(0)
    }
    var adversary = GroupAdversary(groups: 2)
    let before = gap()
    for _ in 0..<400 {
      var gradients = [Float](repeating: 0, count: rows.logits.count)
      _ = adversary.oppose(rows, &gradients, weight: 1)
      for i in gradients.indices { rows.logits[i] -= 20 * gradients[i] }
    }
    #expect(abs(gap()) < 0.35 * before, "\(before) -> \(gap())")
  }

  @Test(arguments: ["prune:0.5", "kmeans:4"])
  func `files are tuned against it`(scheme: String) throws {
    let faces = try SmallFaces()
    let images = CompressionImages(faces.dataset, preprocessing: Preprocessing(size: 8))
    func made(_ weight: Double) throws -> (graph: Graph, report: CompressionReport) {
      var tuning = TuningSettings(epochs: 2)
      tuning.batch = 8
      tuning.isGradual = scheme == "prune:0.5"
      tuning.adversary = weight
      return try compress(
        SmallNetwork.graph(seed: 3), scheme: Scheme(scheme), images: images, tuning: tuning)
    }
    let (plain, other) = try (made(0), made(2))
    #expect(plain.graph.initializers != other.graph.initializers)
    #expect(plain.report.tuning?.adversary == nil)
    let guessed = try #require(other.report.tuning?.adversary)
    #expect(guessed.loss.isFinite && guessed.loss > 0 && guessed.blind > 0)
    #expect(throws: CompressionError.self) { try made(-1) }
  }
}
