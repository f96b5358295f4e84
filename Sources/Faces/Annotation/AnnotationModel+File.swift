public import Files
internal import Foundation

extension AnnotationModel {
  /// How the model is written.
  private struct Stored: Codable {
    struct Stratum: Codable {
      var male: Bool
      var attractive: Bool
      var rate: Double
      var weights: [[Double]]
    }

    var rows: Int
    var identities: Int
    var order: [String]
    var strata: [Stratum]
  }

  /// Reads a model that ``json`` wrote.
  ///
  /// - Throws: `FileError` when the file is missing or is not such a model.
  public static func read(_ path: String) throws(FileError) -> AnnotationModel {
    try AnnotationModel(json: Files.read(path), path: path)
  }

  /// The model in `json`, which came from `path`.
  ///
  /// - Throws: `FileError` when it is not a whole model.
  public init(json: [UInt8], path: String) throws(FileError) {
    let stored: Stored
    do {
      stored = try JSONDecoder().decode(Stored.self, from: Data(json))
    } catch {
      throw FileError(path, "is not a model of an annotation")
    }
    var order: [FaceAttribute] = []
    for name in stored.order {
      guard let attribute = FaceAttribute(name: name), ![.male, .attractive].contains(attribute),
        !order.contains(attribute)
      else { throw FileError(path, "\"\(name)\" is not a new attribute of CelebA") }
      order.append(attribute)
    }
    guard order.count == FaceAttribute.allCases.count - 2 else {
      throw FileError(
        path, "expected 38 attributes besides Male and Attractive, found \(order.count)")
    }
    let kinds = stored.strata.map { [$0.male, $0.attractive] }
    guard kinds == [[false, false], [false, true], [true, false], [true, true]] else {
      throw FileError(path, "expected the four combinations of male and attractive in order")
    }
    for (index, stratum) in stored.strata.enumerated() {
      guard stratum.weights.map(\.count) == Array(1...order.count) else {
        throw FileError(path, "stratum \(index) does not have 1, 2, ... 38 weights")
      }
    }
    let total = stored.strata.reduce(0) { $0 + $1.rate }
    guard stored.strata.allSatisfy({ $0.rate >= 0 }), abs(total - 1) < 1e-4 else {
      throw FileError(path, "expected rates that add up to 1, found \(total)")
    }
    guard stored.rows > 0, 1...stored.rows ~= stored.identities else {
      throw FileError(path, "has \(stored.identities) people on \(stored.rows) rows")
    }
    self.init(
      rowCount: stored.rows, identityCount: stored.identities, order: order,
      strata: stored.strata.map {
        Stratum(
          isMale: $0.male, isAttractive: $0.attractive, rate: $0.rate, weights: $0.weights)
      })
  }

  /// The model as JSON, one attribute a line.
  public var json: String {
    let names = order.map { "\"\($0.name)\"" }.joined(separator: ", ")
    let parts = strata.map { stratum in
      let lines = stratum.weights.map { "        [\($0.map(Self.short).joined(separator: ","))]" }
      return """
            {"male": \(stratum.isMale), "attractive": \(stratum.isAttractive), \
        "rate": \(stratum.rate),
              "weights": [
        \(lines.joined(separator: ",\n"))
              ]}
        """
    }
    return """
      {
        "rows": \(rowCount),
        "identities": \(identityCount),
        "order": [\(names)],
        "strata": [
      \(parts.joined(separator: ",\n"))
        ]
      }

      """
  }

  /// The number without the `.0` or `-0.0` of a whole one.
  private static func short(_ weight: Double) -> String {
    weight == weight.rounded() && abs(weight) < 1e6 ? "\(Int(weight))" : "\(weight)"
  }
}
