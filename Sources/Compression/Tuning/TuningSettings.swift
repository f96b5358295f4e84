public import Execution
public import Training

/// How compressed weights are tuned to answer as the float model does.
public struct TuningSettings: Hashable, Codable, Sendable {
  /// How often every training row is seen.
  public var epochs: Int
  /// Rows to a step.
  public var batch = 64
  /// The largest step of a number, as a share of how large its tensor's weights are.
  public var rate = 0.002
  /// The arithmetic of the passes; single precision where activations are int8.
  public var precision = Precision.automatic
  /// Whether weights may come to other entries of their codebooks; otherwise only entries move.
  public var movesCodes = true
  /// Whether the scales of even grids are learned too (LSQ).
  public var movesScales = false
  /// Whether the ranges of int8 activations follow the weights in the first half, and freeze then;
  /// otherwise they stay as calibrated.
  public var movesRanges = false
  /// How much it counts to mislead an adversary that guesses groups from decisions; 0 for none.
  public var adversary = 0.0
  /// Whether weights are dropped little by little in the first half; otherwise all at once before it.
  public var isGradual = false
  /// How far gaps may drift from the float model's.
  public var limits: [DriftDistillation.Limit] = []
  /// The share of the training rows that is kept to measure drift on, where there are limits.
  public var heldOut = 0.1
  /// The number of steps from one look at held-out rows to the next.
  public var interval = 10
  /// Whether rows' labels say which cell they are in; otherwise the float model's decisions do.
  public var usesLabels = true
  /// Decides which rows are held out, and the order of the others.
  public var seed: UInt64 = 0
  /// Only so many training rows are used; `nil` uses all.
  public var limit: Int?

  /// Settings for so many epochs.
  public init(epochs: Int) { self.epochs = epochs }

  /// The same with the drifts that `limits` allow, halved, and a fifth of the gaps as constraints.
  ///
  /// What is fitted on some rows is a little worse on others, and what is claimed is a bound.
  func under(_ limits: CompressionLimits) -> TuningSettings {
    var settings = self
    settings.limits = FairnessConstraint.allCases.flatMap { constraint in
      [
        limits.maxDrift[constraint.gap].map { .init(constraint, tolerance: $0 / 2) },
        limits.maxGap?[constraint.gap].map {
          .init(constraint, tolerance: $0 / 5, from: .equality)
        },
      ].compactMap(\.self)
    }
    return settings
  }

  /// Whether ranges are looked for anew before a step: four times in the first half of so many.
  func looksForRanges(at step: Int, of steps: Int) -> Bool {
    movesRanges && (1...4).contains { step == max(1, steps * $0 / 8) }
  }

  /// Checks every range.
  ///
  /// - Throws: ``CompressionError`` for the first that is off.
  public func validate() throws(CompressionError) {
    func check(
      _ good: Bool, _ name: String, _ found: some Any, _ expected: String
    ) throws(CompressionError) {
      if !good { throw CompressionError("tuning", "\(name) is \(found), expected \(expected)") }
    }
    try check((1...1000).contains(epochs), "the number of epochs", epochs, "1 to 1000")
    try check((1...4096).contains(batch), "the batch", batch, "1 to 4096 rows")
    try check(rate > 0 && rate <= 1, "the rate", rate, "above 0 and at most 1")
    try check(
      adversary >= 0 && adversary <= 1000, "the adversary's weight", adversary, "0 to 1000")
    try check((0..<1).contains(heldOut), "the held-out share", heldOut, "0 to below 1")
    try check(limits.isEmpty || heldOut > 0, "the held-out share", heldOut, "above 0 with limits")
    for limit in limits {
      try check(
        (0...1).contains(limit.tolerance), "the limit of \(limit.constraint.rawValue)",
        limit.tolerance, "from 0 to 1")
    }
  }
}

/// What tuning did, for the report.
public struct TuningRecord: Hashable, Codable, Sendable {
  /// A gap that was kept from drifting.
  public struct Drift: Hashable, Codable, Sendable {
    /// The gap, as in `TPR male - female`.
    public var gap: String
    /// Its multiplier in the end.
    public var multiplier: Double
    /// How far it was from the float model's on the last held-out rows; `nil` if undefined.
    public var heldOut: Double?
  }

  /// How it was done.
  public var settings: TuningSettings
  /// The number of rows that the weights were fitted to.
  public var rows: Int
  /// The mean objective of every epoch, each batch judged before its own step, in nats.
  public var losses: [Double]
  /// The gaps under a limit.
  public var drifts: [Drift]
  /// What guessing groups costs the adversary, in nats, where there is one.
  public var adversary: Adversary?

  /// How well an adversary guesses groups.
  public struct Adversary: Hashable, Codable, Sendable {
    /// The mean cross-entropy of its guesses in the last epoch.
    public var loss: Double
    /// That of guesses that only know how frequent groups are among the rows of a label.
    public var blind: Double
  }
}
