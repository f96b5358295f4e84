import Faces
import Fairness
import Files
public import Graphs
import Training

/// A scheme held against limits, and repaired only where it does not keep them.
///
/// The scheme as asked for is run on the rows of choice. If as many rows as decide would show every
/// limit kept, nothing more is done. If not, remedies that know no groups at run time are tried in
/// turn, each with an operating point for everybody too: calibration on 512 images of everybody, batch
/// norms folded, calibration on as many images of every cell, biases restored, variances restored. The
/// first that keeps the limits, or else the one that uses up least of them, is run on the rows of
/// verdict, which decide.
public struct SchemeUnderLimits {
  /// What is done.
  public var scheme: Scheme
  /// What has to be kept.
  public var limits: CompressionLimits
  /// How weights are stored.
  public var weights = WeightSettings()
  /// How activations are quantized, and which images are looked at.
  public var int8 = Int8Settings()
  /// How what is stored is fitted to the float model's answers; then only the operating point is
  /// tried beyond that.
  public var tuning: TuningSettings?
  /// The largest number of selection rows.
  public var selectionCount = 5000
  /// Decides which validation rows are selection rows.
  public var seed: UInt64 = 0

  /// One way in which the scheme was run.
  public struct Attempt: Codable, Sendable {
    /// What was done beyond the scheme: `as asked`, `balanced calibration`.
    public var name: String
    /// What was added to the margin of class 1, for everybody.
    public var shift: Double
    /// Every limit on the selection rows, by a real pass.
    public var selection: [LimitCheck]
    /// How much of the limits the bounds of as many rows as decide would use up; `nil` where a gap is
    /// undefined on the rows of choice.
    public var use: Double?
  }

  /// What became of it.
  public struct Outcome: Codable, Sendable {
    /// Whether every limit is kept on the verification rows.
    public var isFeasible: Bool
    /// The limit that binds, where it is not feasible.
    public var binding: String?
    /// What was tried, in order.
    public var attempts: [Attempt]
    /// Which of the attempts was run on the verification rows.
    public var chosen: Int
    /// Every limit on the verification rows.
    public var verification: [LimitCheck]
    /// Sizes, calibration and where the bytes go.
    public var report: CompressionReport
    /// The certificate, where it is feasible.
    public var certificate: Certificate?
  }

  /// A scheme under limits.
  public init(_ scheme: Scheme, limits: CompressionLimits) {
    self.scheme = scheme
    self.limits = limits
  }

  private typealias Made = (graph: Graph, report: CompressionReport)

  private struct Remedy {
    var name: String
    var weights: WeightSettings
    var int8: Int8Settings
  }

  /// The ways to try: each adds something to the one before.
  private var remedies: [Remedy] {
    var ways = [Remedy(name: "as asked", weights: weights, int8: int8)]
    func add(_ name: String, _ change: (inout Remedy) -> Void) {
      var way = ways[ways.count - 1]
      way.name = ways.count == 1 ? name : "\(way.name), \(name)"
      change(&way)
      ways.append(way)
    }
    guard tuning == nil else { return ways }
    let isPlainInt8 = scheme.steps.count == 1 && scheme.steps[0] is Int8Step
    let calibration = int8.calibration
    if scheme.needsImages, calibration.count < 512 || calibration.group != nil {
      add("calibration on everybody") {
        $0.int8.calibration = CalibrationSettings(
          count: max(512, calibration.count), seed: calibration.seed,
          isBalanced: calibration.isBalanced)
      }
    }
    if int8.keepsBatchNorms {
      add("batch norms folded") {
        let calibration = $0.int8.calibration
        $0.int8 = Int8Settings()
        $0.int8.calibration = calibration
      }
    }
    if scheme.needsImages, !calibration.isBalanced {
      add("balanced calibration") { $0.int8.calibration.isBalanced = true }
    }
    if weights.restores == .none, !int8.correctsBias {
      add("biases restored") {
        $0.weights.restores = .mean
        $0.int8.correctsBias = true
      }
    }
    if !isPlainInt8, weights.restores != .variance {
      add("variances restored") { $0.weights.restores = .variance }
    }
    return ways
  }

