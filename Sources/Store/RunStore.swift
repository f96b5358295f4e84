public import Foundation
import GRDB

/// A SQLite file with one row for every run.
///
/// Several processes may write at once: every change is a transaction, readers never wait for
/// writers (write-ahead logging), and writers wait for each other for up to five seconds.
public struct RunStore: Sendable {
  /// The file.
  public let path: String
  private let queue: DatabaseQueue

  /// Opens the store at `path`, makes it when there is none, and brings an older one up to date.
  ///
  /// - Parameter path: The file; its folder exists.
  /// - Throws: ``StoreError`` when it cannot be opened, is damaged, belongs to another program, or
  ///   is of a later version; the file is then left as it was.
  public init(path: String) throws(StoreError) {
    self.path = path
    var configuration = Configuration()
    configuration.busyMode = .timeout(5)
    // With write-ahead logging a power cut may cost the last notes, and never the store.
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = normal") }
    do {
      queue = try DatabaseQueue(path: path, configuration: configuration)
      try queue.read { try Self.examine($0, path) }
      // Only now that the file is known to be ours: it is written to.
      try Self.prepare(queue)
    } catch let error as StoreError {
      throw error
    } catch {
      throw StoreError(path, error)
    }
  }

  private static func examine(_ database: Database, _ path: String) throws {
    // The list of migrations is made before the first of them: another process may be there by now.
    let tables =
      try Int.fetchOne(
        database,
        sql: "SELECT count(*) FROM sqlite_master WHERE tbl_name <> 'grdb_migrations'") ?? 0
    let found = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    guard tables == 0 || found == mark else {
      throw StoreError(path, "belongs to another program; name another file with --store")
    }
    guard try !migrator.hasBeenSuperseded(database) else {
      throw StoreError(path, "was written by a later version of equant; use that, or --store")
    }
  }

  private static func prepare(_ queue: DatabaseQueue) throws {
    do {
      try queue.inDatabase { try $0.execute(sql: "PRAGMA journal_mode = wal") }
    } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
      // Another process opens the same new file, and does it for both.
    }
    for attempt in 1... {
      do {
        return try migrator.migrate(queue)
      } catch  where attempt < 5 {
        // Another process may have taken the same step in between; the next look tells.
        if try queue.read(migrator.hasCompletedMigrations) { return }
      }
    }
  }

  /// Where runs are kept unless told otherwise: `$XDG_DATA_HOME/equant/runs.sqlite`.
  ///
  /// - Parameter environment: The process's variables.
  /// - Returns: The path; its folder need not be there.
  public static func standardPath(in environment: [String: String]) -> String {
    // The specification: a relative path there is to be ignored.
    let data = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    return
      "\(data ?? "\(environment["HOME"] ?? NSHomeDirectory())/.local/share")/equant/runs.sqlite"
  }

  /// Tells a run store from other programs' SQLite files: `EQNT` as a number.
  private static let mark = 0x4551_4e54

  /// Each step is kept as it was once released; later versions add steps.
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("runs") { database in
      try database.execute(sql: "PRAGMA application_id = \(mark)")
      try database.create(table: "run") { table in
        table.autoIncrementedPrimaryKey("id")
        table.column("kind", .text).notNull()
        table.column("title", .text).notNull()
        table.column("state", .text).notNull()
        table.column("started", .double).notNull().indexed()
        table.column("updated", .double).notNull()
        table.column("process", .integer).notNull()
        table.column("accuracy", .double)
        table.column("equalOpportunity", .double)
        table.column("bytes", .integer)
        table.column("summary", .text)
        for name in ["settings", "fingerprints", "results", "files"] {
          table.column(name, .text).notNull()
        }
      }
    }
    migrator.registerMigration("events") { database in
      try database.alter(table: "run") { $0.add(column: "progress", .text) }
      try database.create(table: "event") { table in
        table.autoIncrementedPrimaryKey("id")
        table.column("run", .integer).notNull().indexed()
          .references("run", onDelete: .cascade)
        table.column("time", .double).notNull()
        table.column("text", .text).notNull()
      }
    }
    return migrator
  }
}

extension RunStore {
  /// Stores a run that begins.
  ///
  /// - Returns: The store's number for it.
  public func begin(_ run: Run) throws(StoreError) -> Int64 {
    try write { database in
      var record = RunRecord(run)
      try record.insert(database)
      return database.lastInsertedRowID
    }
  }

