import Graphs
import Testing

@testable import Training

@Suite struct OutputMeaningTests {
  @Test func `scores are probabilities of the class that was asked for`() {
    let half = OutputMeaning.logits.scores([0, 3], columns: 1, positive: 0)
    #expect(half[0] == 0.5 && abs(half[1] - 0.9525741268224334) < 1e-15)
    let two = OutputMeaning.logits.scores([0, 3], columns: 2, positive: 1)
    #expect(two == [half[1]])
    #expect(
      abs(OutputMeaning.logits.scores([0, 3], columns: 2, positive: 0)[0] + two[0] - 1) < 1e-15)
    let three = (0..<3).map {
      OutputMeaning.logits.scores([1, 2, 3], columns: 3, positive: $0)[0]
    }
    #expect(abs(three.reduce(0, +) - 1) < 1e-15 && three == three.sorted())
    #expect(OutputMeaning.probabilities.scores([0.25, 0.75], columns: 2, positive: 0) == [0.25])
    #expect(
      OutputMeaning.probabilities.scores([0.25, 0.75], columns: 1, positive: 0) == [0.25, 0.75])
  }

  @Test func `a softmax at the end is seen`() {
    var graph = ResNet.resnet18(classes: 2)
    #expect(OutputMeaning(of: graph) == .logits)
    graph.nodes.append(Node("end", .softmax, inputs: ["logits"], outputs: ["p"]))
    graph.nodes.append(Node("copy", .identity, inputs: ["p"], outputs: ["out"]))
    graph.outputs = [Value("out", shape: [nil, 2])]
    #expect(OutputMeaning(of: graph) == .probabilities)
  }
}