  /// Compresses `graph`.
  ///
  /// - Parameters:
  ///   - graph: The float model.
  ///   - base: The file it came from.
  ///   - images: The data; validation rows for choice and verdict, train rows for calibration.
  ///   - report: Told what goes on.
  /// - Returns: What became of it, the graph where it is feasible, and the closest one found in any
  ///   case, which carries no certificate where it is not.
  /// - Throws: ``CompressionError`` when graph and data do not go together, and what reading
  ///   images and running graphs throws.
  public func run(
    _ graph: Graph, base: CompressionReport.ModelFile, on images: CompressionImages,
    report: (ConstrainedCompression.Event) -> Void = { _ in }
  ) throws -> (outcome: Outcome, graph: Graph?, closest: Graph) {
    try ConstrainedCompression.check(graph, images.dataset)
    let dataset = images.dataset
    let parts = try ValidationParts(of: dataset, limit: selectionCount, seed: seed)
    var images = images
    images.watched = parts.selection
    let passes = RealPasses(images: images, limits: limits)
    report(.note("running the float model on \(parts.selection.count) rows of choice"))
    let float = try passes.margins(graph, rows: parts.selection)
    let judge = AllocationSearch(
      DeltaTable(
        margins: float,
        cells: parts.selection.map { dataset.groups[$0] * 2 + dataset.labels[$0] },
        groups: dataset.groupNames.count, units: []), limits: limits, budget: 0)
    let more = Double(parts.verification.count) / Double(parts.selection.count)
    let before = passes.outcomes(float, shift: 0, rows: parts.selection)

    var attempts: [Attempt] = []
    var best: (attempt: Int, use: Double, remedy: Remedy, made: Made)?
    /// Takes note of an attempt; whether it would be kept.
    func note(
      _ remedy: Remedy, _ made: Made, _ name: String, _ margins: [Float], shift: Float
    ) throws -> Bool {
      // Bounds are the mean over operating points nearby; the one in use has to keep the limits too.
      let use = max(
        judge.use(margins, shift: shift, times: more), judge.usedHere(margins, shift: shift))
      attempts.append(
        Attempt(
          name: name, shift: Double(shift),
          selection: try passes.checks(
            before, outcomes: passes.outcomes(margins, shift: shift, rows: parts.selection)
          ).checks,
          use: use.isFinite ? use : nil))
      if best.map({ use < $0.use }) ?? true { best = (attempts.count - 1, use, remedy, made) }
      return use <= 1
    }
    for remedy in remedies {
      report(.note("\(scheme), \(remedy.name): a pass over the rows of choice"))
      let made = try compressed(graph, remedy, base, images, report)
      let margins = try passes.margins(made.graph, rows: parts.selection)
      if try note(remedy, made, remedy.name, margins, shift: 0) { break }
      let shift = judge.bestShift(margins)
      guard shift != 0, (try? Self.shifted(graph, by: shift)) != nil else { continue }
      if try note(
        remedy, made, "\(remedy.name), operating point moved", margins, shift: shift)
      {
        break
      }
    }
    guard let best else { preconditionFailure("there is always one way") }

    report(.note("verifying on \(parts.verification.count) rows that no choice has seen"))
    let shift = Float(attempts[best.attempt].shift)
    var (result, sizes) = best.made
    if shift != 0, (try? result.shiftDecision(by: shift)) == nil {
      // Its last bias is an integer: the float model is shifted before it is quantized.
      (result, sizes) = try compressed(
        Self.shifted(graph, by: shift), best.remedy, base, images, report)
    }
    let known = try passes.outcomes(graph, rows: parts.verification)
    let verified = try passes.checks(
      known, outcomes: passes.outcomes(result, rows: parts.verification))
    var outcome = Outcome(
      isFeasible: false, binding: ConstrainedCompression.binding(verified.checks),
      attempts: attempts, chosen: best.attempt, verification: verified.checks, report: sizes)
    guard outcome.binding == nil else { return (outcome, nil, result) }
    let tensors = sizes.tensors.map(\.tensor)
    let certificate = Certificate(
      model: SHA256.hex(try ONNXFile.bytes(of: result)), base: base, limits: limits,
      allocation: .init(
        tensors: Dictionary(uniqueKeysWithValues: tensors.map { ($0, "\(scheme)") }),
        shift: Double(shift)),
      selection: parts.record(parts.selection, in: dataset),
      verification: parts.record(parts.verification, in: dataset), additivity: nil,
      checks: verified.checks, comparison: verified.comparison,
      decisionsBefore: known.scores.map { $0 >= 0.5 })
    result.metadata[Certificate.key] = try certificate.text()
    sizes = try sizes.measured(again: result)
    outcome.report = sizes
    outcome.isFeasible = true
    outcome.certificate = certificate
    return (outcome, result, result)
  }

  private func compressed(
    _ graph: Graph, _ remedy: Remedy, _ base: CompressionReport.ModelFile,
    _ images: CompressionImages, _ report: (ConstrainedCompression.Event) -> Void
  ) throws -> Made {
    try compress(
      graph, scheme: scheme, base: base, images: images, weights: remedy.weights,
      int8: remedy.int8, tuning: tuning
    ) { report(.tuning(epoch: $0, step: $1, of: $2)) }
  }

  private static func shifted(_ graph: Graph, by shift: Float) throws -> Graph {
    guard shift != 0 else { return graph }
    var moved = graph
    try moved.shiftDecision(by: shift)
    return moved
  }
}
