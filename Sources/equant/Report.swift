import ArgumentParser
import Files
import Foundation
import Reports

/// `equant report`: the HTML page of a study.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Make the page of a study: one HTML file that works offline.",
    discussion: """
      Reads the folder that 'equant study' wrote: study.json, and as far as they are still there \
      the predictions, the models, the checkpoints and the pictures of the data set. What is \
      missing, or is not what the study measured, is left out and said on the page. Several \
      folders are put side by side. The page loads nothing from anywhere and can be mailed.
      """)

  @Argument(
    help: ArgumentHelp("Folders that 'equant study' wrote.", valueName: "folder"),
    completion: .directory)
  var folders: [String]

  @Option(
    help: ArgumentHelp(
      "Where the page goes (default: report.html in the first folder).", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var out: String?

  @Flag(help: "Put the charts' library into a file beside the page instead of into it.")
  var linkPlotly = false

  @Option(
    help: ArgumentHelp(
      "How many pictures of people whose decision changed are put into the page; 0 for none.",
      valueName: "count"))
  var thumbnails = 240

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if thumbnails < 0 { throw ValidationError("'--thumbnails' counts pictures: give 0 or more.") }
    if folders.isEmpty { throw ValidationError("Give the folder of a study.") }
  }

  func run() throws {
    let out = out ?? "\(folders[0])/report.html"
    let progress = Progress(quiet: output.quiet)
    let studies = try folders.map { try StudyFolder($0, thumbnails: thumbnails / folders.count) }
    for study in studies {
      for text in study.missing { progress.say("\(study.name): \(text)") }
    }
    let bytes = try Self.write(studies, to: out, linkPlotly: linkPlotly)
    try output.write(Summary(report: out, bytes: bytes, verdicts: studies.map(\.verdict))) {
      studies.map { $0.verdict.headline.joined(separator: " ") + "\n" }.joined(separator: "\n")
        + "\n\(out)  \(bytes) bytes"
    }
  }

  /// Writes the page of `studies`, and with `linkPlotly` the charts' library beside it.
  ///
  /// - Returns: The length of the page.
  static func write(
    _ studies: [StudyFolder], to out: String, linkPlotly: Bool = false
  ) throws -> Int {
    try Files.checkWritable(out)
    let library = "plotly.min.js"
    let page = try ReportPage(studies).html(linkPlotly ? .linked(library) : .inlined)
    if linkPlotly {
      try Files.replace("\(Files.parent(of: out))/\(library)", with: ReportPage.plotly)
    }
    try Files.replace(out, with: page)
    return page.count
  }

  private struct Summary: Encodable {
    var report: String
    var bytes: Int
    var verdicts: [StudyVerdict]
  }
}
