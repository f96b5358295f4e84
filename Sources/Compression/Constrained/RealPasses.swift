import Faces
import Fairness
import Graphs
import Tensors
import Training

/// Real passes over some of the rows.
struct RealPasses {
  let images: CompressionImages
  let limits: CompressionLimits

  func margins(_ graph: Graph, rows: [Int]) throws -> [Float] {
    let evaluator = Evaluator(images.preprocessing)
    return DeltaMeasurement.margins(
      try evaluator.run(graph, on: images.dataset, rows: rows).output.logits)
  }

  func outcomes(_ graph: Graph, rows: [Int]) throws -> Outcomes {
    outcomes(try margins(graph, rows: rows), shift: 0, rows: rows)
  }

  func outcomes(_ margins: [Float], shift: Float, rows: [Int]) -> Outcomes {
    let dataset = images.dataset
    return Outcomes(
      decisions: margins.map { $0 + shift >= 0 }, labels: rows.map { dataset.labels[$0] == 1 },
      groups: Fairness.Attribute(
        dataset.protected.joined(separator: " & "), groups: dataset.groupNames,
        codes: rows.map { dataset.groups[$0] }),
      clusters: dataset.identities.map { all in rows.map { all[$0] } })
  }

  func checks(
    _ before: Outcomes, outcomes after: Outcomes
  ) throws -> (checks: [LimitCheck], comparison: Comparison) {
    var options = ComparisonOptions()
    options.confidence = limits.confidence
    options.margin = limits.maxDrift.values.min() ?? 0.01
    let comparison = try Comparison(before: before, after: after, options: options)
    return (try LimitCheck.all(limits, comparison, after: after), comparison)
  }
}

extension Graph {
  /// Adds `shift` to the margin of class 1, by the bias of the last product.
  mutating func shiftDecision(by shift: Float) throws(CompressionError) {
    guard let layer = nodes.lastIndex(where: { $0.operation == .gemm }),
      outputs.map(\.name) == nodes[layer].outputs
    else {
      throw CompressionError(
        "the model", "does not end in a fully connected layer, whose bias is the operating point")
    }
    BiasCorrection.ensureBias(of: layer, in: &self)
    let name = nodes[layer].inputs[2]
    guard var bias = initializers[name]?.floats, bias.count == 2 else {
      throw CompressionError("tensor '\(name)'", "is not a bias of two classes")
    }
    bias[1] += shift
    initializers[name] = Tensor(shape: [2], bias)
  }
}
