import Foundation
import GRDB
import TestSupport
import Testing

@testable import Store

@Suite struct RunStoreTests {
  private func path() throws -> String { try temporaryFolder() + "/runs.sqlite" }

  private func run(_ title: String, at seconds: Double = 0) -> Run {
    Run(
      .train, title: title, settings: ["epochs": "5"], fingerprints: ["data": "abc"],
      files: ["model": "/x/y.onnx"], started: Date(timeIntervalSince1970: seconds))
  }

  @Test func `what is stored is read back`() throws {
    let store = try RunStore(path: path())
    var run = run("it's \"a\" title; DROP TABLE run", at: 1000.25)
    let id = try store.begin(run)
    run.id = id
    run.state = .finished
    run.accuracy = 0.75
    run.results = ["accuracy": 0.75]
    run.summary = "done"
    try store.update(run)
    #expect(try store.run(id) == run)
    #expect(try RunStore(path: store.path).run(id) == run)
    let line = try #require(try store.list().first)
    #expect(line.title == run.title && line.accuracy == 0.75 && line.started == run.started)
  }

  @Test func `what is noted shows how far a run is, and that it lives`() throws {
    let store = try RunStore(path: path())
    let id = try store.begin(run("x", at: 0))
    try store.note("epoch 1/2", of: id, at: Date(timeIntervalSince1970: 50))
    let line = try #require(try store.list().first)
    #expect(line.progress == "epoch 1/2" && line.updated == Date(timeIntervalSince1970: 50))
    #expect(line.isAlive(at: Date(timeIntervalSince1970: 100)))
    #expect(!line.isAlive(at: Date(timeIntervalSince1970: 111)))
  }

  @Test func `a list is the latest first, and is filtered`() throws {
    let store = try RunStore(path: path())
    for (number, title) in ["a", "b 100%", "ab"].enumerated() {
      _ = try store.begin(run(title, at: Double(number)))
    }
    #expect(try store.list().map(\.title) == ["ab", "b 100%", "a"])
    #expect(try store.list(text: "b").map(\.title) == ["ab", "b 100%"])
    #expect(try store.list(text: "%").map(\.title) == ["b 100%"])
    #expect(try store.list(kind: .study).isEmpty)
    #expect(try store.list(limit: 1).count == 1)
  }

  @Test func `events belong to their run and go with it`() throws {
    let store = try RunStore(path: path())
    let (one, two) = (try store.begin(run("one")), try store.begin(run("two")))
    for text in ["a", "b"] { try store.tell(text, of: one, at: Date(timeIntervalSince1970: 9)) }
    try store.tell("c", of: two)
    let events = try store.events(of: one)
    #expect(events.map(\.text) == ["a", "b"])
    #expect(try store.events(of: one, after: events[0].id).map(\.text) == ["b"])
    #expect(try store.run(one)?.updated == Date(timeIntervalSince1970: 9))
    #expect(try store.remove(one))
    #expect(try !store.remove(one))
    try store.tell("late", of: one)
    #expect(try store.events(of: one).isEmpty)
    #expect(try store.events(of: two).count == 1)
  }

  @Test func `many writers lose nothing`() async throws {
    // No store is there yet: they also make it at once.
    let path = try path()
    try await withThrowingTaskGroup { group in
      for writer in 0..<4 {
        group.addTask {
          // A connection of its own, as another process has.
          let store = try RunStore(path: path)
          for number in 0..<25 {
            let id = try store.begin(self.run("\(writer)-\(number)"))
            try store.tell("event", of: id)
          }
        }
      }
      try await group.waitForAll()
    }
    let store = try RunStore(path: path)
    #expect(Set(try store.list().map(\.title)).count == 100)
  }

  @Test func `a store of an older version migrates`() throws {
    let path = try path()
    let queue = try DatabaseQueue(path: path)
    try RunStore.migrator.migrate(queue, upTo: "runs")
    try queue.write { database in
      // As version 1 wrote it.
      try database.execute(
        sql: """
          INSERT INTO run (kind, title, state, started, updated, process, settings, fingerprints,
            results, files)
          VALUES ('train', 'old', 'finished', 1, 2, 3, '{"epochs":"5"}', '{}', '{"a":0.5}', '{}')
          """)
    }
    try queue.close()
    let store = try RunStore(path: path)
    let line = try #require(try store.list().first)
    #expect(line.title == "old" && line.progress == nil)
    #expect(try store.run(line.id)?.settings == ["epochs": "5"])
    #expect(try store.run(line.id)?.results == ["a": 0.5])
    try store.tell("new", of: line.id)
    #expect(try store.events(of: line.id).count == 1)
  }

  @Test func `a store of a later version is refused and left alone`() throws {
    let path = try path()
    let store = try RunStore(path: path)
    _ = try store.begin(run("kept"))
    let queue = try DatabaseQueue(path: path)
    try queue.write {
      try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('of the future')")
    }
    let error = #expect(throws: StoreError.self) { try RunStore(path: path) }
    #expect(error?.problem.contains("later version") == true)
    #expect(try store.list().count == 1)
  }

  @Test func `what is no store is refused with a way out`() throws {
    let path = try path()
    try Data(repeating: 0x41, count: 5000).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: StoreError.self) { try RunStore(path: path) }
    #expect(error?.description.contains("is damaged or is not a run store; move it away") == true)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count == 5000)

    let other = try self.path()
    let queue = try DatabaseQueue(path: other)
    try queue.write { try $0.execute(sql: "CREATE TABLE theirs (x)") }
    let stranger = #expect(throws: StoreError.self) { try RunStore(path: other) }
    #expect(stranger?.problem.contains("another program") == true)

