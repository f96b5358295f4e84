import ArgumentParser
import Compression
import Fairness
import Files
import Foundation

/// What a compressed model has to keep: `equant compress --budget`.
struct ConstrainedOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The largest file, as 1.5MB, 800KB or bytes. Chooses how every tensor is stored, on a quarter of \
      validation, and checks the limits below on the rest.
      """, valueName: "size"))
  var budget: ByteCount?

  @Option(
    help: ArgumentHelp(
      "How far a gap may move, as equalOpportunity=0.01. May be given more than once.",
      valueName: "gap=limit"))
  var maxDrift: [DriftLimit] = []

  @Option(
    help: ArgumentHelp(
      "How large a gap may be in the end, as equalOpportunity=0.05; '--tune' closes it.",
      valueName: "gap=limit"))
  var maxGap: [DriftLimit] = []

  @Option(help: ArgumentHelp("How much accuracy may be lost.", valueName: "share"))
  var maxAccuracyDrop: Double?

  @Option(help: ArgumentHelp("How much accuracy any group may lose.", valueName: "share"))
  var maxGroupDrop: Double?

  @Option(help: ArgumentHelp("The confidence of every bound.", valueName: "share"))
  var confidence = 0.95

  @Option(
    help: ArgumentHelp(
      "A way to store a tensor, as kmeans:8 or uniform:4; several are chosen from.",
      valueName: "scheme"))
  var choice: [String] = []

  @Flag(
    help: """
      Round activations to 8 bits too, and clusters' values with them, so that the file runs in whole \
      numbers.
      """)
  var int8Activations = false

  @Option(help: ArgumentHelp("The largest number of rows to choose on.", valueName: "count"))
  var selectionCount = 5000

  @Option(
    help: ArgumentHelp(
      "Where the closest model found goes when the limits cannot be kept; it has no certificate.",
      valueName: "file"),
    completion: .file(extensions: ["onnx"]))
  var closest: String?

  @Flag(help: "Say what every limit costs in bytes.")
  var explain = false

  @Flag(
    help: """
      Only search: print what is predicted on the rows of choice; no file is written but the table \
      of measured choices, from which other limits are then tried in seconds. Exits with 2 when the \
      limits would not be kept.
      """)
  var dryRun = false

  func validate() throws {
    if budget == nil && (dryRun || explain || int8Activations || !choice.isEmpty) {
      throw ValidationError(
        "'--dry-run', '--explain', '--choice' and '--int8-activations' are about a search: give "
          + "'--budget', as in '--budget 1.5MB'.")
    }
    if closest != nil && dryRun {
      throw ValidationError("Give '--dry-run' or '--closest', not both: nothing is run.")
    }
    for limit in [maxAccuracyDrop, maxGroupDrop].compactMap(\.self) where !(0...1 ~= limit) {
      throw ValidationError("A drop is a share from 0 to 1, not \(limit).")
    }
    guard 0.5..<1 ~= confidence else {
      throw ValidationError("'--confidence' is a share from 0.5 to below 1.")
    }
    guard selectionCount > 0 else {
      throw ValidationError("'--selection-count' is a number of rows: give 1 or more.")
    }
  }

  /// The limits; `nil` where there are none.
  ///
  /// Without a budget the file may be as large as that of the float model.
  func limits(floatBytes: Int) -> CompressionLimits? {
    var limits = CompressionLimits(bytes: budget?.bytes ?? floatBytes)
    for drift in maxDrift { limits.maxDrift[drift.kind] = drift.limit }
    for gap in maxGap {
      limits.maxGap = (limits.maxGap ?? [:]).merging([gap.kind: gap.limit]) { $1 }
    }
    limits.maxAccuracyDrop = maxAccuracyDrop
    limits.maxGroupDrop = maxGroupDrop
    limits.confidence = confidence
    return budget == nil && limits.isBudgetOnly ? nil : limits
  }
}

/// A size as people write it: `1.5MB`, `800KB`, `12000`; 1 KB is 1000 bytes.
struct ByteCount: ExpressibleByArgument {
  var bytes: Int

  init?(argument: String) {
    let text = argument.uppercased()
    let units = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1.0), ("", 1.0)]
    guard let (suffix, factor) = units.first(where: { text.hasSuffix($0.0) }),
      let number = Double(text.dropLast(suffix.count).trimmingCharacters(in: .whitespaces)),
      number > 0, number * factor < 1e15
    else { return nil }
    bytes = Int(number * factor)
  }
}

/// A gap and how far it may move: `equalOpportunity=0.01`.
struct DriftLimit: ExpressibleByArgument {
  var kind: GapKind
  var limit: Double

  init?(argument: String) {
    let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2, let kind = GapKind(rawValue: String(parts[0])),
      CompressionLimits.kinds.contains(kind), let limit = Double(parts[1]), 0...2 ~= limit
    else { return nil }
    self.kind = kind
    self.limit = limit
  }

  static var allValueStrings: [String] { CompressionLimits.kinds.map { "\($0.rawValue)=0.01" } }
}
