public import Fairness
public import Files
import Foundation

extension Repair {
  /// Reads a repair that `equant repair fit` wrote; the file may come from anyone.
  ///
  /// - Throws: `FileError` naming what is missing or unsound.
  public init(contentsOf path: String) throws(FileError) {
    let bytes = try Files.read(path)
    guard bytes.count <= 64 << 20 else {
      throw FileError(path, "has \(bytes.count) bytes: expected a repair of at most 64 MB")
    }
    do {
      self = try JSONDecoder().decode(Repair.self, from: Data(bytes))
    } catch {
      throw FileError(path, "is not a repair: \(Self.reason(error))")
    }
  }

  /// The repair as JSON for people and servers; equal repairs give equal bytes.
  public func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self)) + [10]
  }

  private static func reason(_ error: any Error) -> String {
    func path(_ context: DecodingError.Context) -> String {
      context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
    }
    switch error {
    case let error as RepairError: return error.description
    case DecodingError.keyNotFound(let key, let context):
      return "\(path(context)).\(key.stringValue) is missing"
    case DecodingError.typeMismatch(let type, let context),
      DecodingError.valueNotFound(let type, let context):
      return "\(path(context)) is not a \(type)"
    default: return "the JSON is damaged"
    }
  }
}

extension Predictions {
  /// What a repair makes of the rows: the probability of a positive decision, and a decision.
  ///
  /// Lots come from `seed`, and every row has its own: see `Repair.draw(seed:id:)`.
  ///
  /// - Throws: `RepairError` when a row's group has no rule.
  public func repaired(
    by repair: Repair, seed: UInt64
  ) throws(RepairError) -> (probabilities: [Double], decisions: [Bool]) {
    let probabilities = try repair.probabilities(scores: scores, groups: outcomes.groups)
    return (probabilities, Repair.decisions(probabilities, ids: ids, seed: seed))
  }
}
