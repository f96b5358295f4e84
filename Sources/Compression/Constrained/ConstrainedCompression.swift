import Faces
import Fairness
import Files
public import Graphs
import Foundation
import Tensors
import Training

/// Compression under limits: the smallest harm that a budget of bytes allows, or the plain word that
/// the limits cannot be kept.
///
/// Every tensor's storage and one operating point for all are chosen on a quarter of the
/// validation split, from a ``DeltaTable``; all other rows, which no choice sees, decide whether the
/// limits are kept.
public struct ConstrainedCompression {
  /// What has to be kept.
  public var limits: CompressionLimits
  /// The steps that may store a tensor.
  public var choices: [any CompressionStep]
  /// How weights are stored beyond that.
  public var weights = WeightSettings()
  /// Which images of train restore moments and give activations their ranges, where that is asked for.
  public var calibration = CalibrationSettings(count: 1024)
  /// How activations are quantized too, so that the file runs in whole numbers; `nil` leaves them real.
  ///
  /// Choices are measured with real activations; from the first real pass on, activations are rounded.
  public var int8: Int8Settings?
  /// How what was chosen is fitted to the float model's answers; `nil` leaves it as it is.
  ///
  /// Limits on drift are also its constraints, at half of what they allow.
  public var tuning: TuningSettings?
  /// The largest number of selection rows.
  public var selectionCount = 5000
  /// Decides which validation rows are selection rows.
  public var seed: UInt64 = 0
  /// Where the table of measured choices is kept, so that other limits are searched in no time.
  public var cache: String?
  /// Whether to find out what every limit costs in bytes.
  public var explains = false

  /// The choices that are tried where none are given.
  public static var standardChoices: [String] {
    ["kmeans:2", "kmeans:4", "kmeans:8", "kmeans:16", "kmeans:64"]
  }

  /// What goes on.
  public enum Event {
    /// Something that takes a while begins, or is worth knowing.
    case note(String)
    /// Passes over the selection rows.
    case passes(done: Int, of: Int)
    /// Steps of tuning.
    case tuning(epoch: Int, step: Int, of: Int)
  }

  /// What became of it.
  public struct Outcome: Codable, Sendable {
    /// Whether every limit is kept on the verification rows.
    public var isFeasible: Bool
    /// The limit that binds, where it is not feasible.
    public var binding: String?
    /// The bytes of the file: that written, or the closest point found.
    public var bytes: Int
    /// How many times smaller than the float model's file.
    public var ratio: Double
    /// The storage of every tensor and the operating point.
    public var allocation: Certificate.Allocation
    /// Every limit on the selection rows, by a real pass.
    public var selection: [LimitCheck]
    /// Every limit on the verification rows; empty where selection failed already.
    public var verification: [LimitCheck]
    /// How well adding layers up predicted the real margins.
    public var additivity: Certificate.Additivity
    /// The seconds that the search took, from the table.
    public var searchSeconds: Double
    /// Whether the table was there already.
    public var tableWasCached: Bool
    /// What each limit costs: the smallest predicted bytes with all limits, and without each.
    public var costs: [Cost]?
    /// The certificate, where it is feasible.
    public var certificate: Certificate?
  }

  /// The smallest file that keeps some limits, as predicted on the selection rows.
  public struct Cost: Hashable, Codable, Sendable {
    /// The limit that is left out; `nil` where all are kept.
    public var without: String?
    /// The bytes; `nil` where no combination keeps them.
    public var bytes: Int?
  }

  /// A compression under `limits` with the standard choices.
  public init(limits: CompressionLimits) throws {
    self.limits = limits
    choices = try Self.standardChoices.flatMap { try Scheme($0).steps }
  }

