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
    let line = try #require(try store.list().lines.first)
    #expect(line.title == run.title && line.accuracy == 0.75 && line.started == run.started)
  }

  @Test func `what is noted shows how far a run is, and that it lives`() throws {
    let store = try RunStore(path: path())
    let id = try store.begin(run("x", at: 0))
    try store.note("epoch 1/2", of: id, at: Date(timeIntervalSince1970: 50))
    let line = try #require(try store.list().lines.first)
    #expect(line.progress == "epoch 1/2" && line.updated == Date(timeIntervalSince1970: 50))
    #expect(line.standing(at: Date(timeIntervalSince1970: 100)) == .running)
    #expect(line.standing(at: Date(timeIntervalSince1970: 111)) == .lost)
  }

  @Test func `a list is the latest first, and is filtered`() throws {
    let store = try RunStore(path: path())
    for (number, title) in ["a", "b 100%", "ab"].enumerated() {
      var run = run(title, at: Double(number))
      run.summary = number == 0 ? "MADE it" : nil
      _ = try store.begin(run)
    }
    func titles(_ change: (inout RunSelection) -> Void) throws -> [String] {
      var selection = RunSelection()
      change(&selection)
      let page = try store.list(selection)
      #expect(page.total == 3 && (page.found == page.lines.count || selection.limit != nil))
      return page.lines.map(\.title)
    }
    #expect(try titles { _ in } == ["ab", "b 100%", "a"])
    #expect(try titles { $0.text = "B" } == ["ab", "b 100%"])
    #expect(try titles { $0.text = "%" } == ["b 100%"])
    #expect(try titles { $0.text = "made" } == ["a"])
    #expect(try titles { $0.kind = .study }.isEmpty)
    #expect(try titles { $0.limit = 1 } == ["ab"])
    #expect(try titles { ($0.limit, $0.offset) = (2, 1) } == ["b 100%", "a"])
    #expect(
      try titles {
        $0.offset = 3; $0.limit = 2
      }.isEmpty)
  }

  @Test(arguments: RunSelection.Order.allCases)
  func `every column orders as its values do, and what is not known comes last`(
    order: RunSelection.Order
  ) throws {
    let store = try RunStore(path: path())
    for number in 0..<40 {
      var run = run("run \("aBcDe".randomElement()!)", at: Double(Int.random(in: 0..<9)))
      run.kind = try #require(Run.Kind.allCases.randomElement())
      run.state = try #require(Run.State.allCases.randomElement())
      if number % 3 > 0 {
        run.accuracy = Double(Int.random(in: 0..<9))
        run.equalOpportunity = Double(Int.random(in: 0..<9))
        run.bytes = Int.random(in: 0..<9)
        run.summary = ["x", "Y", "z"].randomElement()
      }
      _ = try store.begin(run)
    }
    func key(_ line: RunLine) -> (number: Double?, text: String?) {
      switch order {
      case .id: (Double(line.id), nil)
      case .kind: (nil, line.kind.rawValue)
      case .title: (nil, line.title.lowercased())
      case .state: (nil, line.state.rawValue)
      case .started: (line.started.timeIntervalSince1970, nil)
      case .accuracy: (line.accuracy, nil)
      case .equalOpportunity: (line.equalOpportunity, nil)
      case .bytes: (line.bytes.map(Double.init), nil)
      case .summary: (nil, line.summary?.lowercased())
      }
    }
    let all = try store.list().lines
    for isDescending in [true, false] {
      let expected = all.sorted { a, b in
        let (x, y) = (key(a), key(b))
        let isKnown = (x.number != nil || x.text != nil, y.number != nil || y.text != nil)
        if isKnown.0 != isKnown.1 { return isKnown.0 }
        if let p = x.number, let q = y.number, p != q { return (p < q) != isDescending }
        if let p = x.text, let q = y.text, p != q { return (p < q) != isDescending }
        return (a.id < b.id) != isDescending
      }
      var selection = RunSelection()
      (selection.order, selection.isDescending) = (order, isDescending)
      #expect(try store.list(selection).lines.map(\.id) == expected.map(\.id))
    }
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
    #expect(Set(try store.list().lines.map(\.title)).count == 100)
  }

  /// What another process sees between the first two transactions of making a store.
  @Test func `a store that is just being made is ours`() throws {
    let path = try path()
    let queue = try DatabaseQueue(path: path)
    try RunStore.migrator.migrate(queue, upTo: "runs")
    let lists = try queue.read {
      try String.fetchAll(
        $0, sql: "SELECT sql FROM sqlite_master WHERE name = 'grdb_migrations'")
    }
    try queue.close()
    try FileManager.default.removeItem(atPath: path)
    let other = try DatabaseQueue(path: path)
    try other.write { try $0.execute(sql: #require(lists.first)) }
    try other.close()
    #expect(try RunStore(path: path).list().lines.isEmpty)
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
    let line = try #require(try store.list().lines.first)
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
    #expect(try store.list().total == 1)
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
      #expect(try store.list().lines.isEmpty)
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

  @Test func `a list is filtered by how far runs are, lost ones among them`() throws {
    let store = try RunStore(path: path())
    _ = try store.begin(run("alive", at: 990))
    _ = try store.begin(run("dead", at: 500))
    var ended = run("ended", at: 1)
    ended.state = .finished
    _ = try store.begin(ended)
    let now = Date(timeIntervalSince1970: 1000)
    for (standing, title) in [
      (Run.Standing.running, "alive"), (.lost, "dead"), (.finished, "ended"), (.failed, nil),
    ] {
      var selection = RunSelection()
      selection.standing = standing
      let page = try store.list(selection, at: now)
      #expect(page.lines.map(\.title) == [title].compactMap(\.self))
      #expect(page.lines.allSatisfy { $0.standing(at: now) == standing })
    }
  }

  @Test func `ten thousand runs are listed in parts, each once`() throws {
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
    var selection = RunSelection()
    selection.limit = 50
    var found: [Int64] = []
    repeat {
      selection.offset = found.count
      let page = try store.list(selection)
      #expect(page.total == 10_000 && page.found == 10_000)
      found += page.lines.map(\.id)
    } while found.count % 50 == 0 && found.count < 10_000
    #expect(found == [10_000] + (1..<10_000).reversed().map(Int64.init))
  }

  @Test func `a silent run is lost`() {
    var run = run("x", at: 0)
    #expect(run.standing(at: Date(timeIntervalSince1970: 1000)) == .lost)
    #expect(run.standing(at: Date(timeIntervalSince1970: 10)) == .running)
    run.state = .finished
    #expect(run.standing(at: Date(timeIntervalSince1970: 1000)) == .finished)
  }
}
