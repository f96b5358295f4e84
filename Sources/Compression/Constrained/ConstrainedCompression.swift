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
/// Every tensor's storage and one operating point for all are chosen on one half of the validation
/// split, from a ``DeltaTable``; the other half, which no choice sees, decides whether the limits
/// are kept.
public struct ConstrainedCompression {
  /// What has to be kept.
  public var limits: CompressionLimits
  /// The steps that may store a tensor.
  public var choices: [any CompressionStep]
  /// How weights are stored beyond that.
  public var weights = WeightSettings()
  /// Which images of train restore moments, if any do.
  public var calibration = CalibrationSettings(count: 1024)
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
  /// - Returns: What became of it, and the graph where it is feasible.
  /// - Throws: ``CompressionError`` when graph and data do not go together, and what reading
  ///   images and running graphs throws.
  public func run(
    _ graph: Graph, base: CompressionReport.ModelFile, on images: CompressionImages,
    report: (Event) -> Void = { _ in }
  ) throws -> (outcome: Outcome, graph: Graph?) {
    let dataset = images.dataset
    guard dataset.classNames.count == 2 else {
      throw CompressionError(dataset.folder, "has \(dataset.classNames.count) classes, expected 2")
    }
    if ModelDescription.isCarried(by: graph) {
      let description = try ModelDescription(of: graph)
      guard description.outputs ?? .logits == .logits, description.positiveClass ?? 1 == 1 else {
        throw CompressionError(
          "the model",
          "does not give logits of two classes with the positive one second, whose "
            + "margin limits are about")
      }
    }
    var work = try CompressionWork(graph, weights: weights)
    work.int8.calibration = calibration
    let halves = try ValidationHalves(of: dataset, limit: selectionCount, seed: seed)
    let units = DeltaMeasurement.units(of: work)
    let (table, wasCached) = try withoutActuallyEscaping(report) { report in
      let measurement = DeltaMeasurement(
        work: work, images: images, steps: choices, units: units,
        progress: { report(.passes(done: $0, of: $1)) })
      return try self.table(measurement, base: base, halves: halves, report)
    }
    let searcher = RealPasses(images: images, halves: halves, limits: limits)
    let float = try searcher.outcomes(work.float, rows: halves.selection)

    // What the file has besides the choices: biases, structure, metadata.
    var overhead = try fixedBytes(work)
    let clock = ContinuousClock()
    var seconds = 0.0
    var correction: [Float]?
    var last: Outcome?
    for round in 1...(tuning == nil ? 4 : 2) {
      var found: AllocationSearch.Allocation?
      seconds +=
        clock.measure {
          found = AllocationSearch(
            table, limits: limits, budget: limits.bytes - overhead, correction: correction
          ).best()
        } / .seconds(1)
      guard let found else {
        let least = table.units.reduce(0) { $0 + ($1.choices.map(\.bytes).min() ?? 0) }
        throw CompressionError(
          "budget", "is \(limits.bytes) bytes, but the smallest choices need \(least + overhead)")
      }
      report(.note("round \(round): \(found.bytes + overhead) bytes, checking by a real pass"))
      var candidate = work
      try apply(found.choices, of: table, to: &candidate)
      if weights.restores != .none {
        let rows = try calibration.rows(of: dataset)
        try candidate.restoreMoments(
          with: CalibrationProbe(dataset, rows: rows, preprocessing: images.preprocessing))
      }
      if let tuning {
        report(.note("tuning"))
        candidate.tuned = try candidate.tune(tuning.under(limits), on: images) {
          report(.tuning(epoch: $0, step: $1, of: $2))
        }
      }
      let real = try searcher.margins(candidate.graph, rows: halves.selection)
      let shift = bestShift(table, real)
      try candidate.shiftDecision(by: shift)
      let predicted = table.margins(of: found.choices)
      let additivity = additivity(predicted, real, table, shift)
      let selected = try searcher.checks(
        float, outcomes: searcher.outcomes(real, shift: shift, rows: halves.selection))
      let tensors = Dictionary(
        uniqueKeysWithValues: zip(table.units, found.choices).flatMap { unit, choice in
          unit.tensors.map { ($0, unit.choices[choice].step) }
        })
      var outcome = Outcome(
        isFeasible: false, bytes: found.bytes + overhead,
        ratio: Double(base.bytes) / Double(max(1, found.bytes + overhead)),
        allocation: .init(tensors: tensors, shift: Double(shift)), selection: selected.checks,
        verification: [], additivity: additivity, searchSeconds: seconds,
        tableWasCached: wasCached)
      outcome.binding = Self.binding(selected.checks)
      if outcome.binding != nil {
        if last.map({ Self.use(outcome.selection) < Self.use($0.selection) }) ?? true {
          last = outcome
        }
        // What the sum got wrong here is near what it gets wrong nearby.
        correction = zip(real, predicted).map { $0 - $1 }
        continue
      }
      report(.note("verifying on \(halves.verification.count) rows that no choice has seen"))
      let before = try searcher.outcomes(work.float, rows: halves.verification)
      let after = try searcher.outcomes(candidate.graph, rows: halves.verification)
      let verified = try searcher.checks(before, outcomes: after)
      outcome.verification = verified.checks
      outcome.binding = Self.binding(verified.checks)
      outcome.isFeasible = outcome.binding == nil
      guard outcome.isFeasible else {
        last = outcome
        break
      }
      let plain = try candidate.result(
        scheme: "constrained", base: base, images: nil, metadata: [:]
      ).graph
      let certificate = Certificate(
        model: SHA256.hex(try ONNXFile.bytes(of: plain)), base: base, limits: limits,
        allocation: outcome.allocation, selection: halves.record(halves.selection, in: dataset),
        verification: halves.record(halves.verification, in: dataset), additivity: additivity,
        checks: verified.checks, comparison: verified.comparison,
        decisionsBefore: before.scores.map { $0 >= 0.5 })
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
      if explains { outcome.costs = costs(table, overhead: overhead) }
      return (outcome, result)
    }
    guard var last else {
      throw CompressionError("budget", "is too small for the certificate")
    }
    if explains { last.costs = costs(table, overhead: overhead) }
    return (last, nil)
  }

