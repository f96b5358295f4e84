/// The sufficient statistics of an audit: what is left of any number of rows.
///
/// Parts that were counted in different places, at different times or by a database add up to the
/// whole. Encodes as JSON; `equant audit --counts` reads it.
public struct AuditCounts: Hashable, Codable, Sendable {
  /// The rows of one group.
  public struct Group: Hashable, Codable, Sendable {
    /// The name of the group.
    public var name: String
    /// The number of rows.
    public var rows = 0
    /// How often each decision met each truth.
    public var counts = Counts()
    /// The sums over scores.
    public var moments = ScoreMoments()
    /// The weight of negatives in every bin of scores.
    public var negatives: [Double]
    /// The weight of positives in every bin of scores.
    public var positives: [Double]

    /// A group without rows and with `bins` empty bins.
    public init(name: String, bins: Int) {
      self.name = name
      negatives = .init(repeating: 0, count: bins)
      positives = negatives
    }

    /// Adds one row; the score is in [0, 1].
    public mutating func add(label: Bool, score: Double, weight: Double, threshold: Double) {
      rows += 1
      counts.add(label: label, decision: score >= threshold, weight: weight)
      moments.add(label: label, score: score, weight: weight)
      let bin = min(positives.count - 1, Int(score * Double(positives.count)))
      if label { positives[bin] += weight } else { negatives[bin] += weight }
    }
  }

  /// A row is called positive when its score is at least this.
  public var threshold: Double
  /// The number of bins of equal width that scores are counted in.
  public var bins: Int
  /// Every group.
  public var groups: [Group]

  /// The usual number of bins.
  public static let usualBins = 1000

  /// No row yet in any of `names`.
  ///
  /// - Precondition: there is at least one bin.
  public init(names: [String], threshold: Double, bins: Int = usualBins) {
    precondition(bins > 0, "scores are counted in at least one bin")
    self.threshold = threshold
    self.bins = bins
    groups = names.map { Group(name: $0, bins: bins) }
  }

  /// Counts rows with scores in [0, 1].
  public init(_ outcomes: Outcomes, threshold: Double = 0.5, bins: Int = usualBins) {
    self.init(names: outcomes.groups.groups, threshold: threshold, bins: bins)
    for row in 0..<outcomes.count {
      groups[Int(outcomes.groups.codes[row])].add(
        label: outcomes.labels[row], score: outcomes.scores[row],
        weight: outcomes.weights?[row] ?? 1, threshold: threshold)
    }
  }

  /// Merges another part; groups are matched by name and new ones added at the end.
  ///
  /// - Throws: ``FairnessError/mismatch(_:)`` when threshold or bins differ.
  public mutating func merge(_ other: AuditCounts) throws(FairnessError) {
    guard other.threshold == threshold, other.bins == bins else {
      throw .mismatch(
        "counts at threshold \(threshold) in \(bins) bins do not add to counts at threshold "
          + "\(other.threshold) in \(other.bins) bins")
    }
    for part in other.groups {
      guard let own = groups.firstIndex(where: { $0.name == part.name }) else {
        groups.append(part)
        continue
      }
      groups[own].rows += part.rows
      groups[own].counts += part.counts
      groups[own].moments += part.moments
      for bin in 0..<bins {
        groups[own].negatives[bin] += part.negatives[bin]
        groups[own].positives[bin] += part.positives[bin]
      }
    }
  }

  /// Groups in alphabetical order, as an audit of rows has them.
  public mutating func sortGroups() { groups.sort { $0.name < $1.name } }

  /// The counts of decisions alone.
  public var tally: Tally {
    var tally = Tally(names: groups.map(\.name))
    tally.counts = groups.map(\.counts)
    tally.rows = groups.map(\.rows)
    return tally
  }
}

extension Audit {
  /// Audits counts that were built in parts.
  ///
  /// Rates and gaps of decisions are those of the rows themselves. AUC and calibration error know
  /// scores only to the width of a bin, which a warning says.
  ///
  /// - Throws: ``FairnessError/unknownGroup(_:known:)`` when the reference is not a group.
  public init(
    _ counts: AuditCounts, options: AuditOptions = AuditOptions()
  ) throws(FairnessError) {
    var source = Source(tally: counts.tally)
    var options = options
    options.threshold = counts.threshold
    // Decisions in place of scores fill only the first and the last bin.
    let graded = counts.groups.contains { group in
      (1..<max(1, counts.bins - 1)).contains {
        group.positives[$0] > 0 || group.negatives[$0] > 0
      }
    }
    if graded && options.scores { source.scores = ScoreTable(counts) }
    try self.init(source, options: options)
    if source.scores != nil {
      warnings.append(
        "AUC and calibration error are computed from \(counts.bins) bins of scores")
    }
  }
}
