import Foundation
import Training

/// The JSON of `equant verify`; names are stable.
struct VerifyReport: Encodable {
  /// An image that the two runtimes decide differently.
  struct Difference: Encodable {
    var id: String
    var ours: [Float]
    var theirs: [Float]
  }

  var model: String
  var runtime: String
  var rows: Int
  var columns: Int
  var quantized: Bool
  /// The largest difference of two outputs.
  var largestDifference: Double
  /// The largest output of both, in size.
  var largestOutput: Double
  /// How many rows are decided alike.
  var sameDecisions: Int
  var differentDecisions: [Difference]
  var limit: Double
  var passes: Bool

  /// Compares outputs row by row; a single output is decided at one half, more by the largest.
  init(
    model: String, runtime: String, ours: Outputs, theirs: [Float], meaning: OutputMeaning,
    names: [String], isQuantized: Bool, limit: Double
  ) {
    self.model = model
    self.runtime = runtime
    rows = ours.rows.count
    columns = ours.columns
    quantized = isQuantized
    self.limit = limit
    let pairs = zip(ours.values, theirs)
    let differences = pairs.map { abs(Double($0) - Double($1)) }
    // A difference that is not a number is as large as can be.
    largestDifference = differences.reduce(0) { $1.isNaN ? .infinity : max($0, $1) }
    largestOutput = pairs.reduce(0) { max($0, abs(Double($1.0)), abs(Double($1.1))) }
    let columns = ours.columns
    func decision(_ outputs: ArraySlice<Float>) -> Int? {
      guard columns == 1 else { return outputs.indices.max { outputs[$0] < outputs[$1] } }
      return outputs[outputs.startIndex] >= (meaning == .logits ? 0 : 0.5) ? 1 : 0
    }
    differentDecisions = (0..<rows).compactMap { row in
      let range = row * columns..<(row + 1) * columns
      let (one, other) = (ours.values[range], theirs[range])
      guard decision(one) != decision(other) else { return nil }
      return Difference(id: names[row], ours: Array(one), theirs: Array(other))
    }
    sameDecisions = rows - differentDecisions.count
    passes =
      isQuantized
      ? Double(sameDecisions) >= limit * Double(rows)
      : largestDifference <= limit * largestOutput
  }

  /// The report for people.
  var text: String {
    let share = String(format: "%.3f", 100 * Double(sameDecisions) / Double(rows))
    let relative = largestOutput > 0 ? largestDifference / largestOutput : 0
    var lines = [
      "\(model) in Equant and in \(runtime), \(rows) images, \(quantized ? "quantized" : "float")",
      String(
        format: "largest difference  %.3g (%.2g of the largest output, %.4g)", largestDifference,
        relative, largestOutput),
      "same decisions      \(sameDecisions) of \(rows) (\(share) %)",
    ]
    lines += differentDecisions.prefix(10).map { difference in
      "  \(difference.id)  here \(difference.ours.prefix(4)), there \(difference.theirs.prefix(4))"
    }
    if differentDecisions.count > 10 {
      lines.append("  and \(differentDecisions.count - 10) more; --format json lists all")
    }
    let bound =
      quantized
      ? "at least \(100 * limit) % of decisions" : "at most \(limit) of the largest output"
    lines.append(passes ? "agrees (\(bound))" : "DISAGREES (asked for \(bound))")
    return lines.joined(separator: "\n")
  }
}
