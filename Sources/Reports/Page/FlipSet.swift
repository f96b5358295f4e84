import Fairness
import Predictions
import Study

/// Whose decisions a compression changed.
public struct FlipSet: Hashable, Codable, Sendable {
  /// One person whose decision changed.
  public struct Person: Hashable, Codable, Sendable {
    /// The row's id, a file name.
    public var id: String
    /// The group's name.
    public var group: String
    /// 1 or 0.
    public var label: Int
    /// The score of the model it was made from.
    public var before: Double
    /// The score of the compressed model.
    public var after: Double
    /// A small JPEG as base64; nil when there is none.
    public var picture: String?
  }

  /// The compressed model's key.
  public var model: String
  /// The key of the model it was made from.
  public var base: String
  /// The seed of the training run.
  public var seed: UInt64
  /// How many decisions changed; all of them are counted, not all are listed.
  public var total: Int
  /// People, as many of each group, label and direction as there is room for.
  public var people: [Person]

  /// Whether any person has a picture.
  public var hasPictures: Bool { people.contains { $0.picture != nil } }

  /// Finds the rows that `before` and `after` decide differently at the thresholds of `pair`.
  ///
  /// - Parameters:
  ///   - pair: The comparison.
  ///   - before: Predictions of the model it was made from.
  ///   - after: Predictions of the compressed model; rows are matched by id.
  ///   - pictures: Where pictures are; nil takes none along.
  ///   - limit: How many people are listed with a picture at most.
  init(
    _ pair: StudyResult.Pair, before: Predictions, after: Predictions, pictures: Pictures?,
    limit: Int
  ) {
    (model, base, seed) = (pair.model, pair.base, pair.seed)
    let (first, second) = (pair.comparison.threshold, pair.comparison.thresholdAfter)
    let outcomes = before.outcomes
    var places: [String: Int] = [:]
    for (row, id) in after.ids.enumerated() { places[id] = row }
    var cells: [[Int32]: [Person]] = [:]
    var total = 0
    for row in 0..<before.count {
      guard let other = places[before.ids[row]] else { continue }
      let (old, new) = (before.scores[row], after.scores[other])
      let was = old >= first
      guard was != (new >= second) else { continue }
      total += 1
      let code = outcomes.groups.codes[row]
      let label = before.labels[row] ? 1 : 0
      cells[[code, Int32(label), was ? 1 : 0], default: []].append(
        Person(
          id: before.ids[row], group: outcomes.groups.groups[Int(code)], label: label, before: old,
          after: new))
    }
    self.total = total
    people = Self.fair(cells, limit: max(limit, Self.listed))
    guard let pictures else { return }
    let chosen = Set(Self.fair(cells, limit: limit).map(\.id))
    for index in people.indices where chosen.contains(people[index].id) {
      people[index].picture = pictures.thumbnail(people[index].id)
    }
  }

  /// The people whom `study.json` itself names, for when the predictions are gone.
  init(_ flips: StudyResult.Figures.Flips) {
    (model, base, seed, total) = (flips.model, flips.base, flips.seed, flips.total)
    people = flips.examples.map {
      Person(id: $0.id, group: $0.group, label: $0.label, before: $0.before, after: $0.after)
    }
  }

  /// How many people are listed at least, with or without a picture.
  private static let listed = 200

  /// Takes from every cell in turn, so that a small one is not crowded out.
  private static func fair(_ cells: [[Int32]: [Person]], limit: Int) -> [Person] {
    let ordered = cells.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    var taken: [Person] = []
    for round in 0..<(ordered.map(\.count).max() ?? 0) {
      for cell in ordered where round < cell.count && taken.count < limit {
        taken.append(cell[round])
      }
    }
    return taken
  }
}
