import Fairness
public import Files
import Foundation
import Graphs
import Predictions
public import Study

/// A study's folder, read for the page: the numbers, and what the files beside them still tell.
///
/// `study.json` must be whole. Everything else may have gone: what is missing, or is not what the
/// study measured, is left out and said in ``missing``.
public struct StudyFolder: Sendable {
  /// The folder's own name.
  public var name: String
  /// What `study.json` says.
  public var result: StudyResult
  /// What each model's scores are, group by group.
  public var scores: [ScoreHistogram] = []
  /// Whose decisions each compression changed.
  public var flips: [FlipSet] = []
  /// Where the bytes of each model file go.
  public var files: [FileBreakdown] = []
  /// Models in the folder that carry a certificate.
  public var certified: [CertifiedFile] = []
  /// What could not be shown, and why, in plain words.
  public var missing: [String] = []

  /// The numbers in plain sentences.
  public var verdict: StudyVerdict { StudyVerdict(result) }

  private let path: String

  /// Reads the study in `folder`.
  ///
  /// - Parameters:
  ///   - folder: Where `equant study` put everything.
  ///   - thumbnails: How many pictures of people whose decision changed are taken along at most.
  /// - Throws: `FileError` when there is no whole `study.json`.
  public init(_ folder: String, thumbnails: Int = 240) throws(FileError) {
    path = folder
    name = URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent
    guard Files.isFolder(folder) else {
      throw FileError(folder, "is not a folder; expected one that 'equant study' wrote")
    }
    result = try StudyResult(contentsOf: "\(folder)/study.json")
    readPredictions(thumbnails: thumbnails)
    readModels()
    readCertificates()
  }

  private mutating func readPredictions(thumbnails: Int) {
    var read: [Key: Predictions] = [:]
    for row in result.rows {
      guard let bytes = contents(of: row.predictions) else { continue }
      if let expected = result.provenance.files[row.predictions], SHA256.hex(bytes) != expected {
        missing.append("\(row.predictions) is not the file that the study measured: left out")
        continue
      }
      guard let found = try? Predictions.reading("\(path)/\(row.predictions)").predictions else {
        missing.append("\(row.predictions) could not be read as predictions: left out")
        continue
      }
      read[Key(row.model, row.seed)] = found
      // A repaired row holds decisions: there is no threshold left to try.
      guard row.repair == nil else { continue }
      scores.append(ScoreHistogram(found, model: row.model, seed: row.seed))
    }
    if scores.isEmpty { scores = ScoreHistogram.all(of: result.figures?.histograms ?? []) }
    let pictures = Pictures(of: result.provenance.data["folder"], beside: path)
    let share = max(1, result.comparisons.count)
    for pair in result.comparisons {
      guard let before = read[Key(pair.base, pair.seed)],
        let after = read[Key(pair.model, pair.seed)]
      else {
        let known = result.figures?.flips.first {
          $0.model == pair.model && $0.base == pair.base && $0.seed == pair.seed
        }
        if let known { flips.append(FlipSet(known)) }
        continue
      }
      flips.append(
        FlipSet(
          pair, before: before, after: after,
          pictures: thumbnails > 0 ? pictures : nil, limit: thumbnails / share))
    }
    if thumbnails > 0, !flips.isEmpty, !flips.contains(where: \.hasPictures) {
      missing.append("the pictures of the data set were not found: flips are listed without them")
    }
  }

  private mutating func readModels() {
    // One seed's files say it all: the others differ in their numbers, not in their layout.
    for row in result.rows where row.seed == result.rows[0].seed && row.repair == nil {
      guard isInside(row.file), Files.exists("\(path)/\(row.file)") else {
        missing.append("\(row.file) is no longer there: its bytes are not broken down")
        continue
      }
      do {
        let found = try FileBreakdown(path: "\(path)/\(row.file)", model: row.model)
        guard found.bytes == row.bytes else {
          missing.append(
            "\(row.file) has \(found.bytes) bytes, the study measured \(row.bytes): left out")
          continue
        }
        files.append(found)
      } catch {
        missing.append("\(row.file) could not be read as a model: left out")
      }
    }
  }

  /// Looks for certificates in the models that were put beside those of the study.
  private mutating func readCertificates() {
    let known = Set(result.rows.map(\.file))
    let folders = [""] + result.provenance.seeds.map { "seed-\($0)/" }
    let names = folders.flatMap { folder in
      ((try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")) ?? [])
        .filter { $0.hasSuffix(".onnx") }.map { folder + $0 }
    }
    for name in names.sorted() where !known.contains(name) {
      do {
        if let found = try CertifiedFile(path: "\(path)/\(name)", file: name) {
          certified.append(found)
        }
      } catch {
        missing.append("\(name) could not be read for a certificate: left out")
      }
    }
  }

  private mutating func contents(of file: String) -> [UInt8]? {
    guard isInside(file) else {
      missing.append("\(file) is outside of the study's folder: left out")
      return nil
    }
    guard let bytes = try? Files.read("\(path)/\(file)") else {
      missing.append("\(file) is no longer there: thresholds and flips of its model are not shown")
      return nil
    }
    return bytes
  }

  private func isInside(_ file: String) -> Bool { Pictures.isInside(file) }

  private struct Key: Hashable {
    var model: String
    var seed: UInt64

    init(_ model: String, _ seed: UInt64) {
      (self.model, self.seed) = (model, seed)
    }
  }
}
