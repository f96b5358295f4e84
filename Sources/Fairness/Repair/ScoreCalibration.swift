/// A map of scores that never falls, so that a score means the share of positives among its like.
public enum ScoreCalibration: Hashable, Sendable {
  /// `σ(slope · logit(s) + bias)`: temperature scaling when the bias is 0 (then the temperature is
  /// one over the slope), Platt's scaling otherwise.
  case logistic(slope: Double, bias: Double)
  /// A line through the points, level outside them: what isotonic regression gives.
  case isotonic(scores: [Double], values: [Double])

  /// How a calibration is fitted.
  public enum Kind: String, Hashable, Codable, Sendable, CaseIterable {
    /// None: scores stay as they are.
    case none
    /// One number, by maximum likelihood; 0.5 stays where it is.
    case temperature
    /// Two numbers, by maximum likelihood on softened labels.
    case platt
    /// The best map that never falls, in the sense of least squares.
    case isotonic
  }

  /// The calibrated score, in [0, 1].
  public func callAsFunction(_ score: Double) -> Double {
    switch self {
    case .logistic(let slope, let bias): return sigmoid(slope * logit(score) + bias)
    case .isotonic(let scores, let values):
      guard let first = scores.first, let last = scores.last else { return score }
      if score <= first { return values[0] }
      if score >= last { return values[values.count - 1] }
      var (low, high) = (0, scores.count - 1)
      while high - low > 1 {
        let middle = (low + high) / 2
        if scores[middle] <= score { low = middle } else { high = middle }
      }
      let share = (score - scores[low]) / (scores[high] - scores[low])
      return values[low] + share * (values[high] - values[low])
    }
  }

  /// The least score in [0, 1] whose calibrated value is at least `value`; infinite if none is.
  func leastScore(reaching value: Double) -> Double {
    if self(0) >= value { return -.infinity }
    guard self(1) >= value else { return .infinity }
    // Halving the bit patterns of positive numbers visits them in order, to the last bit.
    var (low, high) = ((0.0).bitPattern, (1.0).bitPattern)
    while high - low > 1 {
      let middle = low + (high - low) / 2
      if self(Double(bitPattern: middle)) >= value { high = middle } else { low = middle }
    }
    return Double(bitPattern: high)
  }

  /// Checks that the map never falls and stays finite.
  func validate(_ place: String) throws(RepairError) {
    switch self {
    case .logistic(let slope, let bias):
      guard slope > 0, slope.isFinite, bias.isFinite else {
        throw .unsound("\(place).calibration: slope \(slope) is not above 0, or not finite")
      }
    case .isotonic(let scores, let values):
      guard !scores.isEmpty, scores.count == values.count else {
        throw .unsound(
          "\(place).calibration has \(scores.count) scores and \(values.count) values, expected "
            + "equally many and at least one")
      }
      let ascends = zip(scores, scores.dropFirst()).allSatisfy { $0 < $1 }
      let rises = zip(values, values.dropFirst()).allSatisfy { $0 <= $1 }
      guard ascends, rises, (scores + values).allSatisfy({ (0...1).contains($0) }) else {
        throw .unsound("\(place).calibration: points do not ascend from 0 to 1")
      }
    }
  }
}

/// The log odds of a score; 0 and 1 count as the nearest numbers that have some.
func logit(_ score: Double) -> Double {
  let inside = min(max(score, 0x1p-52), 1 - 0x1p-52)
  return logarithm(inside) - logarithm(1 - inside)
}

/// The score with the given log odds.
func sigmoid(_ odds: Double) -> Double {
  if odds >= 0 { return 1 / (1 + exponential(-odds)) }
  let power = exponential(odds)
  return power / (1 + power)
}

extension ScoreCalibration: Codable {
  private enum Keys: String, CodingKey {
    case kind, slope, bias, scores, values
  }

  /// Reads what ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let keyed = try decoder.container(keyedBy: Keys.self)
    switch try keyed.decode(String.self, forKey: .kind) {
    case "logistic":
      self = .logistic(
        slope: try keyed.decode(Double.self, forKey: .slope),
        bias: try keyed.decode(Double.self, forKey: .bias))
    case "isotonic":
      self = .isotonic(
        scores: try keyed.decode([Double].self, forKey: .scores),
        values: try keyed.decode([Double].self, forKey: .values))
    case let other:
      throw RepairError.unsound(
        "calibration 'kind' is \"\(other)\", expected logistic or isotonic")
    }
  }

  /// Writes `{"kind": "logistic", "slope": …, "bias": …}` or the points of an isotonic map.
  public func encode(to encoder: any Encoder) throws {
    var keyed = encoder.container(keyedBy: Keys.self)
    switch self {
    case .logistic(let slope, let bias):
      try keyed.encode("logistic", forKey: .kind)
      try keyed.encode(slope, forKey: .slope)
      try keyed.encode(bias, forKey: .bias)
    case .isotonic(let scores, let values):
      try keyed.encode("isotonic", forKey: .kind)
      try keyed.encode(scores, forKey: .scores)
      try keyed.encode(values, forKey: .values)
    }
  }
}
