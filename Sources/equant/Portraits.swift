import ArgumentParser
import Faces
import Files
import Images
import Synchronization

/// `equant portraits`: draws a data set of faces.
struct PortraitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "portraits",
    abstract: "Draw faces in CelebA's layout, or fit the model their attributes come from.",
    subcommands: [DrawPortraits.self, FitAnnotationModel.self],
    defaultSubcommand: DrawPortraits.self)
}

/// `equant portraits draw`, which is also `equant portraits`.
struct DrawPortraits: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "draw",
    abstract: "Draw a data set of faces in CelebA's layout.",
    discussion: """
      One portrait is drawn per annotation row. Every attribute that can be seen is drawn; \
      Attractive never is. Rows are sampled from a statistical model of CelebA's annotation, or \
      read with --annotations from a list_attr_celeba.txt or .csv; rows that are read keep their \
      file names, the split in the list_eval_partition beside the file and the identity in the \
      identity_CelebA beside it. --count keeps the proportions of the splits; --train, \
      --validation and --test say how many of each split are wanted, and those not named stay \
      whole with --annotations and empty without.

      An interrupted command goes on where it stopped when it is typed again. The pictures depend \
      on seed, row and size only, not on the number of threads.

      Examples:
        equant portraits --out faces --count 20000
        equant portraits --out faces --annotations list_attr_celeba.txt --train 40000
        equant portraits --sheet portraits.png
      """)

  @Option(help: "The folder to draw into; made when missing.", completion: .directory)
  var out: String?

  @Option(help: "How many portraits (default: 20000, all rows of --annotations, 40 on a sheet).")
  var count: Int?

  @Option(help: "How many training rows.")
  var train: Int?

  @Option(help: "How many validation rows.")
  var validation: Int?

  @Option(help: "How many test rows.")
  var test: Int?

  @Option(
    help: "Draw these rows: list_attr_celeba.txt or .csv.",
    completion: .file(extensions: ["txt", "csv"]))
  var annotations: String?

  @Option(help: "Decides what the rows leave open, and the rows themselves when they are sampled.")
  var seed: UInt64 = 1

  @Option(help: ArgumentHelp("The size of a picture in pixels.", valueName: "WxH"))
  var size = PictureSize(width: 178, height: 218)

  @Option(help: "The JPEG quality from 1 to 100; 85 gives files as large as CelebA's.")
  var quality = 85

  @Option(help: "How many threads draw (default: one for each processor).")
  var threads: Int?

  @Option(
    help: "Write one PNG file with many portraits, instead of or beside a data set.",
    completion: .file(extensions: ["png"]))
  var sheet: String?

  @Option(help: "How many portraits stand side by side on the sheet.")
  var columns = 10

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard out != nil || sheet != nil else {
      throw ValidationError("Say where to draw: '--out <folder>' or '--sheet <file.png>'.")
    }
    let sides = Portraits.Options.sides
    guard sides.contains(size.width) && sides.contains(size.height) else {
      throw ValidationError(
        "'--size' has sides from \(sides.lowerBound) to \(sides.upperBound) pixels, not \(size).")
    }
    for (name, value) in [("count", count), ("threads", threads), ("columns", columns)] {
      if let value, !(1...10_000_000).contains(value) {
        throw ValidationError("'--\(name)' is at least 1, not \(value).")
      }
    }
    for (name, value) in [("train", train), ("validation", validation), ("test", test)] {
      if let value, !(0...10_000_000).contains(value) {
        throw ValidationError("'--\(name)' is at least 0, not \(value).")
      }
    }
    guard count == nil || (train ?? validation ?? test) == nil else {
      throw ValidationError("Give '--count', or '--train', '--validation' and '--test'; not both.")
    }
    guard (1...100).contains(quality) else {
      throw ValidationError("'--quality' is from 1 to 100, not \(quality).")
    }
  }

  func run() throws {
    if let sheet { try drawSheet(sheet) }
    guard let out else { return }
    let plan = try plan(count: 20_000)
    let options = Portraits.Options(
      seed: seed, width: size.width, height: size.height, quality: quality, threads: threads)
    let bar = Mutex(Progress(quiet: output.quiet))
    let summary = try Portraits.draw(plan, into: out, options: options) { done, total in
      bar.withLock { $0.show("portraits", done, of: total) }
    }
    bar.withLock { $0.clear() }
    let result = Result(folder: out, summary: summary, plan: plan)
    try output.write(result) { result.text }
  }

  private func plan(count standard: Int) throws -> PortraitPlan {
    let parted = (train ?? validation ?? test) != nil
    if let annotations {
      let whole = try PortraitPlan.annotated(annotations)
      let plan =
        parted
        ? whole.limited(train: train, validation: validation, test: test)
        : count.map { whole.limited(to: $0) } ?? whole
      guard !plan.people.isEmpty else { throw FileError(annotations, "has no row to draw") }
      return plan
    }
    guard parted else { return .sampled(count: count ?? standard, seed: seed) }
    let plan = PortraitPlan.sampled(
      train: train ?? 0, validation: validation ?? 0, test: test ?? 0, seed: seed)
    guard !plan.people.isEmpty else { throw ValidationError("No portrait is asked for.") }
    return plan
  }

  private func drawSheet(_ path: String) throws {
    var rows = try plan(count: 40).people.map(\.attributes)
    if count == nil { rows = Array(rows.prefix(40)) }
    let across = min(columns, rows.count)
    let lines = (rows.count + across - 1) / across
    let sides = (across * size.width, lines * size.height)
    guard max(sides.0, sides.1) <= Canvas.longestSide else {
      throw ValidationError(
        "A sheet of \(sides.0) x \(sides.1) pixels is too large; ask for fewer or smaller portraits."
      )
    }
    let picture = Portraits.contactSheet(
      of: rows, columns: across, seed: seed, width: size.width, height: size.height)
    try Files.replace(path, with: PNG.encode(picture))
  }

  private struct Result: Encodable {
    var folder: String
    var drawn: Int
    var kept: Int
    var train: Int
    var validation: Int
    var test: Int

    init(folder: String, summary: Portraits.Summary, plan: PortraitPlan) {
      self.folder = folder
      drawn = summary.drawn
      kept = summary.kept
      let sizes = Split.allCases.map { split in plan.people.count { $0.split == split } }
      (train, validation, test) = (sizes[0], sizes[1], sizes[2])
    }

    var text: String {
      "\(folder): \(train) train, \(validation) validation, \(test) test portraits; "
        + "\(drawn) drawn, \(kept) were there"
    }
  }
}

/// `equant portraits fit`: makes the model that rows are sampled from.
struct FitAnnotationModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit",
    abstract: "Fit the statistical model of an annotation file and print it as JSON.")

  @Option(
    help: "The rows: list_attr_celeba.txt or .csv.", completion: .file(extensions: ["txt", "csv"]))
  var annotations: String

  @Option(help: "Write the model here instead of to standard output.")
  var out: String?

  func run() throws {
    let model = try AnnotationModel.fit(Annotations.read(annotations))
    if let out {
      try Files.replace(out, with: model.json)
    } else {
      print(model.json, terminator: "")
    }
  }
}

/// Width and height, written `178x218`.
struct PictureSize: ExpressibleByArgument, CustomStringConvertible {
  var width: Int
  var height: Int

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  init?(argument: String) {
    let parts = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]) else {
      return nil
    }
    self.init(width: width, height: height)
  }

  var description: String { "\(width)x\(height)" }
  var defaultValueDescription: String { description }
}