    let nowhere = #expect(throws: StoreError.self) { try RunStore(path: "/no/such/folder/x") }
    #expect(nowhere?.problem.contains("no such folder") == true)
  }

  @Test func `a store that another process holds is one line`() throws {
    let path = try path()
    let store = try RunStore(path: path)
    let holder = try DatabaseQueue(path: path)
    try holder.inDatabase { database in
      try database.execute(sql: "BEGIN IMMEDIATE")
      // Reading goes on; writing waits, and then says why not.
      #expect(try store.list().isEmpty)
      let error = #expect(throws: StoreError.self) { try store.begin(self.run("x")) }
      #expect(error?.problem.contains("is held by another process") == true)
      try database.execute(sql: "ROLLBACK")
    }
    _ = try store.begin(run("x"))
  }

  @Test func `a row that makes no sense is one line`() throws {
    let path = try path()
    let store = try RunStore(path: path)
    let id = try store.begin(run("x"))
    let queue = try DatabaseQueue(path: path)
    try queue.write { try $0.execute(sql: "UPDATE run SET settings = '{', kind = 'bread'") }
    for body in [{ _ = try store.run(id) }, { _ = try store.list() }] {
      let error = #expect(throws: StoreError.self) { try body() }
      #expect(error?.problem.contains("damaged") == true)
      #expect(error?.description.split(separator: "\n").count == 1)
    }
  }

  @Test func `the standard place follows the XDG specification`() {
    #expect(
      RunStore.standardPath(in: ["HOME": "/h"]) == "/h/.local/share/equant/runs.sqlite")
    #expect(
      RunStore.standardPath(in: ["HOME": "/h", "XDG_DATA_HOME": "/d"]) == "/d/equant/runs.sqlite")
    #expect(
      RunStore.standardPath(in: ["HOME": "/h", "XDG_DATA_HOME": "d"])
        == "/h/.local/share/equant/runs.sqlite")
  }

  @Test func `a damaged page is one line`() throws {
    let path = try path()
    let queue = try DatabaseQueue(path: path)
    try RunStore.migrator.migrate(queue)
    try queue.close()
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    for place in 100..<bytes.count { bytes[place] = 0xff }
    try bytes.write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: StoreError.self) { try RunStore(path: path).list() }
    #expect(error?.description.split(separator: "\n").count == 1)
  }

  @Test func `the list as JSON says the same, and its mark when it changes`() throws {
    let store = try RunStore(path: path())
    let now = Date(timeIntervalSince1970: 1000)
    #expect(try store.listAsJSON(at: now) == Data("[]".utf8))
    var marks = [try store.mark(at: now)]
    var first = run("a \"<b>\" \u{e9}\n", at: 0.25)
    first.id = try store.begin(first)
    marks.append(try store.mark(at: now))
    _ = try store.begin(run("alive", at: 990))
    first.state = .finished
    first.accuracy = 1.0 / 3
    first.updated = now
    try store.update(first)
    marks.append(try store.mark(at: now))
    _ = try store.begin(run("dead", at: 500))
    marks.append(try store.mark(at: now))
    marks.append(try store.mark(at: Date(timeIntervalSince1970: 1100)))
    #expect(Set(marks).count == marks.count)
    struct Line: Decodable {
      var id: Int64
      var kind: String
      var title: String
      var state: String
      var started: Double
      var accuracy: Double?
      var bytes: Int?
    }
    let lines = try JSONDecoder().decode([Line].self, from: store.listAsJSON(at: now))
    #expect(lines.map(\.title) == ["alive", "dead", first.title])
    #expect(lines.map(\.state) == ["running", "lost", "finished"])
    #expect(lines.map(\.id) == (try store.list().map(\.id)))
    #expect(
      abs((lines[2].accuracy ?? 0) - 1.0 / 3) < 1e-14 && lines[2].started == 0.25
        && lines[2].bytes == nil)
  }

  @Test func `ten thousand runs list quickly`() throws {
    let path = try path()
    let store = try RunStore(path: path)
    let first = try store.begin(run("run", at: 0))
    let queue = try DatabaseQueue(path: path)
    try queue.write { database in
      try database.execute(
        sql: """
          INSERT INTO run SELECT n + 1, kind, title || ' ' || n, state, n, updated, process,
            accuracy, equalOpportunity, bytes, summary, settings, fingerprints, results, files,
            progress
          FROM run, (WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c LIMIT 9999)
            SELECT n FROM c) WHERE id = ?
          """, arguments: [first])
    }
    // The best of five: the other tests run at the same time.
    let clock = ContinuousClock()
    let time =
      try (0..<5).map { _ in
        try clock.measure {
          let lines = try store.list()
          #expect(lines.count == 10_000 && lines[0].title == "run 9999")
        }
      }.min() ?? .zero
    var text = Data()
    let textTime =
      try (0..<5).map { _ in try clock.measure { text = try store.listAsJSON() } }.min() ?? .zero
    #expect(try (JSONSerialization.jsonObject(with: text) as? [Any])?.count == 10_000)
    print("10 000 runs listed in \(time), as JSON in \(textTime)")
  }

  @Test func `a silent run is not alive`() {
    var run = run("x", at: 0)
    #expect(!run.isAlive(at: Date(timeIntervalSince1970: 1000)))
    #expect(run.isAlive(at: Date(timeIntervalSince1970: 10)))
    run.state = .finished
    #expect(run.isAlive(at: Date(timeIntervalSince1970: 1000)))
  }
}
