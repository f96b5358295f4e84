/// A fitted post-processing: from a score and a group to the probability of a positive decision.
///
/// Whatever the method, what is left of it is one small rule a group, so that a server can apply
/// it from its JSON in a few lines: calibrate the score if the rule says so, find the last step
/// that the score has reached, and decide positively with the step's probability.
public struct Repair: Hashable, Sendable {
  /// The methods that a repair can come from.
  public enum Method: String, Hashable, Codable, Sendable, CaseIterable {
    /// ``Repair/calibratedEqualizedOdds(_:options:)``.
    case calibratedEqualizedOdds = "calibrated-equalized-odds"
    /// ``Repair/equalizedOdds(_:options:)``.
    case equalizedOdds = "equalized-odds"
    /// ``Repair/groupThresholds(_:options:)``.
    case thresholds
    /// ``Repair/rejectOption(_:options:)``.
    case rejectOption = "reject-option"
    /// ``Repair/groupBlind(_:options:)``.
    case groupBlind = "group-blind"
  }

  /// What is done to the scores of one group.
  public struct Rule: Hashable, Sendable {
    /// The name of the group; nil for a rule that holds for everyone.
    public var group: String?
    /// What the score goes through first; nil leaves it as it is.
    public var calibration: ScoreCalibration?
    /// The probability of a positive decision for scores that reach no step.
    public var otherwise: Double
    /// Steps in ascending order: the last one that a score reaches decides.
    public var steps: [Step]

    /// A rule for one group, or for everyone.
    public init(
      group: String?, calibration: ScoreCalibration? = nil, otherwise: Double, steps: [Step]
    ) {
      self.group = group
      self.calibration = calibration
      self.otherwise = otherwise
      self.steps = steps
    }
  }

  /// From some score on, positive decisions have another probability.
  public struct Step: Hashable, Sendable {
    /// Where the step begins.
    public var score: Double
    /// Whether a score equal to ``score`` has reached the step.
    public var includesScore: Bool
    /// The probability of a positive decision.
    public var probability: Double

    /// A step that scores of at least `score` reach.
    public init(atLeast score: Double, _ probability: Double) {
      (self.score, includesScore, self.probability) = (score, true, probability)
    }

    /// A step that scores above `score` reach.
    public init(above score: Double, _ probability: Double) {
      (self.score, includesScore, self.probability) = (score, false, probability)
    }

    /// The least score that reaches the step.
    var cut: Double { includesScore ? score : score.nextUp }
  }

  /// The method it comes from.
  public var method: Method
  /// What the groups are groups of, as in `sex`.
  public var attribute: String
  /// One rule a group, or one for everyone.
  public var rules: [Rule]
  /// What the fit found.
  public var fit: RepairFit

  /// Whether a decision needs to know the group of the person it is about.
  public var needsGroup: Bool { rules.contains { $0.group != nil } }

  /// A repair of the given rules.
  public init(method: Method, attribute: String, rules: [Rule], fit: RepairFit) {
    self.method = method
    self.attribute = attribute
    self.rules = rules
    self.fit = fit
  }
}

extension Repair {
  /// The probability of a positive decision for every row.
  ///
  /// - Parameters:
  ///   - scores: P(positive) of every row, in [0, 1].
  ///   - groups: The group of every row.
  /// - Returns: As many probabilities, in the rows' order.
  /// - Throws: ``RepairError/unseenGroups(_:known:)`` when a row's group has no rule.
  /// - Complexity: O(*n*), on all cores.
  public func probabilities(
    scores: [Double], groups: Attribute
  ) throws(RepairError) -> [Double] {
    precondition(scores.count == groups.codes.count, "scores and groups differ in number")
    let compiled = try compiledRules(for: groups)
    return [Double](unsafeUninitializedCapacity: scores.count) { buffer, initialized in
      nonisolated(unsafe) let results = buffer
      let codes = groups.codes
      // Every block writes rows of its own, and all are done when this returns.
      onBlocks(scores.count) { range in
        for row in range {
          results.initializeElement(
            at: row, to: compiled[Int(codes[row])].probability(scores[row]))
        }
      }
      initialized = scores.count
    }
  }

  /// The rule of every group of `groups`, in its order.
  private func compiledRules(for groups: Attribute) throws(RepairError) -> [CompiledRule] {
    if let rule = rules.first, rule.group == nil {
      return .init(repeating: CompiledRule(rule), count: groups.groups.count)
    }
    var compiled: [CompiledRule?] = groups.groups.map { name in
      rules.first { $0.group == name }.map { CompiledRule($0) }
    }
    let missing = compiled.indices.filter { compiled[$0] == nil }
    if !missing.isEmpty {
      // A group that is known by name but has no row needs no rule.
      var met = [Bool](repeating: false, count: compiled.count)
      for code in groups.codes { met[Int(code)] = true }
      let unseen = missing.filter { met[$0] }.map { groups.groups[$0] }
      guard unseen.isEmpty else {
        throw .unseenGroups(unseen, known: rules.compactMap(\.group))
      }
      for group in missing { compiled[group] = CompiledRule(cuts: [], probabilities: [0]) }
    }
    return compiled.compactMap(\.self)
  }
}

/// A rule in terms of raw scores: which of a few ascending cuts a score reaches.
struct CompiledRule: Sendable {
  /// Where probabilities change, ascending.
  var cuts: [Double]
  /// One more than there are cuts.
  var probabilities: [Double]

  init(cuts: [Double], probabilities: [Double]) {
    self.cuts = cuts
    self.probabilities = probabilities
  }

  /// Carries the steps of `rule` back through its calibration, which never falls.
  init(_ rule: Repair.Rule) {
    cuts = rule.steps.map { step in
      rule.calibration.map { $0.leastScore(reaching: step.cut) } ?? step.cut
    }
    probabilities = [rule.otherwise] + rule.steps.map(\.probability)
  }

  func probability(_ score: Double) -> Double {
    var reached = 0
    while reached < cuts.count && score >= cuts[reached] { reached += 1 }
    return probabilities[reached]
  }
}

/// Runs `work` on blocks of rows on all cores.
func onBlocks(_ count: Int, size: Int = 1 << 17, _ work: @Sendable (Range<Int>) -> Void) {
  _ = inBlocks(count, size: size, zero: 0) { range in
    work(range)
    return 0
  } merge: { _, _ in
  }
}
