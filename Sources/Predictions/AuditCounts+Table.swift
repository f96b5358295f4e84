public import Fairness
import Files
import Foundation

extension AuditCounts {
  /// Reads counts from a file: JSON as `--save-counts` writes it, or the result of a query as CSV
  /// with a header.
  ///
  /// Threshold and bins of a query's result are those that the query was made with.
  ///
  /// - Throws: `FileError` naming line and column of what cannot be read.
  public static func readingCounts(
    _ path: String, threshold: Double = 0.5, bins: Int = usualBins
  ) throws -> AuditCounts {
    let bytes = try Files.read(path)
    if let first = bytes.first(where: { $0 > 32 }), first == 123 {
      return try readingJSON(bytes, path)
    }
    return try readingTable(bytes, path, threshold: threshold, bins: bins)
  }

  /// The counts as JSON, for another part to be merged with.
  public func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return Array(try encoder.encode(self))
  }

  private static func readingJSON(_ bytes: [UInt8], _ path: String) throws -> AuditCounts {
    let counts: AuditCounts
    do {
      let decoder = JSONDecoder()
      // A query leaves the log loss out: sums that are not there are not numbers.
      decoder.nonConformingFloatDecodingStrategy = .convertFromString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
      counts = try decoder.decode(AuditCounts.self, from: Data(bytes))
    } catch {
      throw FileError(path, "holds no counts: \(JSONProblem.describe(error, in: bytes))")
    }
    guard counts.bins > 0, counts.bins <= 1 << 20, counts.threshold.isFinite else {
      let place = JSONProblem.place(of: [Step("bins")], in: bytes)
      throw FileError(
        path, "\(place)there are \(counts.bins) bins at threshold \(counts.threshold)")
    }
    for (position, group) in counts.groups.enumerated() {
      let numbers =
        group.positives + group.negatives
        + (0..<4).flatMap { [group.counts.cells[$0], group.counts.squares[$0]] }
      guard group.positives.count == counts.bins, group.negatives.count == counts.bins,
        group.rows >= 0, group.rows < 1 << 53,
        numbers.allSatisfy({ $0 >= 0 && $0 < 1e100 })
      else {
        let place = JSONProblem.place(of: [Step("groups"), Step(position)], in: bytes)
        throw FileError(path, "\(place)group '\(group.name)' has counts that cannot be")
      }
    }
    return counts
  }

  private static func readingTable(
    _ bytes: [UInt8], _ path: String, threshold: Double, bins: Int
  ) throws -> AuditCounts {
    var table = TableSink(bins: bins)
    var problems: [RowProblem] = []
    let names = CountsQuery.columns
    let parser = RowParser(
      separator: 44, slots: Array(0..<names.count), wanted: names.count)
    _ = bytes.withUnsafeBufferPointer { bytes in
      parser.parse(bytes, 0..<bytes.count, into: &table, problems: &problems)
    }
    if let first = problems.first, case .malformed(let what) = first.kind {
      throw FileError(path, "line \(first.line): \(what)")
    }
    guard table.header == names else {
      throw FileError(
        path,
        "line 1: expected the columns \(names.joined(separator: ",")), "
          + "found \((table.header ?? []).joined(separator: ","))")
    }
    var counts = AuditCounts(names: [], threshold: threshold, bins: bins)
    var places: [String: Int] = [:]
    for row in table.rows {
      let (label, decision, bin, rows) = (row.whole[0], row.whole[1], row.whole[2], row.whole[3])
      let at = places[row.group] ?? counts.groups.count
      if at == counts.groups.count {
        places[row.group] = at
        counts.groups.append(Group(name: row.group, bins: bins))
      }
      counts.groups[at].add(
        rows: rows, label: label == 1, decision: decision == 1, bin: bin, sums: row.sums)
    }
    counts.sortGroups()
    return counts
  }
}

extension AuditCounts.Group {
  /// Adds the rows of one line of a query's result.
  mutating func add(rows: Int, label: Bool, decision: Bool, bin: Int, sums: [Double]) {
    self.rows += rows
    var part = Counts()
    part.add(label: label, decision: decision)
    counts.cells += part.cells * Double(rows)
    counts.squares += part.squares * Double(rows)
    if label { positives[bin] += Double(rows) } else { negatives[bin] += Double(rows) }
    var moments = ScoreMoments.Part()
    (moments.weight, moments.squaredWeight) = (Double(rows), Double(rows))
    (moments.score, moments.squaredScore, moments.fourthError) = (sums[0], sums[1], sums[2])
    // Databases differ in logarithms; the loss is left undefined.
    (moments.logLoss, moments.squaredLogLoss) = (.nan, .nan)
    var both = ScoreMoments()
    if label { both.positives = moments } else { both.negatives = moments }
    self.moments += both
  }
}

/// A step into JSON: a member's name or an element's position.
private struct Step: CodingKey {
  var stringValue: String
  var intValue: Int?

  init(_ name: String) { stringValue = name }
  init(_ position: Int) { (stringValue, intValue) = ("\(position)", position) }
  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { self.init(intValue) }
}

/// Keeps the lines of a query's result.
private struct TableSink: RowSink {
  struct Row {
    var group: String
    var whole: [Int]
    var sums: [Double]
  }

  let bins: Int
  var header: [String]?
  var rows: [Row] = []

  mutating func take(
    _ fields: UnsafeMutableBufferPointer<Field>, of bytes: UnsafeBufferPointer<UInt8>
  ) throws(RowProblem.Fault) {
    guard header != nil else {
      header = fields.map { RowParser.text($0, bytes) }
      return
    }
    var row = Row(group: RowParser.text(fields[0], bytes), whole: [], sums: [])
    for slot in 1..<fields.count {
      let field = fields[slot]
      guard let value = number(bytes, field.start, field.end), value >= 0, value < 0x1p52,
        slot > 4 || value == value.rounded()
      else {
        let text = RowParser.text(field, bytes).prefix(40)
        throw RowProblem.Fault(
          kind: .malformed(
            "column '\(CountsQuery.columns[slot])': found '\(text)', expected a count"))
      }
      // Labels and decisions are 0 or 1, bins have numbers below their count.
      if slot < 3 && value > 1 || slot == 3 && value >= Double(bins) {
        throw RowProblem.Fault(
          kind: .malformed(
            "column '\(CountsQuery.columns[slot])': found \(Int(value)), expected less than "
              + "\(slot == 3 ? bins : 2)"))
      }
      if slot <= 4 { row.whole.append(Int(value)) } else { row.sums.append(value) }
    }
    rows.append(row)
  }
}
