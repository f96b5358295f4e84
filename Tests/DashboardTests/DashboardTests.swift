import Foundation
import TestSupport
import Testing

@testable import Dashboard
@testable import Store

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A dashboard on a free port of this machine, asked as a browser asks.
@Suite struct DashboardTests {
  let store: RunStore

  init() throws { store = try RunStore(path: temporaryFolder() + "/runs.sqlite") }

  /// Serves while `body` asks; ends as on a signal.
  private func serving(
    token: String? = nil, _ body: (String) async throws -> Void
  ) async throws {
    var settings = Dashboard.Settings()
    settings.port = 0
    settings.token = token
    let dashboard = Dashboard(store, settings)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let server = Task {
      defer { continuation.finish() }
      try await dashboard.run { continuation.yield($0) }
    }
    var found: Int?
    for await port in ports {
      found = port
      break
    }
    do {
      try await body("http://127.0.0.1:\(try #require(found))")
    } catch {
      server.cancel()
      throw error
    }
    server.cancel()
    _ = await server.result
  }

  private func ask(
    _ address: String, method: String = "GET", headers: [String: String] = [:]
  ) async throws -> (status: Int, headers: [String: String], body: Data) {
    var request = URLRequest(url: try #require(URL(string: address)))
    request.httpMethod = method
    request.cachePolicy = .reloadIgnoringLocalAndRemoteCacheData
    // Other tests keep all cores busy; the server gets its turn, though not soon.
    request.timeoutInterval = 900
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    let session = URLSession(configuration: .ephemeral, delegate: Follow(), delegateQueue: nil)
    let (body, response) = try await session.data(for: request)
    session.invalidateAndCancel()
    let http = try #require(response as? HTTPURLResponse)
    var found: [String: String] = [:]
    for (name, value) in http.allHeaderFields { found["\(name)".lowercased()] = "\(value)" }
    return (http.statusCode, found, body)
  }

  /// Follows no redirection: where it leads is what the tests look at.
  private final class Follow: NSObject, URLSessionTaskDelegate, Sendable {
    func urlSession(
      _ session: URLSession, task: URLSessionTask,
      willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
      completionHandler: @escaping (URLRequest?) -> Void
    ) { completionHandler(nil) }
  }

  private func text(_ data: Data) -> String { String(decoding: data, as: UTF8.self) }

  @Test func `the page and its files ask nothing of anyone else`() async throws {
    try await serving { (root) async throws in
      for (path, type) in [
        ("/", "text/html; charset=utf-8"), ("/dashboard.css", "text/css; charset=utf-8"),
        ("/dashboard.js", "text/javascript; charset=utf-8"),
      ] {
        let answer = try await ask(root + path)
        #expect(answer.status == 200 && answer.headers["content-type"] == type)
        #expect(answer.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
        #expect(answer.headers["x-content-type-options"] == "nosniff")
        #expect(!text(answer.body).contains("//cdn") && !text(answer.body).contains("https://"))
        let head = try await ask(root + path, method: "HEAD")
        #expect(head.status == 200 && head.body.isEmpty)
      }
      #expect(try await ask(root + "/nothing").status == 404)
    }
  }

  @Test func `runs are listed and shown, and nothing can be changed`() async throws {
    // Heard of an hour from now: a test that waits for its turn would find the run lost otherwise.
    var run = Run(.train, title: "<script>x</script>", settings: ["epochs": "3"])
    run.updated = .now + 3600
    let id = try store.begin(run)
    try store.tell("epoch 1", of: id, at: .now + 3600)
    try await serving { (root) async throws in
      let list = try await ask(root + "/api/runs")
      #expect(list.status == 200 && list.headers["content-type"] == "application/json")
      #expect(list.headers["cache-control"] == "no-store")
      let line = try #require(try JSONDecoder().decode(Page.self, from: list.body).runs.first)
      #expect(line.title == "<script>x</script>" && line.state == "running")
      #expect(line.started == run.started.timeIntervalSince1970)
      try store.tell("epoch 2", of: id, at: .now + 3601)
      struct One: Decodable {
        struct Event: Decodable { var text: String }
        var title: String
        var state: String
        var settings: [String: String]
        var events: [Event]
      }
      let one = try JSONDecoder().decode(One.self, from: try await ask(root + "/api/runs/1").body)
      #expect(one.title == "<script>x</script>" && one.state == "running")
      #expect(one.settings == ["epochs": "3"] && one.events.map(\.text) == ["epoch 1", "epoch 2"])
      #expect(try await ask(root + "/api/runs/7").status == 404)
      #expect(try await ask(root + "/api/runs/x").status == 404)
      for method in ["POST", "PUT", "DELETE"] {
        #expect(try await ask(root + "/api/runs/1", method: method).status == 405)
      }
      #expect(try store.list().total == 1)
    }
  }

  @Test func `a report is opened in a sandbox, and nothing else is`() async throws {
    let folder = try temporaryFolder()
    let page = "<!DOCTYPE html>\n<title>x</title>"
    try page.write(toFile: "\(folder)/report.html", atomically: true, encoding: .utf8)
    try "root:x".write(toFile: "\(folder)/secret.html", atomically: true, encoding: .utf8)
    for path in ["\(folder)/report.html", "\(folder)/secret.html", "/etc/passwd", "/no/x.html"] {
      _ = try store.begin(Run(.study, title: "s", files: ["report": path]))
    }
    _ = try store.begin(Run(.train, title: "t"))
    try await serving { (root) async throws in
      let answer = try await ask(root + "/runs/1/report")
      #expect(answer.status == 200 && text(answer.body) == page)
      let policy = try #require(answer.headers["content-security-policy"])
      #expect(policy.contains("default-src 'none'") && policy.contains("sandbox allow-scripts"))
      #expect(!policy.contains("allow-same-origin"))
      for run in 2...5 {
        #expect(try await ask(root + "/runs/\(run)/report").status == 404)
      }
    }
  }

  @Test func `a foreign name is turned away`() async throws {
    try await serving { (root) async throws in
      #expect(try await ask(root + "/", headers: ["Host": "evil.example"]).status == 403)
      #expect(try await ask(root + "/", headers: ["Host": "localhost:1"]).status == 200)
      #expect(try await ask(root + "/", headers: ["Host": "[::1]:1"]).status == 200)
      #expect(try await ask(root + "/", headers: ["Host": "localhost.evil"]).status == 403)
    }
  }

  @Test func `a token opens, and only the right one`() async throws {
    let token = "0123456789abcdef"
    try await serving(token: token) { root in
      for path in ["/", "/dashboard.js", "/api/runs", "/runs/1/report"] {
        #expect(try await ask(root + path).status == 401)
        #expect(try await ask(root + path + "?token=0123456789abcdeg").status == 401)
      }
      let opened = try await ask(root + "/?token=\(token)")
      #expect(opened.status == 303 && opened.headers["location"] == "/")
      let cookie = try #require(opened.headers["set-cookie"])
      #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"))
      #expect(
        try await ask(root + "/api/runs", headers: ["Cookie": "equant=\(token)"]).status == 200)
      #expect(
        try await ask(root + "/api/runs", headers: ["Authorization": "Bearer \(token)"]).status
          == 200)
    }
  }

  @Test func `whoever follows a run hears all of it, and its end`() async throws {
    let store = store
    var run = Run(.train, title: "t")
    let id = try store.begin(run)
    try store.tell("before", of: id)
    try store.tell("one\ntwo", of: id)
    run.id = id
    run.state = .finished
    run.summary = "done"
    try store.update(run)
    try await serving { (root) async throws in
      let answer = try await ask(root + "/api/runs/\(id)/follow")
      #expect(answer.headers["content-type"] == "text/event-stream")
      let messages = text(answer.body).components(separatedBy: "\n\n").filter { !$0.isEmpty }
      #expect(messages.allSatisfy { $0.components(separatedBy: "\n").count == 2 })
      let told = messages.filter { $0.hasPrefix("event: told") }.joined()
      #expect(told.contains("before") && told.contains("one\\ntwo"), "\(messages)")
      let end = try #require(messages.last)
      #expect(end.hasPrefix("event: end") && end.contains("finished"))
    }
  }

  @Test func `secrets are compared whole`() {
    #expect(Doorkeeper.equal("abc", "abc"))
    #expect(!Doorkeeper.equal("abc", "abd") && !Doorkeeper.equal("abc", "ab"))
    #expect(!Doorkeeper.equal("", "a") && Doorkeeper.equal("", ""))
  }

  private struct Page: Decodable {
    struct Line: Decodable {
      var id: Int
      var title: String
      var state: String
      var started: Double
    }
    var total: Int
    var found: Int
    var runs: [Line]
  }

  @Test func `a part of the list is what was asked for`() async throws {
    for number in 0..<60 {
      var run = Run(.train, title: "run + \(number) 100%", started: .now - Double(number))
      run.state = number % 2 == 0 ? .finished : .failed
      _ = try store.begin(run)
    }
    _ = try store.begin(Run(.study, title: "é", started: .now - 1e6))
    try await serving { (root) async throws in
      func page(_ query: String) async throws -> Page {
        try JSONDecoder().decode(Page.self, from: try await ask(root + "/api/runs?" + query).body)
      }
      let all = try await page("")
      #expect(all.total == 61 && all.found == 61 && all.runs.map(\.id) == Array(1...50))
      #expect(try await page("from=50&count=20").runs.map(\.id) == Array(51...61))
      let some = try await page("state=failed&kind=train&order=id&descending=false&count=3")
      #expect(some.found == 30 && some.runs.map(\.id) == [2, 4, 6])
      #expect(try await page("search=%C3%A9").runs.map(\.id) == [61])
      #expect(try await page("search=RUN%20%2B%207%20100%25").runs.map(\.id) == [8])
      for wrong in ["from=-1", "count=501", "order=settings", "kind=bread", "count=x"] {
        let answer = try await ask(root + "/api/runs?" + wrong)
        #expect(answer.status == 400 && text(answer.body).contains("Wanted: kind"), "\(wrong)")
      }
    }
  }
}
