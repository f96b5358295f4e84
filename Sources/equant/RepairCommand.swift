public import ArgumentParser
public import Fairness
import Files
import Foundation
import Predictions
import Reports

/// `equant repair`: post-processing that is fitted once and applied to other rows.
struct RepairCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repair",
    abstract: "Fit a post-processing on validation predictions, and apply it to others.",
    subcommands: [RepairFitCommand.self, RepairApplyCommand.self])
}

/// `equant repair fit`: predictions → a repair.
struct RepairFitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit",
    abstract: "Fit a post-processing on validation predictions.",
    discussion: """
      Methods: calibrated-equalized-odds (Pleiss et al.; --cost, --calibration), equalized-odds \
      (Hardt et al.; --objective error or youden, --false-positive-cost, --false-negative-cost), \
      thresholds (--parity, --objective, --tolerance, --grid), reject-option (--metric, --bound, \
      --favoured), group-blind (--rate with --target or --like). Prints what the repair does to \
      every group on the rows it was fitted on; measure it on others. Never fit on rows that \
      numbers are reported of.
      """)

  @Option(help: "The method.")
  var method: Repair.Method

  @Option(
    name: .customLong("on"), help: "Validation predictions.", completion: .file(extensions: ["csv"])
  )
  var validation: String

  @Option(help: ArgumentHelp("Where the repair goes.", valueName: "file"))
  var out: String

  @OptionGroup var columns: PredictionOptions

  @Option(help: "Calibrated equalized odds: what is made equal.")
  var cost = CalibratedEqualizedOddsOptions.Cost.weighted

  @Option(help: "Calibrated equalized odds: how each group's scores are calibrated first.")
  var calibration = ScoreCalibration.Kind.temperature

  @Option(
    help: """
      What is made good: error or youden for equalized-odds; accuracy, balanced-accuracy, \
      selection-rate, tpr or tnr for thresholds.
      """)
  var objective: String?

  @Option(help: "Equalized odds: the cost of a false positive.")
  var falsePositiveCost = 1.0

  @Option(help: "Equalized odds: the cost of a false negative.")
  var falseNegativeCost = 1.0

  @Option(help: "Thresholds: what is made equal.")
  var parity = GroupThresholdsOptions.Parity.equalizedOdds

  @Option(help: "Thresholds: how far apart the groups may be.")
  var tolerance = 0.0

  @Option(help: "Thresholds: a grid of so many steps, as Fairlearn's 1000, instead of exactly.")
  var grid: Int?

  @Option(help: "Reject option: what is held near 0.")
  var metric = RejectOptionOptions.Metric.statisticalParity

  @Option(help: "Reject option: how far from 0 it may be.")
  var bound = 0.05

  @Option(help: "Reject option: the group that uncertain cases are decided for.")
  var favoured: String?

  @Option(help: "Group-blind: which overall rate is put back.")
  var rate = GroupBlindOptions.Rate.selectionRate

  @Option(help: "Group-blind: what the rate is brought to.")
  var target: Double?

  @Option(
    help: "Group-blind: validation predictions of the model whose rate is the target.",
    completion: .file(extensions: ["csv"]))
  var like: String?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    switch method {
    case .groupBlind:
      guard (target == nil) != (like == nil) else {
        throw ValidationError("group-blind puts a rate back: give '--target' or '--like'.")
      }
    case .equalizedOdds:
      guard ["error", "youden", nil].contains(objective) else {
        throw ValidationError("'--objective' of equalized-odds is error or youden.")
      }
    case .thresholds:
      guard objective.map({ GroupThresholdsOptions.Objective(rawValue: $0) != nil }) ?? true else {
        let known = GroupThresholdsOptions.Objective.allCases.map(\.rawValue)
        throw ValidationError(
          "'--objective' of thresholds is one of \(known.joined(separator: ", ")).")
      }
    default: break
    }
    if let grid, !(1...1_000_000).contains(grid) {
      throw ValidationError("'--grid' is from 1 to 1000000.")
    }
  }

  func run() throws {
    try Files.checkWritable(out)
    let (rows, skipped) = try Predictions.reading(validation, options: columns.reading)
    if skipped > 0 { remark("warning: \(skipped) rows were left out because a value is missing") }
    let repair: Repair
    do {
      repair = try fit(rows.outcomes)
    } catch let error as RepairError {
      throw FileError(validation, error.description)
    }
    try Files.replace(out, with: try repair.json())
    try output.write(repair) { repair.report }
  }

  private func fit(_ outcomes: Outcomes) throws -> Repair {
    switch method {
    case .calibratedEqualizedOdds:
      var options = CalibratedEqualizedOddsOptions()
      (options.cost, options.calibration) = (cost, calibration)
      options.threshold = columns.threshold
      return try .calibratedEqualizedOdds(outcomes, options: options)
    case .equalizedOdds:
      var options = EqualizedOddsOptions()
      options.threshold = columns.threshold
      options.objective =
        objective == "youden"
        ? .youden
        : .error(falsePositive: falsePositiveCost, falseNegative: falseNegativeCost)
      return try .equalizedOdds(outcomes, options: options)
    case .thresholds:
      var options = GroupThresholdsOptions()
      (options.parity, options.tolerance, options.grid) = (parity, tolerance, grid)
      options.threshold = columns.threshold
      options.objective =
        objective.flatMap { GroupThresholdsOptions.Objective(rawValue: $0) } ?? .accuracy
      return try .groupThresholds(outcomes, options: options)
    case .rejectOption:
      var options = RejectOptionOptions()
      (options.metric, options.bound, options.favoured) = (metric, bound, favoured)
      options.threshold = columns.threshold
      return try .rejectOption(outcomes, options: options)
    case .groupBlind:
      var options = GroupBlindOptions(target: try wantedRate())
      options.rate = rate
      options.threshold = columns.threshold
      return try .groupBlind(outcomes, options: options)
    }
  }

  private func wantedRate() throws -> Double {
    if let target { return target }
    let path = like ?? ""
    let rows = try Predictions.reading(path, options: columns.reading).predictions.outcomes
    let measure = rate == .selectionRate ? Measure.selectionRate : .truePositiveRate
    let found = Tally(rows, threshold: columns.threshold).overall.rate(measure)
    guard let value = found.value else {
      throw FileError(path, "has no \(measure.title): \(found.reason ?? "no rows")")
    }
    return value
  }
}

