import Fairness
import Files
import Foundation
import TestSupport
import Testing

@testable import Predictions

@Suite struct CountsTests {
  private static func rows(_ seed: UInt64, _ count: Int) -> String {
    var random = SystemlessRandom(state: seed)
    var text = "id,label,score,group,age\n"
    for i in 0..<count {
      let score = Double(random.below(1001)) / 1000
      text += "\(i),\(random.below(2)),\(score),g\(random.below(3)),a\(random.below(2))\n"
    }
    return text
  }

  @Test func `parts add up to the whole, through JSON`() throws {
    let (whole, first, second) = (
      Self.rows(1, 900), Self.rows(1, 400), Self.rows(1, 900)
    )
    let tail =
      "id,label,score,group,age\n"
      + second.split(separator: "\n").dropFirst(401).joined(separator: "\n") + "\n"
    let all = try withFile(whole) { try AuditCounts.reading($0).counts }
    var parts: AuditCounts?
    for text in [first, tail] {
      let part = try withFile(text) { try AuditCounts.reading($0).counts }
      let read = try withFile(String(decoding: part.json(), as: UTF8.self)) {
        try AuditCounts.readingCounts($0)
      }
      #expect(read == part)
      if parts == nil { parts = part } else { try parts?.merge(part) }
    }
    parts?.sortGroups()
    #expect(parts?.tally == all.tally)
    #expect(parts?.groups.map(\.positives) == all.groups.map(\.positives))
  }

  @Test func `counts at another threshold are refused`() throws {
    var counts = AuditCounts(names: ["a"], threshold: 0.5)
    #expect(throws: FairnessError.self) {
      try counts.merge(AuditCounts(names: ["a"], threshold: 0.4))
    }
  }

  @Test(arguments: [
    "{", "{}", #"{"bins":0,"groups":[],"threshold":0.5}"#, "a,b\n1,2\n",
    "group,label,decision,bin,rows,score_sum,score_squares,error_fourths\nm,2,1,0,1,1,1,1\n",
    "group,label,decision,bin,rows,score_sum,score_squares,error_fourths\nm,1,1,1000,1,1,1,1\n",
    "group,label,decision,bin,rows,score_sum,score_squares,error_fourths\nm,1,1,1,1.5,1,1,1\n",
    "group,label,decision,bin,rows,score_sum,score_squares,error_fourths\nm,1,1,1,-1,1,1,1\n",
  ])
  func `counts that cannot be are refused`(text: String) throws {
    try withFile(text) { path in
      _ = #expect(throws: FileError.self) { try AuditCounts.readingCounts(path) }
    }
  }

  /// Runs the query in a real database and compares with the file itself, to the last count.
  @Test(arguments: [CountsQuery.Dialect.sqlite, .postgresql, .duckdb, .spark])
  func `a database counts what the file holds`(dialect: CountsQuery.Dialect) throws {
    guard let engine = Engine(dialect) else {
      // Scripts/test-databases says which have to be there.
      let wanted = ProcessInfo.processInfo.environment["EQUANT_DATABASES"]?.split(separator: " ")
      #expect(!(wanted?.contains { $0 == dialect.rawValue } ?? false), "\(dialect) does not run")
      print("skipped: no \(dialect.rawValue) here (\(Engine.hint(dialect)))")
      return
    }
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/p.csv"
    try Files.replace(path, with: Self.rows(7, 5000))
    for (groups, threshold) in [(["group"], 0.5), (["group", "age"], 0.3)] {
      var options = ReadingOptions()
      options.groups = groups
      let query = CountsQuery.text(
        dialect, table: "predictions", options: options, threshold: threshold, bins: 1000)
      try Files.replace(folder + "/counts.csv", with: engine.run(query, on: path, in: folder))
      let counted = try AuditCounts.readingCounts(folder + "/counts.csv", threshold: threshold)
      let (direct, _) = try AuditCounts.reading(path, options: options, threshold: threshold)
      #expect(counted.tally == direct.tally)
      for (a, b) in zip(counted.groups, direct.groups) {
        #expect(a.positives == b.positives && a.negatives == b.negatives)
        #expect(abs(a.moments.positives.score - b.moments.positives.score) < 1e-9)
        #expect(abs(a.moments.negatives.fourthError - b.moments.negatives.fourthError) < 1e-9)
      }
    }
  }
}

