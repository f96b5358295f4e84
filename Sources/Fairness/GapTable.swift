/// The gaps of a table of counts as plain numbers, for resamples by the thousand.
struct GapTable: Sendable {
  /// The number of groups.
  var groups: Int
  /// The position of the group that the others are compared with; nil compares all pairs.
  var reference: Int?

  /// Whether the gap keeps its sign: one pair of groups and a linear combination of rates.
  func isSigned(_ kind: GapKind) -> Bool {
    groups == 2 && (kind.joining == .single || kind.joining == .mean)
  }

  /// The signed gap where ``isSigned(_:)``, otherwise the size of the widest; nan if undefined.
  ///
  /// Undefined groups are left out as in ``GapMaker``.
  func value(_ kind: GapKind, _ cells: [SIMD4<Double>]) -> Double {
    value(kind, kind.measures.map { measure in cells.map { Self.rate(measure, $0) } })
  }

  /// The gap of the rates of every group, one list a measure of `kind`.
  func value(_ kind: GapKind, _ rates: [[Double]]) -> Double {
    switch kind.joining {
    case .larger:
      // A group takes part with both rates or not at all.
      let first = spread(zip(rates[0], rates[1]).map { $1.isNaN ? $1 : $0 })
      let second = spread(zip(rates[0], rates[1]).map { $0.isNaN ? $0 : $1 })
      return first.isNaN || second.isNaN ? .nan : max(first, second)
    case .mean:
      let mean = zip(rates[0], rates[1]).map { ($0 + $1) / 2 }
      return isSigned(kind) ? signed(mean) : spread(mean)
    case .meanOfSizes:
      var widest = Double.nan
      for a in 0..<groups {
        for b in reference.map({ $0..<$0 + 1 }) ?? 0..<a where a != b {
          let size = (abs(rates[0][a] - rates[0][b]) + abs(rates[1][a] - rates[1][b])) / 2
          if !size.isNaN && !(size <= widest) { widest = size }
        }
      }
      return widest
    case .single:
      return isSigned(kind) ? signed(rates[0]) : spread(rates[0])
    }
  }

  private func signed(_ rates: [Double]) -> Double {
    reference == 1 ? rates[0] - rates[1] : rates[1] - rates[0]
  }

  private func spread(_ rates: [Double]) -> Double {
    if let reference {
      let base = rates[reference]
      return rates.indices.reduce(Double.nan) { widest, group in
        let size = abs(rates[group] - base)
        return group != reference && !size.isNaN && !(size <= widest) ? size : widest
      }
    }
    var (low, high, count) = (Double.infinity, -Double.infinity, 0)
    for rate in rates where !rate.isNaN {
      (low, high, count) = (min(low, rate), max(high, rate), count + 1)
    }
    return count > 1 ? high - low : .nan
  }

  /// A measure of one group's cells; nan if undefined.
  static func rate(_ measure: Measure, _ cells: SIMD4<Double>) -> Double {
    if measure == .balancedAccuracy {
      return (rate(.truePositiveRate, cells) + rate(.trueNegativeRate, cells)) / 2
    }
    guard let fraction = measure.cells else { return .nan }
    let below = (fraction.denominator * cells).sum()
    return below > 0 ? (fraction.numerator * cells).sum() / below : .nan
  }
}