  /// The table, from the cache where it is of the same model, rows and choices.
  private func table(
    _ measurement: DeltaMeasurement, base: CompressionReport.ModelFile, halves: ValidationHalves,
    _ report: (Event) -> Void
  ) throws -> (DeltaTable, Bool) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let settings = String(decoding: try encoder.encode(weights), as: UTF8.self)
    let key =
      "\(base.sha256) \(halves.record(halves.selection, in: measurement.images.dataset).fingerprint) "
      + choices.map { "\($0)" }.joined(separator: ",")
      + " \(measurement.units.map { $0.joined(separator: " ") }) \(settings)"
    let name = SHA256.hex(Array(key.utf8))
    if let cache, let bytes = try? Files.read(cache),
      let stored = try? PropertyListDecoder().decode(Stored.self, from: Data(bytes)),
      stored.key == name, stored.table.isConsistent
    {
      report(.note("the table of \(cache) is used again"))
      return (stored.table, true)
    }
    report(.note("storing every tensor in \(choices.count) ways"))
    let coded = try measurement.coded()
    let table = try measurement.table(coded, rows: halves.selection)
    if let cache {
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      try Files.replace(cache, with: Array(try encoder.encode(Stored(key: name, table: table))))
    }
    return (table, false)
  }

  private struct Stored: Codable {
    var key: String
    var table: DeltaTable
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

  /// The bytes of the file that do not depend on the choices, the certificate included about.
  private func fixedBytes(
    _ work: CompressionWork
  ) throws -> Int {
    let weights = work.weightNames.reduce(0) {
      $0 + (work.graph.initializers[$1]?.bytes.count ?? 0)
    }
    // Shapes and masks, the record of how the file was made, and a certificate.
    return try ONNXFile.bytes(of: work.graph).count - weights + 14_000
  }

  /// The one shift of real margins that uses up the least of the limits on the selection rows.
  private func bestShift(_ table: DeltaTable, _ margins: [Float]) -> Float {
    let search = AllocationSearch(table, limits: limits, budget: 0)
    let start = AllocationSearch.shift(margins, positives: table.margins.count { $0 >= 0 })
    guard !limits.isBudgetOnly else { return start }
    return ([start, 0] + AllocationSearch.neighbours(of: start, margins)).min {
      search.use(margins, shift: $0) < search.use(margins, shift: $1)
    } ?? start
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
  private static func binding(_ checks: [LimitCheck]) -> String? {
    checks.filter { !$0.isKept }.max {
      ($0.bound ?? .infinity) / max($0.limit, 1e-9) < ($1.bound ?? .infinity) / max($1.limit, 1e-9)
    }?.name
  }

  private static func use(_ checks: [LimitCheck]) -> Double {
    checks.map { ($0.bound ?? .infinity) / max($0.limit, 1e-9) }.max() ?? 0
  }

  /// The smallest predicted bytes with all limits and without each of them.
  private func costs(_ table: DeltaTable, overhead: Int) -> [Cost] {
    func least(_ limits: CompressionLimits) -> Int? {
      let sizes = table.units.map { $0.choices.map(\.bytes) }
      var low = sizes.reduce(0) { $0 + ($1.min() ?? 0) }
      var high = sizes.reduce(0) { $0 + ($1.max() ?? 0) }
      func keeps(_ budget: Int) -> Bool {
        (AllocationSearch(table, limits: limits, budget: budget).best()?.use ?? .infinity) <= 1
      }
      guard keeps(high) else { return nil }
      if keeps(low) { return low + overhead }
      while high - low > max(1000, high / 200) {
        let middle = (low + high) / 2
        if keeps(middle) { high = middle } else { low = middle }
      }
      return high + overhead
    }
    return [Cost(without: nil, bytes: least(limits))]
      + limits.single.map { Cost(without: $0.name, bytes: least(limits.without($0.name))) }
  }
}

extension DeltaTable {
  /// Whether all parts have as many rows: a cache may be damaged.
  var isConsistent: Bool {
    let count = margins.count
    return cells.count == count && groups > 0
      && cells.allSatisfy { $0 >= 0 && Int($0) < 2 * groups }
      && units.allSatisfy { unit in
        !unit.choices.isEmpty && unit.choices.allSatisfy { $0.deltas.count == count }
      }
  }
}

/// Real passes over the two halves.
struct RealPasses {
  let images: CompressionImages
  let halves: ValidationHalves
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
    return (LimitCheck.all(limits, comparison), comparison)
  }
}

extension CompressionWork {
  /// Adds `shift` to the margin of class 1, by the bias of the last product.
  mutating func shiftDecision(by shift: Float) throws {
    guard let layer = graph.nodes.lastIndex(where: { $0.operation == .gemm }),
      graph.outputs.map(\.name) == graph.nodes[layer].outputs
    else {
      throw CompressionError(
        "the model", "does not end in a fully connected layer, whose bias is the operating point")
    }
    BiasCorrection.ensureBias(of: layer, in: &graph)
    let name = graph.nodes[layer].inputs[2]
    guard var bias = graph.initializers[name]?.floats, bias.count == 2 else {
      throw CompressionError("tensor '\(name)'", "is not a bias of two classes")
    }
    bias[1] += shift
    graph.initializers[name] = Tensor(shape: [2], bias)
  }
}