/// `equant repair apply`: a repair and predictions → decisions.
struct RepairApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Apply a repair to predictions.",
    discussion: """
      Writes id, label, score, group, probability and original: the score is the decision, 0 or \
      1, so that 'equant audit' and 'equant compare' read what was decided; probability is that \
      of a positive decision, which 'equant audit --score-column probability --expected' reads; \
      original is the score before. A row's lot depends on --seed and its id only. Rows of a \
      group that the repair was not fitted on are refused.
      """)

  @Argument(help: "A repair.", completion: .file(extensions: ["json"]))
  var repair: String

  @Argument(help: "Predictions.", completion: .file(extensions: ["csv"]))
  var predictions: String

  @Option(help: ArgumentHelp("Where the decisions go.", valueName: "file"))
  var out: String

  @Option(help: "Where lots come from.")
  var seed: UInt64 = 0

  @Flag(help: "Decide without lots: positively from probability 0.5 on. No rate is kept by that.")
  var deterministic = false

  @OptionGroup var columns: PredictionOptions

  @OptionGroup var output: OutputOptions

  func run() throws {
    try Files.checkWritable(out)
    let repair = try Repair(contentsOf: repair)
    let (rows, skipped) = try Predictions.reading(predictions, options: columns.reading)
    if skipped > 0 { remark("warning: \(skipped) rows were left out because a value is missing") }
    let found: (probabilities: [Double], decisions: [Bool])
    do {
      found = try rows.repaired(by: repair, seed: seed)
    } catch {
      throw FileError(predictions, "\(error)")
    }
    let decisions = deterministic ? found.probabilities.map { $0 >= 0.5 } : found.decisions
    let decided = RepairedPredictions(
      rows, probabilities: found.probabilities, decisions: decisions)
    try decided.write(to: out)
    let result = try RepairResult(repair, rows, found.probabilities, decisions, columns)
    try output.write(result) { result.report + "\n\n\(out) has \(rows.count) decisions" }
  }
}

