public import Fairness

/// What one epoch did: a line of the log.
public struct EpochRecord: Hashable, Codable, Sendable {
  /// The epoch, counted from 1.
  public var epoch: Int
  /// The mean objective over the epoch's batches, each judged before its own step.
  public var loss: Double
  /// The learning rate of the last step.
  public var learningRate: Double
  /// How long the steps took, loading included, validation not; of the part since the last resume.
  public var seconds: Double
  /// How much of that time the steps waited for images.
  public var waitingSeconds: Double
  /// Training images per second, over the same part.
  public var imagesPerSecond: Double
  /// What the objective carries from step to step, such as multipliers.
  public var objective: [String: [Double]]
  /// How each constraint stood; `nil` where the objective has none.
  public var constraints: [ConstraintRecord]?
  /// How the model did on the validation split; `nil` if there is none.
  public var validation: ValidationReport?
  /// Whether this was the best epoch so far.
  public var isBest: Bool
}

/// How a model did on the validation split.
public struct ValidationReport: Hashable, Codable, Sendable {
  /// The number of validation rows.
  public var rows: Int
  /// The mean cross-entropy, in nats, without smoothing.
  public var loss: Double
  /// The share of rows whose largest logit is the label's.
  public var accuracy: Double
  /// Rates per group and their gaps; `nil` when there are more than two classes.
  public var audit: Audit?
}

extension ValidationReport {
  /// Judges logits of the whole validation split.
  ///
  /// A row counts as right when its label's logit is above all others, or ties with later ones.
  ///
  /// - Parameters:
  ///   - output: The logits, labels and groups of every row; at least one row.
  ///   - groups: The names of the groups, and which one each row is in.
  /// - Throws: What auditing throws.
  public init(_ output: LabelledLogits, groups: Fairness.Attribute) throws(FairnessError) {
    precondition(output.count > 0, "there is nothing to judge")
    rows = output.count
    loss = CrossEntropy().losses(output).reduce(0, +) / Double(output.count)
    let hits = (0..<output.count).count { row in
      let logits = output.logits[row * output.classes..<(row + 1) * output.classes]
      let largest = logits.indices.max { logits[$0] < logits[$1] }
      return largest == logits.startIndex + Int(output.labels[row])
    }
    accuracy = Double(hits) / Double(output.count)
    guard output.classes == 2 else { return }
    let outcomes = Outcomes(
      scores: output.scores, labels: output.labels.map { $0 == 1 }, groups: groups)
    var audit = try Audit(outcomes)
    // A log of every epoch carries what people follow; the rest is a matter of `equant audit`.
    for group in audit.groups.indices {
      audit.groups[group].rates = audit.groups[group].rates.filter {
        Self.followed.contains($0.key)
      }
    }
    audit.overall = audit.overall.filter { Self.followed.contains($0.key) }
    audit.gaps = audit.gaps.filter { Self.followedGaps.contains($0.key) }
    self.audit = audit
  }

  private static let followed: Set<Measure> = [
    .accuracy, .truePositiveRate, .falsePositiveRate, .selectionRate,
  ]
  private static let followedGaps: Set<GapKind> = [
    .equalOpportunity, .fprDifference, .equalizedOdds, .demographicParity, .accuracy,
  ]
}
