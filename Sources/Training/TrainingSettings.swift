public import Execution
public import Faces

/// Everything that decides what a run computes, except the data and the weights it starts from.
///
/// The defaults train a ResNet from scratch on the drawn portraits. Two runs with equal settings,
/// data, starting weights and thread count give the same bytes.
public struct TrainingSettings: Hashable, Codable, Sendable {
  /// How often every training row is seen.
  public var epochs = 3
  /// Rows to a step.
  public var batch = 64
  /// What is done to every image; its size is the network's input.
  public var preprocessing = Preprocessing(size: 64)
  /// Random changes of training images; `nil` leaves them as they are.
  public var augmentation: Augmentation?
  /// The arithmetic of forward and backward passes; weights and statistics are always f32.
  public var precision = Precision.float32
  /// The optimiser's constants.
  public var optimizer = SGD()
  /// The shape of the learning rate's curve.
  public var schedule = Schedule.oneCycle
  /// Whether one-cycle moves the momentum against the rate, as PyTorch does.
  public var cyclesMomentum = true
  /// The share of the steps that the cosine schedule warms up for.
  public var warmUp = 0.05
  /// How much of the target is spread evenly over the classes.
  public var labelSmoothing = 0.0
  /// Chooses the order of the rows, the augmentation and, in the commands, the first weights.
  public var seed: UInt64 = 0
  /// How many epochs without a better validation score end the run; `nil` never ends it.
  public var patience: Int?
  /// Whether damaged images are left out and counted instead of ending the run.
  public var skipsDamaged = false
  /// A batch loss above this stops the run.
  public var largestLoss = 100.0
  /// Only so many rows of the training split are used; `nil` uses all.
  public var limit: Int?

  /// The constraint to train under; `nil` minimises the plain mean loss.
  public var fairALM: FairALMSettings?
  /// How rare cells of group and label are made to count; `nil` takes rows as they come.
  public var balance: RowBalance?
  /// Which epoch is kept; `nil` keeps the most accurate one, or with ``fairALM`` the one with the
  /// smallest constrained gap among those at most 5 points less accurate than the best.
  public var selection: SelectionRule?

  /// The defaults.
  public init() {}

  /// The rule by which an epoch is kept; `nil` keeps the most accurate one.
  public var selectionRule: SelectionRule? {
    selection ?? fairALM.map { SelectionRule(gap: $0.constraint.gap) }
  }

  /// Checks every range.
  ///
  /// - Throws: ``TrainingError/badSetting(name:found:expected:)`` for the first that is off.
  public func validate() throws(TrainingError) {
    func check(
      _ good: Bool, _ name: String, _ found: some Any, _ expected: String
    ) throws(TrainingError) {
      if !good { throw .badSetting(name: name, found: "\(found)", expected: expected) }
    }
    try check((1...100_000).contains(epochs), "epochs", epochs, "from 1 to 100000")
    try check((1...65_536).contains(batch), "batch", batch, "from 1 to 65536")
    let size = preprocessing.size
    try check((32...4096).contains(size), "size", size, "from 32 to 4096 pixels")
    if let problem = preprocessing.problem {
      throw .badSetting(name: "preprocessing", found: "unusable", expected: "sound: \(problem)")
    }
    let rate = optimizer.learningRate
    try check(rate > 0 && rate.isFinite, "learning rate", rate, "above 0")
    try check((0..<1).contains(optimizer.momentum), "momentum", optimizer.momentum, "in [0, 1)")
    try check(
      !optimizer.nesterov || optimizer.momentum > 0, "nesterov", true, "used with momentum above 0")
    let decay = optimizer.weightDecay
    try check(decay >= 0 && decay.isFinite, "weight decay", decay, "0 or more")
    try check((optimizer.clip ?? 1) > 0, "clip", optimizer.clip ?? 1, "above 0")
    try check((0..<1).contains(warmUp), "warm-up", warmUp, "in [0, 1)")
    try check((0..<1).contains(labelSmoothing), "label smoothing", labelSmoothing, "in [0, 1)")
    try check((patience ?? 1) >= 1, "patience", patience ?? 1, "at least 1 epoch")
    try check(largestLoss > 0, "largest loss", largestLoss, "above 0")
    try check((limit ?? batch) >= batch, "limit", limit ?? batch, "at least one batch (\(batch))")
    try fairALM?.validate()
    try check(
      balance != .weighting || fairALM == nil, "re-weighting", "on", "used without FairALM")
    let tolerance = selection?.tolerance ?? 0
    try check((0...1).contains(tolerance), "accuracy tolerance", tolerance, "from 0 to 1")
  }
}

/// How rare cells of group and label are made to count as much as frequent ones.
public enum RowBalance: String, Hashable, Codable, Sendable, CaseIterable {
  /// Every cell gives the same number of rows to a batch.
  case sampling
  /// Rows weigh as if group and label were independent.
  ///
  /// Source: F. Kamiran, T. Calders, *Data preprocessing techniques for classification without
  /// discrimination*, KAIS 2012, section 5.2.
  case weighting
}
