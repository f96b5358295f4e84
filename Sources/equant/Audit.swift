import ArgumentParser
import Faces
import Fairness
import Files
import Foundation
import Predictions
import Reports
import Training

/// `equant audit`: predictions → rates of every group, gaps, intervals.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Rates of every group and the gaps between them, with intervals.",
    discussion: """
      Reads a CSV file with a header and the columns id, label, score, group, and prints the \
      rates of every group, the gaps with their intervals, and what a reader has to know before \
      believing a number. Files above 64 MB are counted without keeping their rows; AUC and \
      calibration error then come from 1000 bins of scores.

      With --model and --data the model is run on the images first, as 'equant predict' runs it. \
      It may be any ONNX classifier; one that was made elsewhere needs --preprocess.

      Predictions that live in a database are counted there: --sql prints the query, --counts \
      reads its result.
      """)

  @Argument(help: "A predictions file.", completion: .file(extensions: ["csv"]))
  var predictions: String?

  @OptionGroup var columns: PredictionOptions

  @Option(help: "Warn about cells with fewer rows.")
  var minimumCell = 30

  @Flag(
    help: """
      The scores are probabilities of a positive decision, as 'equant repair apply' writes them: \
      rates are their means instead of shares above the threshold.
      """)
  var expected = false

  @Option(help: "How results are written to standard output.")
  var format = TableFormat.text

  @Option(help: "Print the query that counts predictions in a database.")
  var sql: SQLDialect?

  @Option(
    help: "With --sql the table that is asked; with --model the CSV file that lists the images.")
  var table: String?

  @Option(help: "Audit counts: a query's result as CSV, or JSON that --save-counts wrote.")
  var counts: [String] = []

  @Option(help: "Also write the mergeable counts to a file.")
  var saveCounts: String?

  @OptionGroup(title: "Running a model") var modelRun: ModelRun

  @OptionGroup(title: "Models made elsewhere") var modelOptions: ModelOptions

  func validate() throws {
    let sources = [predictions != nil, sql != nil, !counts.isEmpty, modelRun.model != nil]
    guard sources.filter(\.self).count == 1 else {
      throw ValidationError("Give one of: a predictions file, --model, --sql, --counts.")
    }
    if modelRun.model == nil && modelRun.data != nil {
      throw ValidationError("'--data' needs '--model'.")
    }
    if modelRun.model != nil && modelRun.data == nil {
      throw ValidationError("'--model' needs '--data', the folder of the images.")
    }
    if modelRun.model != nil && saveCounts != nil {
      throw ValidationError("'--save-counts' is for a predictions file: use 'equant predict'.")
    }
    if sql != nil && (columns.weight != nil || columns.cluster != nil) {
      throw ValidationError("'--sql' counts rows: it knows neither weights nor clusters.")
    }
    if expected && (predictions == nil || columns.cluster != nil || saveCounts != nil) {
      throw ValidationError(
        "'--expected' goes with a predictions file, without clusters or counts.")
    }
    if columns.cluster != nil && saveCounts != nil {
      throw ValidationError("Counts do not know clusters: drop '--cluster' or '--save-counts'.")
    }
  }

  func run() throws {
    if let sql {
      print(
        CountsQuery.text(
          sql.dialect, table: table ?? "predictions", options: columns.reading,
          threshold: columns.threshold,
          bins: AuditCounts.usualBins))
      return
    }
    if let saveCounts { try Files.checkWritable(saveCounts) }
    let audit = try audit()
    try format.write(audit, warnings: audit.warnings) { audit.report($0) }
  }

  private var options: AuditOptions {
    var options = AuditOptions()
    options.threshold = columns.threshold
    options.reference = columns.reference
    options.confidence = columns.confidence
    options.minimumCell = minimumCell
    return options
  }

  private func audit() throws -> Audit {
    if !counts.isEmpty {
      var whole: AuditCounts?
      for path in counts {
        let part = try AuditCounts.readingCounts(path, threshold: columns.threshold)
        if whole == nil { whole = part } else { try whole?.merge(part) }
      }
      guard var whole else { throw ValidationError("There are no counts.") }
      whole.sortGroups()
      try save(whole)
      return try Audit(whole, options: options)
    }
    if modelRun.model != nil { return try auditOfModel() }
    let path = predictions ?? ""
    if expected {
      let (rows, skipped) = try Predictions.reading(path, options: columns.reading)
      let outcomes = rows.outcomes
      var audit = try Audit(
        Tally(
          probabilities: outcomes.scores, labels: outcomes.labels, groups: outcomes.groups,
          weights: outcomes.weights), options: options
      ).noting([], skipped: skipped)
      audit.warnings.append(
        "rates are expected over all lots; their intervals are those of one draw")
      return audit
    }
    var remarks: [String] = []
    if columns.cluster == nil,
      try Predictions.columns(of: path, options: columns.reading).contains("identity")
    {
      remarks.append(Self.strangers)
    }
    var status = stat()
    let isLarge = stat(path, &status) == 0 && status.st_size > 64 << 20
    if columns.cluster == nil && (isLarge || saveCounts != nil) {
      let (counts, skipped) = try AuditCounts.reading(
        path, options: columns.reading, threshold: columns.threshold)
      try save(counts)
      return try Audit(counts, options: options).noting(remarks, skipped: skipped)
    }
    let (rows, skipped) = try Predictions.reading(path, options: columns.reading)
    return try Audit(rows.outcomes, options: options).noting(remarks, skipped: skipped)
  }

  /// Runs the model on the images of a split and audits what it says.
  private func auditOfModel() throws -> Audit {
    var (predictions, skipped) = try modelRun.predictions(table: table, options: modelOptions)
    let known = predictions.identities != nil
    if columns.cluster == nil {
      predictions.identities = nil
    } else if !known {
      throw FileError(modelRun.data ?? "", "does not say whose image is whose: drop '--cluster'")
    }
    var audit = try Audit(predictions.outcomes, options: options)
    if skipped > 0 { audit.warnings.insert("\(skipped) damaged images were left out", at: 0) }
    return audit.noting(known && columns.cluster == nil ? [Self.strangers] : [], skipped: 0)
  }

  private static let strangers =
    "it is known whose image is whose, but intervals take all images for strangers: "
    + "'--cluster identity' respects it"

  private func save(_ counts: AuditCounts) throws {
    guard let saveCounts else { return }
    try Files.replace(saveCounts, with: try counts.json())
  }
}

