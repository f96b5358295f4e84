import Foundation
import Store

/// A run with all that is known of it, as the page's script gets it.
struct Shown: Encodable {
  var id: Int64
  var kind: Run.Kind
  var title: String
  var state: Run.Standing
  var started: Date
  var updated: Date
  var progress: String?
  var accuracy: Double?
  var equalOpportunity: Double?
  var bytes: Int?
  var summary: String?
  var settings: [String: String]
  var fingerprints: [String: String]
  var results: [String: Double]
  var files: [String: String]
  var hasReport: Bool
  var events: [RunEvent]

  init(_ run: Run, events: [RunEvent]) {
    id = run.id ?? 0
    kind = run.kind
    title = run.title
    state = run.standing()
    started = run.started
    updated = run.updated
    progress = run.progress
    accuracy = run.accuracy
    equalOpportunity = run.equalOpportunity
    bytes = run.bytes
    summary = run.summary
    settings = run.settings
    fingerprints = run.fingerprints
    results = run.results
    files = run.files
    hasReport = run.files["report"].map { FileManager.default.fileExists(atPath: $0) } ?? false
    self.events = events
  }
}
