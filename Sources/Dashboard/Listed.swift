import Foundation
import Hummingbird
import Store

/// A part of the list of runs, as the page's script gets it.
struct Listed: Encodable {
  struct Line: Encodable {
    var id: Int64
    var kind: Run.Kind
    var title: String
    var state: Run.Standing
    var started: Date
    var progress: String?
    var accuracy: Double?
    var equalOpportunity: Double?
    var bytes: Int?
    /// Its beginning: two lines of a table.
    var summary: String?
  }

  /// So many characters of a summary are in a list.
  private static let lengthOfSummary = 160

  var total: Int
  var found: Int
  var runs: [Line]

  init(_ page: RunPage) {
    total = page.total
    found = page.found
    runs = page.lines.map { line in
      Line(
        id: line.id, kind: line.kind, title: line.title, state: line.standing(),
        started: line.started, progress: line.progress, accuracy: line.accuracy,
        equalOpportunity: line.equalOpportunity, bytes: line.bytes,
        summary: line.summary.map(Self.beginning))
    }
  }

  private static func beginning(_ text: String) -> String {
    let beginning = text.prefix(lengthOfSummary)
    return beginning.endIndex == text.endIndex ? text : "\(beginning)…"
  }
}

extension RunSelection {
  /// At most so many runs are in one answer.
  private static let most = 500

  /// What the query of `request` asks for; without one the latest 50.
  ///
  /// - Throws: `HTTPError` 400 when it makes no sense.
  init(_ request: Request, _ context: BasicRequestContext) throws {
    struct Query: Decodable {
      var kind: Run.Kind?
      var state: Run.Standing?
      var search: String?
      var order: Order?
      var descending: Bool?
      var from: Int?
      var count: Int?
    }
    guard let query = try? request.uri.decodeQuery(as: Query.self, context: context),
      case let (from, count) = (query.from ?? 0, query.count ?? 50),
      from >= 0, (0...Self.most).contains(count)
    else {
      throw HTTPError(
        .badRequest,
        message: "Wanted: kind, state, search, order, descending (true or false), from, and count "
          + "(at most \(Self.most)).")
    }
    self.init()
    kind = query.kind
    standing = query.state
    text = query.search
    order = query.order ?? order
    isDescending = query.descending ?? isDescending
    offset = from
    limit = count
  }
}
