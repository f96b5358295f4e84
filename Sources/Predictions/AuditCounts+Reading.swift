public import Fairness

extension AuditCounts {
  /// Counts the rows of a predictions file without keeping them.
  ///
  /// Uses all cores and a fixed amount of memory, whatever the file's length. Several group columns
  /// are crossed; combinations that no row has are groups without rows.
  ///
  /// - Returns: The counts, and the number of rows left out for missing values.
  /// - Throws: `FileError` naming file, line and column of what cannot be read.
  public static func reading(
    _ path: String, options: ReadingOptions = ReadingOptions(), threshold: Double = 0.5,
    bins: Int = usualBins
  ) throws -> (counts: AuditCounts, skipped: Int) {
    let file = try PredictionFile(path, options)
    var counts = AuditCounts(names: [], threshold: threshold, bins: bins)
    var values = [Set<String>](repeating: [], count: options.groups.count)
    let skipped = try file.read {
      CountingSink(file: file, threshold: threshold, bins: bins)
    } merge: { sink in
      for (i, names) in sink.names.enumerated() { values[i].formUnion(names.texts) }
      try counts.merge(sink.result)
    }
    try file.refuseEmpty(rows: counts.groups.reduce(0) { $0 + $1.rows }, skipped: skipped)
    if options.groups.count > 1 {
      var crossed = [""]
      for (i, names) in values.enumerated() {
        crossed = crossed.flatMap { first in
          names.sorted().map { i == 0 ? $0 : "\(first) & \($0)" }
        }
      }
      try counts.merge(AuditCounts(names: crossed, threshold: threshold, bins: bins))
    }
    counts.sortGroups()
    return (counts, skipped)
  }
}

/// Counts the rows of one piece of a file.
private struct CountingSink: RowSink, Sendable {
  let file: PredictionFile
  let threshold: Double
  let bins: Int
  var names: [Names]
  private var positions: [Int: Int] = [:]
  /// For one column of groups the position of every name, which needs no hashing.
  private var direct: [Int] = []
  private var groups: [AuditCounts.Group] = []
  private var combinations: [[Int]] = []
  private var lastKey = -1
  private var lastGroup = 0

  init(file: PredictionFile, threshold: Double, bins: Int) {
    self.file = file
    self.threshold = threshold
    self.bins = bins
    names = .init(repeating: Names(), count: file.options.groups.count)
  }

  mutating func take(
    _ fields: UnsafeMutableBufferPointer<Field>, of bytes: UnsafeBufferPointer<UInt8>
  ) throws(RowProblem.Fault) {
    let values = try file.values(fields, bytes)
    var key = 0
    for i in names.indices {
      let code = names[i].number(of: fields[PredictionFile.Slot.groups + i], bytes)
      // A piece has far fewer distinct names than 2^20; beyond, the key would repeat.
      guard code < 1 << 20, names.count <= 3 else {
        throw RowProblem.Fault(kind: .malformed("there are too many groups to cross"))
      }
      key = key << 20 | code
    }
    let group = position(key)
    groups[group].add(
      label: values.label, score: values.score, weight: values.weight, threshold: threshold)
  }

  private mutating func position(_ key: Int) -> Int {
    if key == lastKey { return lastGroup }
    lastKey = key
    if names.count == 1 && key < direct.count {
      lastGroup = direct[key]
      return lastGroup
    }
    if let known = positions[key] {
      lastGroup = known
      return known
    }
    lastGroup = groups.count
    // Names are numbered as they appear, and so are the groups of a single column.
    if names.count == 1 { direct.append(lastGroup) } else { positions[key] = lastGroup }
    let codes = names.indices.map { key >> (20 * (names.count - 1 - $0)) & (1 << 20 - 1) }
    let name = zip(names, codes).map { $0.texts[$1] }.joined(separator: " & ")
    groups.append(AuditCounts.Group(name: name, bins: bins))
    return lastGroup
  }

  /// What was counted.
  var result: AuditCounts {
    var counts = AuditCounts(names: [], threshold: threshold, bins: bins)
    counts.groups = groups
    return counts
  }
}