  /// Compresses `graph`.
  ///
  /// - Parameters:
  ///   - graph: The float model.
  ///   - base: The file it came from.
  ///   - images: The data; validation rows for choice and verdict, train rows for moments.
  ///   - report: Told what goes on.
  /// - Returns: What became of it, the graph where it is feasible, and the closest point found in any
  ///   case, which carries no certificate where it is not.
  /// - Throws: ``CompressionError`` when graph and data do not go together, and what reading
  ///   images and running graphs throws.
  public func run(
    _ graph: Graph, base: CompressionReport.ModelFile, on images: CompressionImages,
    report: (Event) -> Void = { _ in }
  ) throws -> (outcome: Outcome, graph: Graph?, closest: Graph) {
    let start = try prepare(graph, base: base, on: images, report)
    let (work, parts, passes, stored) = (start.work, start.parts, start.passes, start.stored)
    let dataset = images.dataset
    var overhead = start.overhead
    while true {
      var (outcome, candidate) = try closest(
        to: stored.table, work, parts, passes, overhead: overhead, times: start.more, report)
      outcome.ratio = Double(base.bytes) / Double(max(1, outcome.bytes))
      outcome.tableWasCached = start.tableWasCached
      report(.note("verifying on \(parts.verification.count) rows that no choice has seen"))
      let before = passes.outcomes(stored.verification, shift: 0, rows: parts.verification)
      let after = try passes.outcomes(candidate.runnable(), rows: parts.verification)
      let verified = try passes.checks(before, outcomes: after)
      outcome.verification = verified.checks
      outcome.binding = Self.binding(verified.checks)
      outcome.isFeasible = outcome.binding == nil
      let plain = try candidate.result(scheme: "constrained", base: base, images: nil).graph
      guard outcome.isFeasible else {
        if explains { outcome.costs = costs(stored.table, overhead: overhead, times: start.more) }
        return (outcome, nil, plain)
      }
      let certificate = Certificate(
        model: SHA256.hex(try ONNXFile.bytes(of: plain)), base: base, limits: limits,
        allocation: outcome.allocation, selection: parts.record(parts.selection, in: dataset),
        verification: parts.record(parts.verification, in: dataset),
        additivity: outcome.additivity, checks: verified.checks,
        comparison: verified.comparison, decisionsBefore: before.scores.map { $0 >= 0.5 })
      var result = plain
      result.metadata[Certificate.key] = try certificate.text()
      let bytes = try ONNXFile.bytes(of: result).count
      if bytes > limits.bytes {
        // The certificate itself counts; search again with what it leaves.
        overhead += bytes - limits.bytes
        continue
      }
      outcome.bytes = bytes
      outcome.ratio = Double(base.bytes) / Double(bytes)
      outcome.certificate = certificate
      if explains { outcome.costs = costs(stored.table, overhead: overhead, times: start.more) }
      return (outcome, result, result)
    }
  }

  /// The combination that by real passes over the rows of choice uses up the least of the limits.
  ///
  /// Rounds end when `more` times as many rows would show the limits kept; what the sum got
  /// wrong in one round corrects it in the next.
  private func closest(
    to table: DeltaTable, _ work: CompressionWork, _ parts: ValidationParts, _ passes: RealPasses,
    overhead: Int, times more: Double, _ report: (Event) -> Void
  ) throws -> (Outcome, CompressionWork) {
    let float = passes.outcomes(table.margins, shift: 0, rows: parts.selection)
    let judge = AllocationSearch(table, limits: limits, budget: 0)
    // No way of storing weights closes a gap: tuning does.
    let chosenBy = limits.withoutGaps
    let clock = ContinuousClock()
    var seconds = 0.0
    var correction: [Float]?
    var best: (use: Double, outcome: Outcome, work: CompressionWork)?
    for round in 1...(tuning == nil ? 4 : 2) {
      var found: AllocationSearch.Allocation?
      seconds +=
        clock.measure {
          found = AllocationSearch(
            table, limits: chosenBy, budget: limits.bytes - overhead, correction: correction
          ).best()
        } / .seconds(1)
      guard let found else { throw tooSmall(table, overhead: overhead) }
      report(.note("round \(round): \(found.bytes + overhead) bytes, checking by a real pass"))
      var candidate = try stored(
        found.choices, of: table, work, passes.images, selection: parts.selection, report)
      let real = try passes.margins(candidate.runnable(), rows: parts.selection)
      let shift = judge.bestShift(real)
      try candidate.graph.shiftDecision(by: shift)
      let predicted = table.margins(of: found.choices)
      let use = judge.use(real, shift: shift, times: more)
      if best.map({ use < $0.use }) ?? true {
        let outcome = Outcome(
          isFeasible: false, bytes: found.bytes + overhead, ratio: 1,
          allocation: table.allocation(
            found.choices, shift: shift, activationBits: int8.map { _ in 8 }),
          selection: try passes.checks(
            float, outcomes: passes.outcomes(real, shift: shift, rows: parts.selection)
          ).checks,
          verification: [], additivity: additivity(predicted, real, table, shift),
          searchSeconds: 0, tableWasCached: false)
        best = (use, outcome, candidate)
      }
      // Limits that the choice does not look at leave it as it is.
      if use <= 1 || chosenBy.isBudgetOnly { break }
      // What the sum gets wrong here is near what it gets wrong nearby.
      correction = zip(real, predicted).map { $0 - $1 }
    }
    guard var best else { preconditionFailure("the first round is always kept") }
    best.outcome.searchSeconds = seconds
    return (best.outcome, best.work)
  }

