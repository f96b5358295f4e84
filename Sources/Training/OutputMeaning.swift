public import Graphs
import Foundation

/// What the numbers are that a classifier gives for an image.
///
/// A single number stands for the positive class; two or more stand for one class each.
public enum OutputMeaning: String, Hashable, Codable, Sendable, CaseIterable {
  /// Log-odds of the one class, or numbers whose softmax is the classes' probabilities.
  case logits
  /// Probabilities, as a sigmoid or softmax at the end of the model gives them.
  case probabilities

  /// What the operation that makes the graph's first output says.
  public init(of graph: Graph) {
    var name = graph.outputs.first?.name
    // What only changes shapes or quantizes is looked through.
    let passing =
      ["Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "DequantizeLinear"]
      + ["QuantizeLinear", "Cast"]
    while let node = graph.nodes.first(where: { name.map($0.outputs.contains) ?? false }) {
      let operation = node.operation.rawValue
      if operation == "Softmax" || operation == "Sigmoid" {
        self = .probabilities
        return
      }
      guard passing.contains(operation) else { break }
      name = node.inputs.first
    }
    self = .logits
  }

  /// The probability of one class in every row of outputs.
  ///
  /// Logits are turned into probabilities in double precision.
  ///
  /// - Parameters:
  ///   - values: The outputs, shape `[rows, columns]`, row-major.
  ///   - columns: How many there are to a row, at least one.
  ///   - positive: Which column is meant; a single column is the positive class itself, so 0 there
  ///     means the other one only when there are two.
  /// - Returns: One probability for each row.
  public func scores(_ values: [Float], columns: Int, positive: Int) -> [Double] {
    let rows = values.count / columns
    return (0..<rows).map { row in
      let outputs = values[row * columns..<(row + 1) * columns]
      switch (self, columns) {
      case (.logits, 1): return Softmax.positive(0, outputs[outputs.startIndex])
      case (.logits, 2):
        let other = outputs[outputs.startIndex + 1 - positive]
        return Softmax.positive(other, outputs[outputs.startIndex + positive])
      case (.logits, _): return exp(Softmax.logarithms(of: outputs)[positive])
      case (.probabilities, 1): return Double(outputs[outputs.startIndex])
      case (.probabilities, _): return Double(outputs[outputs.startIndex + positive])
      }
    }
  }
}
