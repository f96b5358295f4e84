import CPlotly
import Fairness
import Files
import Foundation
import Study

/// The page people show each other: one HTML file that asks nothing of the network.
///
/// The verdict and the tables are in the HTML itself, so that they can be read where no script
/// runs. All else is drawn by the page's own scripts from the numbers it carries as JSON.
public struct ReportPage {
  /// Where the charts' library is found.
  public enum Library: Hashable, Sendable {
    /// In the page.
    case inlined
    /// In a file of this name beside the page.
    case linked(String)
  }

  private let studies: [StudyFolder]

  /// The page of one study, or of several side by side.
  ///
  /// Folders of the same name are told apart by a number.
  ///
  /// - Precondition: there is at least one study.
  public init(_ studies: [StudyFolder]) {
    precondition(!studies.isEmpty, "a page has a study")
    var seen: [String: Int] = [:]
    self.studies = studies.map { study in
      var study = study
      seen[study.name, default: 0] += 1
      if let count = seen[study.name], count > 1 { study.name += " (\(count))" }
      return study
    }
  }

  /// The charts' library, plotly.js, as a file of its own.
  public static var plotly: [UInt8] {
    var length = 0
    return Array(UnsafeBufferPointer(start: plotly_source(&length), count: length))
  }

  /// The page, UTF-8.
  ///
  /// Equal studies give equal bytes.
  ///
  /// - Throws: When a number of the studies cannot be written as JSON.
  public func html(_ library: Library = .inlined) throws -> [UInt8] {
    let data = try content()
    // Text from the studies cannot hold the hash of itself, so it can never pose as a script.
    let nonce = SHA256.hex(data)
    let page = Self.text(PackageResources.page_html)
    let scripts = [
      PackageResources.core_js, PackageResources.tables_js, PackageResources.charts_js,
      PackageResources.gaps_js, PackageResources.threshold_js, PackageResources.frontier_js,
      PackageResources.flips_js, PackageResources.training_js, PackageResources.files_js,
      PackageResources.sections_js,
    ].map(Self.text).joined(separator: "\n")
    var bytes: [UInt8] = []
    // One pass over the template, so that nothing inside a part is taken for a place to fill.
    for (number, piece) in page.split(separator: "{{", omittingEmptySubsequences: false)
      .enumerated()
    {
      guard number > 0, let end = piece.range(of: "}}") else {
        bytes += piece.utf8
        continue
      }
      switch piece[..<end.lowerBound] {
      case "nonce": bytes += nonce.utf8
      case "style": bytes += PackageResources.page_css
      case "verdict": bytes += verdict.utf8
      case "tables": bytes += tables.utf8
      case "glossary": bytes += PackageResources.glossary_html
      case "data": bytes += data
      case "script": bytes += scripts.utf8
      case "plotly":
        switch library {
        case .inlined:
          bytes += "<script nonce=\"\(nonce)\">".utf8
          bytes += Self.plotly
          bytes += "</script>".utf8
        case .linked(let file):
          bytes += "<script nonce=\"\(nonce)\" src=\"\(Markup.escaped(file))\"></script>".utf8
        }
      default: preconditionFailure("the page's template has an unknown place")
      }
      bytes += piece[end.upperBound...].utf8
    }
    return bytes
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  private var verdict: String {
    studies.map { study in
      let verdict = study.verdict
      let name = studies.count > 1 ? "<h3>\(Markup.escaped(study.name))</h3>\n" : ""
      let headline = verdict.headline.map {
        "<p class=\"headline\">\(Markup.escaped($0))</p>\n"
      }.joined()
      let items = verdict.entries.map { entry in
        let badge = "<span class=\"badge \(entry.judgement)\">\(entry.judgement.rawValue)</span>"
        return "<li><details><summary>\(badge) \(Markup.escaped(entry.sentences[0]))</summary>"
          + "<p>\(Markup.escaped(entry.sentences.dropFirst().joined(separator: " ")))</p>"
          + "</details></li>\n"
      }.joined()
      let list = verdict.entries.count > 1 ? "<ul class=\"verdicts\">\n\(items)</ul>\n" : ""
      let findings = (study.result.findings ?? []).map { "<li>\(Markup.escaped($0))</li>\n" }
      let details =
        findings.isEmpty
        ? ""
        : "<details><summary>What the study found</summary>\n<ul>\n\(findings.joined())</ul>\n</details>\n"
      return name + headline + list + details
    }.joined()
  }

  private var tables: String {
    studies.enumerated().map { place, study in
      let name = studies.count > 1 ? "<h3>\(Markup.escaped(study.name))</h3>\n" : ""
      let tables = StudyTables(study.result).all.enumerated().map { number, table in
        Markup.table(table, id: "\(place)-\(number)")
      }
      return name + tables.joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// What of a study the page's scripts draw; its tables are in the page already.
  ///
  /// The page counts its own histograms and flips, finer ones, and draws the poster's two gaps.
  private func drawn(of study: StudyResult) -> StudyResult {
    func isDrawn(_ kind: GapKind) -> Bool { StudyVerdict.kinds.contains(kind) }
    var study = study
    study.figures = nil
    for i in study.comparisons.indices {
      study.comparisons[i].comparison.changes = [:]
      study.comparisons[i].comparison.drift = study.comparisons[i].comparison.drift
        .filter { isDrawn($0.key) }
    }
    for i in study.rows.indices {
      study.rows[i].gaps = study.rows[i].gaps.filter { isDrawn($0.key) }
    }
    return study
  }

  /// The numbers that the page's scripts draw, as JSON.
  private func content() throws -> [UInt8] {
    struct Copies: Encodable {
      var markdown: String
      var csv: String
      var latex: String
    }
    struct Content: Encodable {
      var name: String
      var result: StudyResult
      var verdict: StudyVerdict
      var copies: [Copies]
      var scores: [ScoreHistogram]
      var flips: [FlipSet]
      var files: [FileBreakdown]
      var certified: [CertifiedFile]
      var curves: [StudyResult.Figures.Training]
      var missing: [String]
    }
    let contents = studies.map { study in
      Content(
        name: study.name, result: drawn(of: study.result), verdict: study.verdict,
        copies: StudyTables(study.result).all.map {
          Copies(
            markdown: $0.rendered(as: .markdown), csv: $0.rendered(as: .csv),
            latex: $0.rendered(as: .latex))
        }, scores: study.scores, flips: study.flips, files: study.files,
        certified: study.certified, curves: study.result.figures?.training ?? [],
        missing: study.missing)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = String(decoding: try encoder.encode(contents), as: UTF8.self)
    return Array(Markup.embedded(json: json).utf8)
  }
}