  /// The model with every unit stored as chosen, moments restored and tuned where that is asked for.
  private func stored(
    _ choices: [Int], of table: DeltaTable, _ work: CompressionWork, _ images: CompressionImages,
    selection: [Int], _ report: (Event) -> Void
  ) throws -> CompressionWork {
    var candidate = work
    try apply(choices, of: table, to: &candidate)
    var probe: CalibrationProbe?
    if weights.restores != .none || candidate.quantizesActivations {
      let rows = try candidate.int8.calibration.rows(of: images.dataset)
      let looking = CalibrationProbe(
        images.dataset, rows: rows, preprocessing: images.preprocessing)
      if weights.restores != .none { try candidate.restoreMoments(with: looking) }
      if candidate.quantizesActivations {
        try candidate.calibrateActivations(with: looking, .init(rows, in: images.dataset))
      }
      probe = looking
    }
    if let tuning {
      report(.note("tuning"))
      var images = images
      images.watched = selection
      candidate.tuned = try candidate.tune(tuning.under(limits), on: images, probe: probe) {
        report(.tuning(epoch: $0, step: $1, of: $2))
      }
    }
    return candidate
  }

  /// Stores every unit as chosen.
  private func apply(
    _ found: [Int], of table: DeltaTable, to work: inout CompressionWork
  ) throws {
    var wanted: [String: Set<String>] = [:]
    for (unit, choice) in zip(table.units, found) {
      wanted[unit.choices[choice].step, default: []].formUnion(unit.tensors)
    }
    for (step, names) in wanted.sorted(by: { $0.key < $1.key }) {
      work.selected = names
      for part in try Scheme(step).steps { try part.apply(to: &work) }
    }
    work.selected = nil
  }

  private func additivity(
    _ predicted: [Float], _ real: [Float], _ table: DeltaTable, _ shift: Float
  ) -> Certificate.Additivity {
    var (residual, change, agree) = (0.0, 0.0, 0)
    for i in real.indices {
      residual += Double(real[i] - predicted[i]) * Double(real[i] - predicted[i])
      change += Double(real[i] - table.margins[i]) * Double(real[i] - table.margins[i])
      if (real[i] + shift >= 0) == (predicted[i] + shift >= 0) { agree += 1 }
    }
    let count = Double(max(1, real.count))
    return .init(
      residual: (residual / count).squareRoot(), change: (change / count).squareRoot(),
      decisionsPredicted: Double(agree) / count)
  }

  /// The limit that is exceeded the most; `nil` where all are kept.
  static func binding(_ checks: [LimitCheck]) -> String? {
    checks.filter { !$0.isKept }.max {
      ($0.bound ?? .infinity) / max($0.limit, 1e-9) < ($1.bound ?? .infinity) / max($1.limit, 1e-9)
    }?.name
  }
}
