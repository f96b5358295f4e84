extension Repair: Codable {
  private enum Keys: String, CodingKey {
    case kind, version, method, attribute, needsGroup, rules, fit
  }

  private static let kind = "equant repair"
  private static let version = 1

  /// Reads what ``encode(to:)`` writes, and checks it: the text may come from anyone.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Keys.self)
    guard try keyed.decodeIfPresent(String.self, forKey: .kind) == Self.kind else {
      throw RepairError.unsound("'kind' is not \"\(Self.kind)\"")
    }
    let version = try keyed.decode(Int.self, forKey: .version)
    guard version == Self.version else {
      throw RepairError.unsound("'version' is \(version), expected \(Self.version)")
    }
    let name = try keyed.decode(String.self, forKey: .method)
    guard let method = Method(rawValue: name) else {
      let known = Method.allCases.map(\.rawValue).joined(separator: ", ")
      throw RepairError.unsound("'method' is \"\(name)\", expected one of \(known)")
    }
    self.method = method
    attribute = try keyed.decode(String.self, forKey: .attribute)
    rules = try keyed.decode([Rule].self, forKey: .rules)
    fit = try keyed.decode(RepairFit.self, forKey: .fit)
    try validate()
    if let stated = try keyed.decodeIfPresent(Bool.self, forKey: .needsGroup) {
      guard stated == needsGroup else {
        throw RepairError.unsound("'needsGroup' is \(stated), but the rules say \(needsGroup)")
      }
    }
  }

  /// Writes kind and version, then the rules and what the fit found.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Keys.self)
    try keyed.encode(Self.kind, forKey: .kind)
    try keyed.encode(Self.version, forKey: .version)
    try keyed.encode(method, forKey: .method)
    try keyed.encode(attribute, forKey: .attribute)
    try keyed.encode(needsGroup, forKey: .needsGroup)
    try keyed.encode(rules, forKey: .rules)
    try keyed.encode(fit, forKey: .fit)
  }

  /// Checks that every probability is one, that steps ascend, and that no group has two rules.
  ///
  /// - Throws: ``RepairError/unsound(_:)`` for the first thing that is off.
  public func validate() throws(RepairError) {
    guard !rules.isEmpty, rules.count <= 1 << 16 else {
      throw .unsound("'rules' has \(rules.count) entries, expected 1 to 65536")
    }
    guard rules.count == 1 || rules.allSatisfy({ $0.group != nil }) else {
      throw .unsound("'rules': a rule for everyone stands beside others")
    }
    var names: Set<String> = []
    for (number, rule) in rules.enumerated() {
      let place = "rules[\(number)]"
      if let name = rule.group, !names.insert(name).inserted {
        throw .unsound("\(place): group '\(name)' has a rule already")
      }
      try rule.calibration?.validate(place)
      guard (0...1).contains(rule.otherwise) else {
        throw .unsound("\(place).otherwise is \(rule.otherwise), expected from 0 to 1")
      }
      for (position, step) in rule.steps.enumerated() {
        guard (0...1).contains(step.probability) else {
          throw .unsound(
            "\(place).steps[\(position)].probability is \(step.probability), expected from 0 to 1")
        }
        guard step.score.isFinite else {
          throw .unsound("\(place).steps[\(position)] begins at no finite score")
        }
        guard position == 0 || rule.steps[position - 1].cut < step.cut else {
          throw .unsound("\(place).steps[\(position)] does not begin after the one before it")
        }
      }
    }
  }
}

extension Repair.Rule: Codable {
  private enum Keys: String, CodingKey {
    case group, calibration, otherwise, steps
  }

  /// Reads what ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Keys.self)
    group = try keyed.decodeIfPresent(String.self, forKey: .group)
    calibration = try keyed.decodeIfPresent(ScoreCalibration.self, forKey: .calibration)
    otherwise = try keyed.decode(Double.self, forKey: .otherwise)
    steps = try keyed.decode([Repair.Step].self, forKey: .steps)
  }

  /// Writes the rule; what it lacks is left out.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Keys.self)
    try keyed.encodeIfPresent(group, forKey: .group)
    try keyed.encodeIfPresent(calibration, forKey: .calibration)
    try keyed.encode(otherwise, forKey: .otherwise)
    try keyed.encode(steps, forKey: .steps)
  }
}

extension Repair.Step: Codable {
  private enum Keys: String, CodingKey {
    case atLeast, above, probability
  }

  /// Reads what ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Keys.self)
    probability = try keyed.decode(Double.self, forKey: .probability)
    if let score = try keyed.decodeIfPresent(Double.self, forKey: .above) {
      (self.score, includesScore) = (score, false)
      guard !keyed.contains(.atLeast) else {
        throw RepairError.unsound("a step has both 'above' and 'atLeast'")
      }
    } else {
      (score, includesScore) = (try keyed.decode(Double.self, forKey: .atLeast), true)
    }
  }

  /// Writes `{"atLeast": s, "probability": p}`, or `above` for a step without its beginning.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Keys.self)
    try keyed.encode(score, forKey: includesScore ? .atLeast : .above)
    try keyed.encode(probability, forKey: .probability)
  }
}