  /// Replaces what is stored of a run; one that was removed in the meantime stays removed.
  public func update(_ run: Run) throws(StoreError) {
    try write { database in
      do { try RunRecord(run).update(database) } catch RecordError.recordNotFound { return }
    }
  }

  /// Adds an event to a run and notes that it is alive.
  public func tell(_ text: String, of run: Int64, at time: Date = .now) throws(StoreError) {
    try write { database in
      let seconds = time.timeIntervalSince1970
      try database.execute(
        sql: "UPDATE run SET updated = ? WHERE id = ?", arguments: [seconds, run])
      guard database.changesCount > 0 else { return }
      try database.execute(
        sql: "INSERT INTO event (run, time, text) VALUES (?, ?, ?)",
        arguments: [run, seconds, text])
    }
  }

  /// Notes that a run is alive, and how far it is.
  public func note(_ progress: String?, of run: Int64, at time: Date = .now) throws(StoreError) {
    try write { database in
      try database.execute(
        sql: "UPDATE run SET updated = ?, progress = ? WHERE id = ?",
        arguments: [time.timeIntervalSince1970, progress, run])
    }
  }

  /// Runs without their settings and results; SQLite filters and orders all, and gives a part.
  ///
  /// - Parameters:
  ///   - selection: Which, in which order, and which part.
  ///   - now: When it is: a running run that was not heard of lately is lost.
  /// - Returns: The part, and how many there are.
  /// - Throws: ``StoreError`` when the store cannot be read.
  public func list(
    _ selection: RunSelection = RunSelection(), at now: Date = .now
  ) throws(StoreError) -> RunPage {
    let conditions = """
      (:kind IS NULL OR kind = :kind)
      AND (:standing IS NULL OR :standing =
        CASE WHEN state = 'running' AND updated <= :dead THEN 'lost' ELSE state END)
      AND (:text IS NULL OR instr(lower(title), lower(:text)) > 0
        OR instr(lower(summary), lower(:text)) > 0)
      """
    let arguments: StatementArguments = [
      "kind": selection.kind?.rawValue, "standing": selection.standing?.rawValue,
      "text": selection.text, "dead": now.timeIntervalSince1970 - Run.State.silence,
    ]
    let isAll = selection.kind == nil && selection.standing == nil && selection.text == nil
    return try read { database in
      let total = try Int.fetchOne(database, sql: "SELECT count(*) FROM run") ?? 0
      let found =
        isAll
        ? total
        : try Int.fetchOne(
          database, sql: "SELECT count(*) FROM run WHERE \(conditions)", arguments: arguments) ?? 0
      let rows = try Row.fetchCursor(
        database,
        sql: """
          SELECT \(RunLine.columns) FROM run WHERE \(conditions)
          ORDER BY \(selection.order.words(isDescending: selection.isDescending))
          LIMIT :limit OFFSET :offset
          """,
        arguments: arguments + ["limit": selection.limit ?? -1, "offset": selection.offset])
      return RunPage(total: total, found: found, lines: try Array(rows.map(RunLine.init(row:))))
    }
  }

  /// All that is stored of a run; nil when there is no such run.
  public func run(_ id: Int64) throws(StoreError) -> Run? {
    try read { try RunRecord.fetchOne($0, key: id)?.run }
  }

  /// What a run told, in order.
  ///
  /// - Parameters:
  ///   - run: The store's number of the run.
  ///   - last: Only what was told after the event of this number.
  /// - Returns: Events, the earliest first.
  /// - Throws: ``StoreError`` when the store cannot be read.
  public func events(of run: Int64, after last: Int64 = 0) throws(StoreError) -> [RunEvent] {
    try read { database in
      let rows = try Row.fetchCursor(
        database, sql: "SELECT id, time, text FROM event WHERE run = ? AND id > ? ORDER BY id",
        arguments: [run, last])
      return try Array(rows.map(RunEvent.init(row:)))
    }
  }

  /// Removes a run from the store; its files stay.
  ///
  /// - Returns: Whether there was one.
  public func remove(_ id: Int64) throws(StoreError) -> Bool {
    try write { try RunRecord.deleteOne($0, key: id) }
  }

  private func read<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    do { return try queue.read(body) } catch { throw StoreError(path, error) }
  }

  private func write<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    do { return try queue.write(body) } catch { throw StoreError(path, error) }
  }
}
