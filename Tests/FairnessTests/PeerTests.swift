import Testing
import TestSupport

@testable import Fairness

/// One data set of `Golden/peers.json`, written by `Scripts/golden/fairness_peers.py`.
struct PeerCase: Decodable, Sendable, CustomTestStringConvertible {
  struct Cell: Decodable, Sendable {
    var group: String
    var label: Int
    var score: Double
    var count: Int

    init(from decoder: any Decoder) throws {
      var list = try decoder.unkeyedContainer()
      group = try list.decode(String.self)
      label = try list.decode(Int.self)
      score = try list.decode(Double.self)
      count = try list.decode(Int.self)
    }
  }

  struct AIF360: Decodable, Sendable {
    var unprivileged: String
    var privileged: String
    var rates: [String: [String: Double?]]
    var gaps: [String: Double?]
    var equalizedOdds: Double
    var generalizedEqualizedOdds: Double
    var ratios: [String: Double?]
    var averagePredictiveValueDifference: Double
    var inequality: [String: Double]
  }

  var name: String
  var cells: [Cell]
  var overall: [String: Double]
  var groups: [String: [String: Double]]
  var fairlearn: [String: Double]
  var fairlearnRatios: [String: Double]
  var aif360: AIF360

  var testDescription: String { name }

  /// The rows again, of the named groups or of all.
  func outcomes(of names: Set<String>? = nil) -> Outcomes {
    let cells = cells.filter { names?.contains($0.group) ?? true }
    return Outcomes(
      scores: cells.flatMap { [Double](repeating: $0.score, count: $0.count) },
      labels: cells.flatMap { [Bool](repeating: $0.label == 1, count: $0.count) },
      groups: Attribute(
        "group", of: cells.flatMap { [String](repeating: $0.group, count: $0.count) }))
  }
}

func isClose(_ a: Double?, _ b: Double?, _ tolerance: Double = 1e-12) -> Bool {
  guard let a, let b else { return a == nil && b == nil }
  return abs(a - b) <= tolerance * max(1, abs(b))
}

@Suite struct PeerTests {
  @Test(arguments: try golden([PeerCase].self, "peers", in: .module))
  func `rates equal Fairlearn and scikit-learn`(expected: PeerCase) throws {
    let audit = try Audit(expected.outcomes())
    for (name, value) in expected.overall {
      let measure = try #require(Measure(rawValue: name))
      #expect(isClose(audit.overall[measure]?.value, value), "\(name) of all")
    }
    #expect(audit.groups.map(\.name) == expected.groups.keys.sorted())
    for group in audit.groups {
      for (name, value) in expected.groups[group.name] ?? [:] {
        let measure = try #require(Measure(rawValue: name))
        #expect(isClose(group.rates[measure]?.value, value), "\(name) of \(group.name)")
      }
    }
  }

  @Test(arguments: try golden([PeerCase].self, "peers", in: .module))
  func `differences and ratios between groups equal Fairlearn`(expected: PeerCase) throws {
    let audit = try Audit(expected.outcomes())
    for (name, value) in expected.fairlearn {
      let kind = try #require(GapKind(rawValue: name))
      #expect(isClose(audit.gaps[kind]?.absolute, value), "\(name)")
    }
    for (name, value) in expected.fairlearnRatios {
      let kind = try #require(RatioKind(rawValue: name))
      #expect(isClose(audit.ratios[kind]?.value, value), "\(name)")
    }
  }

  @Test(arguments: try golden([PeerCase].self, "peers", in: .module))
  func `rates, differences and ratios of two groups equal AIF360`(expected: PeerCase) throws {
    let peer = expected.aif360
    var options = AuditOptions()
    options.reference = peer.privileged
    let rows = expected.outcomes(of: [peer.privileged, peer.unprivileged])
    let audit = try Audit(rows, options: options)
    for (side, name) in [("privileged", peer.privileged), ("unprivileged", peer.unprivileged)] {
      let group = try #require(audit.groups.first { $0.name == name })
      for (key, value) in peer.rates[side] ?? [:] {
        let measure = try #require(Measure(rawValue: key))
        #expect(isClose(group.rates[measure]?.value, value), "\(key) of \(name)")
      }
    }
    for (name, value) in peer.gaps {
      let kind = try #require(GapKind(rawValue: name))
      #expect(isClose(audit.gaps[kind]?.value, value), "\(name)")
    }
    #expect(isClose(audit.gaps[.equalizedOdds]?.absolute, peer.equalizedOdds))
    for (name, value) in peer.ratios {
      let kind = try #require(RatioKind(rawValue: name))
      #expect(isClose(audit.ratios[kind]?.value, value), "ratio of \(name)")
    }
    #expect(
      isClose(
        audit.gaps[.generalizedEqualizedOdds]?.absolute, peer.generalizedEqualizedOdds))
    #expect(
      isClose(
        audit.gaps[.averagePredictiveValue]?.value, peer.averagePredictiveValueDifference))
  }

  @Test(arguments: try golden([PeerCase].self, "peers", in: .module))
  func `inequality indices equal AIF360`(expected: PeerCase) {
    let peer = expected.aif360
    let tally = Tally(expected.outcomes(of: [peer.privileged, peer.unprivileged]))
    let values = [
      "entropy2": Inequality.generalizedEntropy(tally.overall),
      "entropy3": Inequality.generalizedEntropy(tally.overall, order: 3),
      "theil": Inequality.generalizedEntropy(tally.overall, order: 1),
      "variation": Inequality.coefficientOfVariation(tally.overall),
      "betweenGroups": Inequality.betweenGroups(tally.counts),
      "betweenGroupsTheil": Inequality.betweenGroups(tally.counts, order: 1),
      "biasAmplification": Inequality.biasAmplification(tally.counts),
    ]
    for (name, value) in peer.inequality {
      #expect(isClose(values[name] ?? nil, value), "\(name)")
    }
  }
}
