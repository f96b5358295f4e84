import ArgumentParser
import Compression
import Files
import Foundation
import Graphs
import Training

/// `equant verify-certificate`: recomputes what a compressed model claims.
struct VerifyCertificateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify-certificate",
    abstract: "Recompute the certificate of a compressed model.",
    discussion: """
      Checks that the file is the one that was certified, that the data are those it was certified \
      on, and computes every limit again. Exits with 2 when something does not hold.
      """)

  @Argument(
    help: "A model written by 'equant compress --budget'.",
    completion: .file(extensions: ["onnx"]))
  var model: String

  @Option(
    help: ArgumentHelp(
      """
      The float model, to be run again; without it the certificate's word is taken for its decisions.
      """, valueName: "file"),
    completion: .file(extensions: ["onnx"]))
  var base: String?

  @OptionGroup var dataOptions: DataOptions

  @OptionGroup var output: OutputOptions

  func run() throws {
    let contents = try PackedModel.read(model)
    let description = try ModelDescription(
      of: ONNXFile.graph(contents, path: model), path: model)
    let dataset = try dataOptions.open(
      target: description.target, protected: description.protected)
    let found = try CertificateVerification(
      contents: contents, path: model, on: dataset, base: base.map { try Files.read($0) })
    try output.write(found) {
      var lines = [
        "the file is \(found.isSameModel ? "the one that was certified" : "NOT THE ONE THAT WAS CERTIFIED")",
        found.isSameRows
          ? "the \(found.rows) rows are those it was certified on"
          : "THE ROWS ARE NOT THOSE IT WAS CERTIFIED ON",
      ]
      if found.isSameRows {
        lines.append(
          found.isSameResult ? "the decisions are the same" : "THE DECISIONS ARE NOT THE SAME")
      }
      if let isSameBase = found.isSameBase {
        lines.append(
          isSameBase
            ? "the float model is the one that was compressed, and decides as is said"
            : "THE FLOAT MODEL IS NOT THE ONE THAT WAS COMPRESSED, OR DECIDES OTHERWISE")
      }
      lines += found.checks.map { check in
        let bound = check.bound.map { String(format: "%.4f", $0) } ?? "undefined"
        return
          "\(check.name): at most \(bound), limit \(check.limit)\(check.isKept ? "" : "  NOT KEPT")"
      }
      return lines.joined(separator: "\n")
    }
    if !found.holds { throw ExitCode(2) }
  }
}
