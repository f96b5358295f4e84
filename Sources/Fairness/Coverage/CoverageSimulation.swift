/// Simulated samples from known truths, to see how often intervals cover and tests raise alarms.
///
/// Part of the library so that its claims can be checked wherever it runs.
public struct CoverageSimulation: Sendable {
  /// The number of samples for every line with closed intervals.
  public var simulations: Int
  /// The number of samples for every line with resampled intervals.
  public var resampled: Int
  /// Where random sequences start.
  public var seed: UInt64

  /// A study of given size.
  public init(simulations: Int = 4000, resampled: Int = 600, seed: UInt64 = 1) {
    self.simulations = simulations
    self.resampled = resampled
    self.seed = seed
  }

  /// What one line of the study found.
  public struct Line: Hashable, Sendable {
    /// What was simulated.
    public var name: String
    /// The method under test.
    public var method: String
    /// The share of samples that covered, or raised an alarm.
    public var share: Double
    /// The number of samples.
    public var count: Int
    /// The standard error of the share.
    public var error: Double { (share * (1 - share) / Double(count)).squareRoot() }
  }

  /// The share of `count` simulated samples for which `holds` is true; nil leaves a sample out.
  func share(
    _ name: String, _ method: String, _ count: Int, _ holds: @Sendable (inout Random) -> Bool?
  ) -> Line {
    let results = onAllCores(count) { i -> Bool? in
      var random = Random(seed: seed, stream: UInt64(i))
      return holds(&random)
    }
    let known = results.compactMap(\.self)
    let hits = known.reduce(0) { $0 + ($1 ? 1 : 0) }
    return Line(
      name: name, method: method, share: Double(hits) / Double(max(1, known.count)),
      count: known.count)
  }

  /// What can be simulated on its own.
  public enum Part: String, CaseIterable, Sendable {
    case rates, gaps, drifts
    case compositeDrifts = "composite-drifts"
    case scoreDrifts = "score-drifts"
    case alarms
    case clusteredDrifts = "clustered-drifts"
    case calibrationErrors = "calibration-errors"
    case pooledRates = "pooled-rates"
  }

  /// The lines of one part.
  public func lines(_ part: Part) -> [Line] {
    switch part {
    case .rates: rates()
    case .gaps: gaps()
    case .drifts: drifts()
    case .compositeDrifts: compositeDrifts()
    case .scoreDrifts: scoreDrifts()
    case .alarms: alarms()
    case .clusteredDrifts: clusteredDrifts()
    case .calibrationErrors: calibration()
    case .pooledRates: pooling()
    }
  }

  /// The lines of `parts` as a Markdown table; `progress` hears what is being simulated.
  public func markdown(
    _ parts: [Part] = Part.allCases, progress: (String) -> Void = { _ in }
  ) -> String {
    var lines = ["| what | method | share | ± | samples |", "| --- | --- | --- | --- | --- |"]
    for part in parts {
      progress("simulating \(part.rawValue)")
      for line in self.lines(part) {
        lines.append(
          "| \(line.name) | \(line.method) | \(written(line.share * 100, decimals: 1)) % "
            + "| \(written(line.error * 100, decimals: 1)) | \(line.count) |")
      }
    }
    return lines.joined(separator: "\n")
  }
}