/// A model and the images it is run on.
struct ModelRun: ParsableArguments {
  @Option(
    help: "Run this model and audit what it says.", completion: .file(extensions: ["onnx"]))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "The folder of the images, with CelebA's layout or with --table.", valueName: "folder"),
    completion: .directory)
  var data: String?

  @Option(help: "The attribute that the model predicts; by default what the model says.")
  var target: String?

  @Option(
    help: ArgumentHelp(
      "The attribute to be fair to; more than once for intersections.", valueName: "attribute"))
  var protected: [String] = []

  @Option(help: "Which images.")
  var split = SplitChoice.test

  @Option(help: "The arithmetic of what is not quantized.")
  var precision = PrecisionChoice.f32

  @Flag(help: "Leave damaged images out, and count them, instead of stopping.")
  var skipDamaged = false

  @Flag(help: "Show no progress on standard error.")
  var quiet = false

  /// What the model says about every image, and how many damaged ones were left out.
  func predictions(
    table: String?, options: ModelOptions
  ) throws -> (predictions: Predictions, skipped: Int) {
    guard let model, let data else { preconditionFailure("validated: both are given") }
    let opened = try options.open(model)
    let dataset = try FaceDataset.open(
      data, table: table, target: target, protected: protected,
      otherwise: opened.description.target, opened.description.protected)
    var progress = Progress(quiet: quiet)
    for warning in dataset.warnings { progress.say("warning: \(warning)") }
    let (predictions, skipped) = try opened.predictions(
      on: dataset, split: split.split, precision: precision.precision, limit: nil,
      skipsDamaged: skipDamaged, path: model
    ) { progress.show("predicting", $0, of: $1) }
    for problem in skipped { progress.say("left out: \(problem)") }
    return (predictions, skipped.count)
  }
}

/// The databases that `--sql` writes for.
enum SQLDialect: String, ExpressibleByArgument, CaseIterable {
  case postgresql, sqlite, duckdb, spark

  var dialect: CountsQuery.Dialect {
    switch self {
    case .postgresql: .postgresql
    case .sqlite: .sqlite
    case .duckdb: .duckdb
    case .spark: .spark
    }
  }
}

extension Audit {
  /// The same audit with remarks on how rows were read, and on those that were left out.
  fileprivate func noting(_ remarks: [String], skipped: Int) -> Audit {
    var audit = self
    audit.warnings += remarks
    if skipped > 0 {
      audit.warnings.insert("\(skipped) rows were left out because a value is missing", at: 0)
    }
    return audit
  }
}
