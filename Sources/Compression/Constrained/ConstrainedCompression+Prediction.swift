public import Graphs

extension ConstrainedCompression {
  /// What the table says of the best combination, before any of it is run.
  public struct Prediction: Codable, Sendable {
    /// How much of what the limits allow the bounds of as many rows as decide would use up.
    ///
    /// At most 1 where all would be kept; nil where a gap is undefined on the rows of choice.
    public var use: Double?
    /// How many rows decide.
    public var verificationCount: Int
    /// The bytes that the file would have, about.
    public var bytes: Int
    /// How many times smaller than the float model's file.
    public var ratio: Double
    /// The storage of every tensor and the operating point.
    public var allocation: Certificate.Allocation
    /// Every limit on the rows of choice, as predicted.
    public var checks: [LimitCheck]
    /// The seconds that the search took, from the table.
    public var searchSeconds: Double
    /// Whether the table was there already.
    public var tableWasCached: Bool
    /// What each limit costs, where that is asked for.
    public var costs: [Cost]?

    /// Whether every limit would be kept.
    public var keepsLimits: Bool { use.map { $0 <= 1 } ?? false }
  }

  /// Searches as ``run(_:base:on:report:)`` begins to, and says what the sum over layers predicts.
  ///
  /// Nothing but the table is measured, and where it is kept, nothing at all: other limits are tried
  /// in no time. A prediction is no verdict: it is about the rows that the choice was made on.
  ///
  /// - Parameters:
  ///   - graph: The float model.
  ///   - base: The file it came from.
  ///   - images: The data; validation rows for choice.
  ///   - report: Told what goes on.
  /// - Returns: The best combination of the first round.
  /// - Throws: ``CompressionError`` when graph and data do not go together or the budget is smaller
  ///   than the smallest choices, and what reading images and running graphs throws.
  public func predict(
    _ graph: Graph, base: CompressionReport.ModelFile, on images: CompressionImages,
    report: (Event) -> Void = { _ in }
  ) throws -> Prediction {
    let start = try prepare(graph, base: base, on: images, report)
    let table = start.stored.table
    var found: AllocationSearch.Allocation?
    let seconds =
      ContinuousClock().measure {
        found = AllocationSearch(
          table, limits: limits, budget: limits.bytes - start.overhead
        ).best()
      } / .seconds(1)
    guard let found else { throw tooSmall(table, overhead: start.overhead) }
    let rows = start.parts.selection
    let before = start.passes.outcomes(table.margins, shift: 0, rows: rows)
    let margins = table.margins(of: found.choices)
    let use = AllocationSearch(table, limits: limits, budget: 0).use(
      margins, shift: found.shift, times: start.more)
    let after = start.passes.outcomes(margins, shift: found.shift, rows: rows)
    let checks = try start.passes.checks(before, outcomes: after).checks
    let bytes = found.bytes + start.overhead
    return Prediction(
      use: use.isFinite ? use : nil, verificationCount: start.parts.verification.count,
      bytes: bytes,
      ratio: Double(base.bytes) / Double(max(1, bytes)),
      allocation: table.allocation(found.choices, shift: found.shift), checks: checks,
      searchSeconds: seconds, tableWasCached: start.tableWasCached,
      costs: explains
        ? costs(table, overhead: start.overhead, times: start.more) : nil)
  }
}