/// What a repair did to rows: rates and gaps before, expected, and as decided.
struct RepairResult: Encodable {
  var method: Repair.Method
  var needsGroup: Bool
  var rows: Int
  var notes: [String]
  var before: Audit
  var expected: Audit
  var decided: Audit

  init(
    _ repair: Repair, _ rows: Predictions, _ probabilities: [Double], _ decisions: [Bool],
    _ columns: PredictionOptions
  ) throws {
    let outcomes = rows.outcomes
    var options = AuditOptions()
    options.scores = false
    options.confidence = columns.confidence
    options.reference = columns.reference
    method = repair.method
    needsGroup = repair.needsGroup
    self.rows = rows.count
    notes = repair.fit.notes
    expected = try Audit(
      Tally(
        probabilities: probabilities, labels: outcomes.labels, groups: outcomes.groups,
        weights: outcomes.weights), options: options)
    decided = try Audit(
      Outcomes(
        decisions: decisions, labels: outcomes.labels, groups: outcomes.groups,
        weights: outcomes.weights, clusters: outcomes.clusters), options: options)
    options.threshold = repair.fit.threshold
    before = try Audit(outcomes, options: options)
  }

  var report: String {
    let audits = [("before", before), ("expected", expected), ("decided", decided)]
    let measures: [Measure] = [
      .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate,
    ]
    var table = Table(
      columns: ["group", "", "rows"] + measures.map(\.title),
      alignments: [.leading, .leading] + Array(repeating: .trailing, count: 1 + measures.count))
    for name in before.groups.map(\.name) {
      for (stage, audit) in audits {
        guard let group = audit.groups.first(where: { $0.name == name }) else { continue }
        table.rows.append(
          [name, stage, "\(group.count)"] + measures.map { decimal(group.rates[$0]?.value) })
      }
    }
    let kinds: [GapKind] = [.equalOpportunity, .fprDifference, .demographicParity, .accuracy]
    var gaps = Table(columns: ["gap", "before", "expected", "decided", "interval of decided"])
    for kind in kinds {
      let decided = decided.gaps[kind]
      gaps.rows.append([
        kind.title, signed(before.gaps[kind]?.value), signed(expected.gaps[kind]?.value),
        signed(decided?.value),
        range(decided?.interval?.low, decided?.interval?.high, signs: true),
      ])
    }
    let head = needsGroup ? "\(method.rawValue), needs everyone's group" : method.rawValue
    return [head, table.rendered(as: .text), gaps.rendered(as: .text)].joined(separator: "\n\n")
  }
}

extension Repair {
  /// What the fit found, for people.
  var report: String {
    func change(_ change: RepairFit.Change) -> String {
      "\(decimal(change.before)) to \(decimal(change.after))"
    }
    let cells = fit.cells.map { cell in
      [
        cell.group, "\(cell.rows)", change(cell.accuracy), change(cell.truePositiveRate),
        change(cell.falsePositiveRate), change(cell.selectionRate),
      ]
    }
    let table = Table(
      columns: ["group", "rows", "accuracy", "TPR", "FPR", "selection rate"], rows: cells)
    let aim = fit.isFeasible ? "" : ", which does not reach its aim"
    return
      ([
        "\(method.rawValue)\(aim); on the rows it was fitted on:", "", table.rendered(as: .text),
      ] + fit.notes).joined(separator: "\n")
  }
}

extension Repair.Method: ExpressibleByArgument {}
extension CalibratedEqualizedOddsOptions.Cost: ExpressibleByArgument {}
extension ScoreCalibration.Kind: ExpressibleByArgument {}
extension GroupThresholdsOptions.Parity: ExpressibleByArgument {}
extension RejectOptionOptions.Metric: ExpressibleByArgument {}
extension GroupBlindOptions.Rate: ExpressibleByArgument {}