/// A database that is on this machine.
private struct Engine {
  let dialect: CountsQuery.Dialect

  /// Nil when the engine is not installed.
  init?(_ dialect: CountsQuery.Dialect) {
    self.dialect = dialect
    let probe =
      switch dialect {
      case .sqlite: "command -v sqlite3"
      case .postgresql: "psql -d \"${EQUANT_POSTGRESQL:?}\" -c 'SELECT 1'"
      case .duckdb: "${EQUANT_PYTHON:-python3} -c 'import duckdb'"
      case .spark: "${EQUANT_PYTHON:-python3} -c 'import pyspark' && command -v java"
      }
    guard (try? Self.shell(probe))?.status == 0 else { return nil }
  }

  static func hint(_ dialect: CountsQuery.Dialect) -> String {
    switch dialect {
    case .sqlite: "install sqlite3"
    case .postgresql: "Scripts/test-databases starts one and sets EQUANT_POSTGRESQL"
    case .duckdb: "pip install duckdb, EQUANT_PYTHON names the interpreter"
    case .spark: "pip install pyspark and install Java, EQUANT_PYTHON names the interpreter"
    }
  }

  /// The result of `query` over the file, as CSV with a header.
  func run(_ query: String, on path: String, in folder: String) throws -> String {
    try Files.replace(folder + "/q.sql", with: query + "\n")
    let columns = "id BIGINT, label TEXT, score DOUBLE PRECISION, \"group\" TEXT, age TEXT"
    let command: String
    switch dialect {
    case .sqlite:
      // Without a table of its own the import makes one of text columns, as people do.
      try Files.replace(
        folder + "/s.sql",
        with: ".mode csv\n.import \(path) predictions\n.headers on\n.read \(folder)/q.sql\n")
      command = "sqlite3 :memory: < \(folder)/s.sql"
    case .postgresql:
      try Files.replace(
        folder + "/s.sql",
        with: """
          CREATE TEMP TABLE predictions (\(columns));
          \\copy predictions FROM '\(path)' CSV HEADER
          \\pset format csv
          \\i \(folder)/q.sql

          """)
      command = "psql -q -d \"$EQUANT_POSTGRESQL\" -f \(folder)/s.sql"
    case .duckdb:
      command = """
        ${EQUANT_PYTHON:-python3} -c "import duckdb
        c = duckdb.connect()
        c.execute(\\"CREATE TABLE predictions AS SELECT * FROM read_csv('\(path)')\\")
        c.execute(open('\(folder)/q.sql').read())
        import csv, sys
        w = csv.writer(sys.stdout, lineterminator='\\n')
        w.writerow([d[0] for d in c.description])
        w.writerows(c.fetchall())"
        """
    case .spark:
      command = """
        ${EQUANT_PYTHON:-python3} -c "from pyspark.sql import SparkSession
        s = SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate()
        s.read.csv('\(path)', header=True, inferSchema=True).createOrReplaceTempView('predictions')
        d = s.sql(open('\(folder)/q.sql').read().rstrip().rstrip(';'))
        import csv, sys
        w = csv.writer(sys.stdout, lineterminator='\\n')
        w.writerow(d.columns)
        w.writerows(d.collect())" 2>/dev/null
        """
    }
    let (status, text) = try Self.shell(command)
    #expect(status == 0, "\(text)")
    return text
  }

  private static func shell(_ command: String) throws -> (status: Int32, output: String) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}
