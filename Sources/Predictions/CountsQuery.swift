/// The query that counts predictions where they live.
///
/// Its result, one row for every group, label, decision and bin of scores, is all that an audit
/// needs of any number of rows.
public enum CountsQuery {
  /// A database that can count.
  public enum Dialect: String, Hashable, Sendable, CaseIterable {
    /// PostgreSQL.
    case postgresql
    /// SQLite 3.
    case sqlite
    /// DuckDB.
    case duckdb
    /// Apache Spark SQL.
    case spark
  }

  /// The columns of the result, in order.
  static let columns = [
    "group", "label", "decision", "bin", "rows", "score_sum", "score_squares", "error_fourths",
  ]

  /// The query for a table with the columns that `options` name.
  ///
  /// Labels are taken as positive when the column, as text, is one of the positive ways to write
  /// them. A row whose label is written in another way, or that lacks a value, is left out here
  /// where a file would be refused; the last line of the query counts none of them.
  public static func text(
    _ dialect: Dialect, table: String, options: ReadingOptions, threshold: Double, bins: Int
  ) -> String {
    let quote = { (name: String) in Self.quote(name, dialect) }
    let string = Self.textType(dialect)
    let label = "LOWER(CAST(\(quote(options.label)) AS \(string)))"
    let score = "CAST(\(quote(options.score)) AS \(Self.doubleType(dialect)))"
    let group = options.groups.map { "CAST(\(quote($0)) AS \(string))" }
      .joined(separator: " || ' & ' || ")
    func list(_ words: Set<String>) -> String {
      words.sorted().map { "'\($0.lowercased().replacing("'", with: "''"))'" }
        .joined(separator: ", ")
    }
    let known = options.groups.map { "\(quote($0)) IS NOT NULL" }.joined(separator: " AND ")
    let whole = dialect == .sqlite ? "CAST(s * \(bins) AS INTEGER)" : "FLOOR(s * \(bins))"
    let bin = "CASE WHEN s >= 1 THEN \(bins - 1) ELSE CAST(\(whole) AS INTEGER) END"
    let error = "((s - y) * (s - y) * (s - y) * (s - y))"
    let limit = Self.literal(threshold, dialect)
    return """
      -- threshold \(threshold), bins \(bins)
      SELECT g AS \(quote("group")), y AS label, d AS decision, b AS bin, COUNT(*) AS \(quote("rows")),
        SUM(s) AS score_sum, SUM(s * s) AS score_squares, SUM(\(error)) AS error_fourths
      FROM (
        SELECT g, y, s, CASE WHEN s >= \(limit) THEN 1 ELSE 0 END AS d, \(bin) AS b
        FROM (
          SELECT \(group) AS g, \(score) AS s,
            CASE WHEN \(label) IN (\(list(options.positive))) THEN 1 ELSE 0 END AS y
          FROM \(Self.tableName(table, dialect))
          WHERE \(label) IN (\(list(options.positive.union(options.negative))))
            AND \(quote(options.score)) IS NOT NULL AND \(known)
        ) AS typed
        WHERE s >= 0 AND s <= 1
      ) AS binned
      GROUP BY g, y, d, b
      ORDER BY g, y, d, b;
      """
  }

  private static func quote(_ name: String, _ dialect: Dialect) -> String {
    let mark = dialect == .spark ? "`" : "\""
    return mark + name.replacing(mark, with: mark + mark) + mark
  }

  /// `schema.table` in parts.
  private static func tableName(_ name: String, _ dialect: Dialect) -> String {
    name.split(separator: ".").map { quote(String($0), dialect) }.joined(separator: ".")
  }

  private static func textType(_ dialect: Dialect) -> String {
    switch dialect {
    case .postgresql, .sqlite: "TEXT"
    case .duckdb: "VARCHAR"
    case .spark: "STRING"
    }
  }

  private static func doubleType(_ dialect: Dialect) -> String {
    switch dialect {
    case .postgresql: "DOUBLE PRECISION"
    case .sqlite: "REAL"
    case .duckdb, .spark: "DOUBLE"
    }
  }

  /// A number that the engine takes as a double, not as a decimal.
  private static func literal(_ value: Double, _ dialect: Dialect) -> String {
    "CAST(\(value) AS \(doubleType(dialect)))"
  }
}
