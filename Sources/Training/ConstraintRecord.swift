/// How one constraint of an objective stood after an epoch: a point of its curves.
public struct ConstraintRecord: Hashable, Codable, Sendable {
  /// The rate and the groups, as in `TPR male - female`; gaps have that sign.
  public var name: String
  /// The multiplier after the epoch.
  public var multiplier: Double
  /// The mean of the surrogate gap over the epoch's batches that had enough rows in every cell;
  /// `nil` if none had.
  public var surrogate: Double?
  /// The gap of the epoch's training batches, each decided before its own step.
  public var train: Double?
  /// The gap of the held-out rows that the epoch's dual steps looked at; `nil` without any.
  public var heldOut: Double?
  /// The surrogate gap of the validation split.
  public var validationSurrogate: Double?
  /// The gap of the validation split.
  public var validation: Double?
  /// How many batches said nothing, because a cell had too few rows.
  public var skippedBatches: Int
}

/// What constraints did in the epoch so far: kept in checkpoints and turned into records.
struct ConstraintLog: Hashable, Sendable {
  let constraints: [RateConstraint]
  let groups: Int
  private var train: CellTally
  private var heldOut: CellTally
  private var surrogates: [Double]
  private var counts: [Double]
  private var skipped: [Double]

  init(_ constraints: [RateConstraint], groups: Int) {
    self.constraints = constraints
    self.groups = groups
    train = CellTally(groups: groups)
    heldOut = train
    surrogates = constraints.map { _ in 0 }
    counts = surrogates
    skipped = surrogates
  }

  /// The numbers so far, by name.
  var state: [String: [Double]] {
    get {
      [
        "epoch.trainRows": train.rows, "epoch.trainErrors": train.errors,
        "epoch.heldOutRows": heldOut.rows, "epoch.heldOutErrors": heldOut.errors,
        "epoch.surrogates": surrogates, "epoch.surrogateCounts": counts, "epoch.skipped": skipped,
      ]
    }
    set {
      train.rows = newValue["epoch.trainRows"] ?? train.rows
      train.errors = newValue["epoch.trainErrors"] ?? train.errors
      heldOut.rows = newValue["epoch.heldOutRows"] ?? heldOut.rows
      heldOut.errors = newValue["epoch.heldOutErrors"] ?? heldOut.errors
      surrogates = newValue["epoch.surrogates"] ?? surrogates
      counts = newValue["epoch.surrogateCounts"] ?? counts
      skipped = newValue["epoch.skipped"] ?? skipped
    }
  }

  /// Takes note of a training batch and of its surrogate gaps; `nil` for one that it does not have.
  mutating func add(_ batch: LabelledLogits, surrogates found: [Double?]) {
    train.add(batch)
    for (i, gap) in found.enumerated() {
      if let gap {
        surrogates[i] += gap
        counts[i] += 1
      } else {
        skipped[i] += 1
      }
    }
  }

  /// Takes note of held-out rows.
  mutating func add(heldOut batch: LabelledLogits) { heldOut.add(batch) }

  /// The epoch's records; the log is empty afterwards.
  mutating func take(
    multipliers: [Double], validation: LabelledLogits?, surrogate: (LabelledLogits) -> [Double]
  ) -> [ConstraintRecord] {
    var judged = CellTally(groups: groups)
    if let validation { judged.add(validation) }
    let soft = validation.map { $0.cellMeans(surrogate($0), groups: groups).means }
    let records = constraints.indices.map { i in
      ConstraintRecord(
        name: constraints[i].name, multiplier: multipliers[i],
        surrogate: counts[i] > 0 ? surrogates[i] / counts[i] : nil,
        train: constraints[i].gap(train.rates()), heldOut: constraints[i].gap(heldOut.rates()),
        validationSurrogate: soft.flatMap { constraints[i].gap($0) },
        validation: validation == nil ? nil : constraints[i].gap(judged.rates()),
        skippedBatches: Int(skipped[i]))
    }
    self = ConstraintLog(constraints, groups: groups)
    return records
  }
}
